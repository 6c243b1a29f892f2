package clocktest

import (
	"sync"
	"time"

	benclock "github.com/benbjohnson/clock"

	"example.com/fairlead/clock"
)

// From makes a [clock.Clock] of a benbjohnson clock, mock or real. It panics if
// c is nil.
//
// Its timers keep every promise of [clock.Timer], which those of a mock do not:
// an unread tick never blocks Add or Now, a timer of zero or less ticks at once
// and never moves the mock back, and a deadline set while another goroutine is
// inside Add is neither lost nor mixed up with the one before it. Benbjohnson's
// own Timer and After keep their traps for those who call them on the same mock:
// called while another goroutine is inside Add, they can block both.
//
// A mock's tick comes from a goroutine that Add starts, so outside a bubble it
// may arrive just after Add has returned: receive it, don't poll for it.
func From(c benclock.Clock) clock.Clock {
	if c == nil {
		panic("clocktest: From(nil)")
	}
	return adapter{raw: c}
}

type adapter struct {
	raw benclock.Clock
	all *pending // nil but for a Mock
}

func (a adapter) Now() time.Time { return a.raw.Now() }

func (a adapter) NewTimer(d time.Duration) clock.Timer {
	t := &timer{raw: a.raw, all: a.all, c: make(chan time.Time, 1)}
	t.Reset(d)
	return t
}

// timer is a channel of ours and, for each deadline, an AfterFunc of the clock.
//
// A mock's Timer won't do, however carefully it is stopped and drained. It sends
// its tick holding the mock's lock. Making one fires whatever is due, so that a
// timer which Add has picked but not yet ticked is ticked twice; the second tick
// finds the channel full and the mock is locked for good. And since Add picks a
// timer and ticks it under two separate locks, a Reset in between is taken back
// by the tick. An AfterFunc has the last of these faults only, and a new one
// for each deadline, which knows its arming, is free of it too.
type timer struct {
	raw benclock.Clock
	all *pending
	c   chan time.Time

	mu     sync.Mutex
	arming uint64          // counts deadlines set and dropped; a function of another arming is late
	armed  *benclock.Timer // the current deadline's; nil when there is none
}

func (t *timer) C() <-chan time.Time { return t.c }

func (t *timer) Reset(d time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.disarm()
	if d <= 0 {
		t.c <- t.raw.Now() // a mock would leave it for the next Add, or go back to it
		return
	}
	arming := t.arming
	t.all.add(t, t.raw.Now().Add(d))
	t.armed = t.raw.AfterFunc(d, func() { t.tick(arming) })
}

func (t *timer) Stop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.disarm()
}

// tick runs when a deadline has come. Its send cannot block: an arming starts
// with an empty channel and ticks once.
func (t *timer) tick(arming uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if arming != t.arming {
		return
	}
	t.arming++
	t.armed = nil
	t.all.remove(t)
	t.c <- t.raw.Now()
}

// disarm drops the deadline and the tick that nobody has received. t.mu is held.
func (t *timer) disarm() {
	t.arming++
	if t.armed != nil {
		t.all.remove(t)
		t.armed.Stop()
		t.armed = nil
	}
	select {
	case <-t.c:
	default:
	}
}
