package clocktest

import (
	"fmt"
	"sync"
	"time"

	benclock "github.com/benbjohnson/clock"

	"example.com/fairlead/clock"
)

// Mock is a clock that stands still until the test moves it. Make one with [Run] or [NewMock]; the
// zero Mock is not usable.
//
// When it is moved, a Mock stops at each timer on the way, in order. The goroutine that a timer wakes
// sees that instant as Now, and timers that it sets tick on the way too. In a bubble, Add, Set and
// Rewind wait, before the move and at each stop, until every other goroutine of the bubble is
// blocked or has ended. Outside a bubble they sleep a real millisecond at each stop, which may be too
// short. [Advance] is safe there.
//
// Any goroutine may read the clock, wait on it or make timers. Only one at a time may move it, and a
// second one panics.
type Mock struct {
	raw     *benclock.Mock
	timers  *pending
	waitAll func()     // waits until all other goroutines are blocked
	moving  sync.Mutex // only tried, since synctest does not see a wait for a lock as blocked
}

var _ clock.Clock = (*Mock)(nil)

// NewMock returns a mock for use outside a bubble. It stands at 2000-01-01 00:00:00 UTC, the instant
// at which a bubble starts.
func NewMock() *Mock { return newMock(func() {}) }

func newMock(waitAll func()) *Mock {
	raw := benclock.NewMock()
	raw.Set(time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC))
	return &Mock{raw: raw, timers: newPending(), waitAll: waitAll}
}

// Now returns the instant at which the clock stands.
func (m *Mock) Now() time.Time { return m.raw.Now() }

// NewTimer returns a timer that ticks when the clock has been moved by d, or at once if d is zero or
// less.
func (m *Mock) NewTimer(d time.Duration) clock.Timer { return adapter{m.raw, m.timers}.NewTimer(d) }

// AfterFunc is found by [clock.AfterFunc]. To [Advance], this is not a timer for which a function waits.
func (m *Mock) AfterFunc(d time.Duration, f func()) (stop func() bool) {
	if d <= 0 {
		go f()
		return func() bool { return false }
	}
	return m.raw.AfterFunc(d, f).Stop
}

// Sleep blocks until another goroutine has moved the clock by d. It returns at once if d is zero or
// less.
func (m *Mock) Sleep(d time.Duration) { <-m.NewTimer(d).C() }

// Add moves the clock forward by d. Add(0) does not move it, and in a bubble waits until all other
// goroutines are blocked. It panics if d is negative.
func (m *Mock) Add(d time.Duration) {
	if d < 0 {
		panic(fmt.Sprintf("clocktest: Add(%v) would move the clock back: use Rewind for that", d))
	}
	m.move(func() { m.raw.Add(d) })
}

// Set moves the clock forward to t. It panics if t is in the past.
func (m *Mock) Set(t time.Time) {
	if now := m.Now(); t.Before(now) {
		panic(fmt.Sprintf("clocktest: Set(%v) would move the clock back from %v: use Rewind for that", t, now))
	}
	m.move(func() { m.raw.Set(t) })
}

// Rewind sets the clock back by d, as an operator or a time server may. Timers stay due at the same
// instant, so they are d further away. It panics if d is negative.
func (m *Mock) Rewind(d time.Duration) {
	if d < 0 {
		panic(fmt.Sprintf("clocktest: Rewind(%v) would move the clock forward: use Add for that", d))
	}
	m.move(func() { m.raw.Set(m.raw.Now().Add(-d)) })
}

// move takes a step, and waits for all other goroutines before and after it. The second wait is
// needed even though a step ends with a sleep. A sleep does not synchronize memory, so without the
// wait the race detector would object to a test that reads what a woken goroutine wrote.
func (m *Mock) move(step func()) {
	if !m.moving.TryLock() {
		panic("clocktest: a Mock is being moved by two goroutines at the same time")
	}
	defer m.moving.Unlock()
	m.waitAll()
	step()
	m.waitAll()
}

// Benbjohnson returns the underlying benbjohnson clock, for code under test that takes one. Both
// show the same time. Move it only by the Mock's methods.
func (m *Mock) Benbjohnson() benclock.Clock { return m.raw }

// String returns the instant at which the clock stands.
func (m *Mock) String() string { return "mock clock at " + m.Now().Format(time.RFC3339Nano) }
