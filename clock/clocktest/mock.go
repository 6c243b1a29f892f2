package clocktest

import (
	"fmt"
	"sync"
	"time"

	benclock "github.com/benbjohnson/clock"

	"example.com/fairlead/clock"
)

// Mock is a clock that stands still until the test moves it. Make one with
// [Run] or [NewMock]; the zero Mock is of no use.
//
// Moving past deadlines stops at each in turn: whoever it wakes sees that
// instant as Now, and deadlines they set on the way are met as well. In a bubble
// Add, Set and Rewind first wait until everything started so far has settled
// (every goroutine blocked on something inside the bubble, or over), settle
// again at each instant, and return when all that was due has happened. Outside
// one they sleep a real millisecond at each instant, which is a hope and not a
// guarantee: see [Advance].
//
// Any goroutine may read the clock, wait on it or make timers. One at a time may
// move it; a second one panics.
type Mock struct {
	raw    *benclock.Mock
	timers *pending
	settle func()
	moving sync.Mutex // never waited for: a goroutine that waits for a lock has not settled
}

var _ clock.Clock = (*Mock)(nil)

// NewMock returns a mock for use outside a bubble. It stands at 2000-01-01
// 00:00:00 UTC, the instant at which a bubble starts.
func NewMock() *Mock { return newMock(func() {}) }

func newMock(settle func()) *Mock {
	raw := benclock.NewMock()
	raw.Set(time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC))
	return &Mock{raw: raw, timers: newPending(), settle: settle}
}

// Now returns the instant at which the clock stands.
func (m *Mock) Now() time.Time { return m.raw.Now() }

// NewTimer returns a timer that ticks when the clock is moved to d from now, or
// at once if d is zero or less.
func (m *Mock) NewTimer(d time.Duration) clock.Timer { return adapter{m.raw, m.timers}.NewTimer(d) }

// Sleep blocks until another goroutine has moved the clock by d. It returns at
// once if d is zero or less.
func (m *Mock) Sleep(d time.Duration) { <-m.NewTimer(d).C() }

// Add moves the clock forward by d. Add(0) moves nothing; in a bubble it
// waits until all is settled. It panics if d is negative.
func (m *Mock) Add(d time.Duration) {
	if d < 0 {
		panic(fmt.Sprintf("clocktest: Add(%v) would move the clock back: that is what Rewind is for", d))
	}
	m.move(func() { m.raw.Add(d) })
}

// Set moves the clock forward to t. It panics if t is in the past.
func (m *Mock) Set(t time.Time) {
	if now := m.Now(); t.Before(now) {
		panic(fmt.Sprintf("clocktest: Set(%v) would move the clock back from %v: that is what Rewind is for", t, now))
	}
	m.move(func() { m.raw.Set(t) })
}

// Rewind sets the clock back by d, as an operator or a time server may. Timers
// keep the instant at which they are due, so they are d further away. It
// panics if d is negative.
func (m *Mock) Rewind(d time.Duration) {
	if d < 0 {
		panic(fmt.Sprintf("clocktest: Rewind(%v) would move the clock forward: that is what Add is for", d))
	}
	m.move(func() { m.raw.Set(m.raw.Now().Add(-d)) })
}

// move settles before and after the step. The second time looks superfluous, as
// a step ends with a sleep, and is not: a sleep orders no memory, and the race
// detector would object to a test that reads what the woken have written.
func (m *Mock) move(step func()) {
	if !m.moving.TryLock() {
		panic("clocktest: a Mock is being moved by two goroutines at the same time")
	}
	defer m.moving.Unlock()
	m.settle()
	step()
	m.settle()
}

// Benbjohnson returns the clock beneath, for code under test that takes one. It
// is on the same time line. Move it by the Mock's methods only.
func (m *Mock) Benbjohnson() benclock.Clock { return m.raw }

// String returns the instant at which the clock stands.
func (m *Mock) String() string { return "mock clock at " + m.Now().Format(time.RFC3339Nano) }
