package clocktest

import (
	"sync"
	"time"

	benclock "github.com/benbjohnson/clock"

	"example.com/fairlead/clock"
)

// From returns a [clock.Clock] that uses a benbjohnson clock, mock or real. It panics if c is nil.
//
// Its timers keep every promise of [clock.Timer], which those of a benbjohnson mock do not. An unread
// tick never blocks Add or Now. A timer of zero or less ticks at once and never moves the mock back.
// A deadline that is set while another goroutine is in Add is not lost, nor mixed up with an earlier
// one. The mock's own Timer and After remain unsafe. If a goroutine calls them while another one is
// in Add, both may block for ever.
//
// A mock's tick comes from a goroutine that Add starts. Outside a bubble it may arrive just after Add
// has returned, so receive it and don't poll for it.
func From(c benclock.Clock) clock.Clock {
	if c == nil {
		panic("clocktest: From(nil)")
	}
	return adapter{raw: c}
}

type adapter struct {
	raw     benclock.Clock
	pending *pending // nil unless raw is a Mock's
}

func (a adapter) Now() time.Time { return a.raw.Now() }

func (a adapter) NewTimer(d time.Duration) clock.Timer {
	t := &timer{raw: a.raw, pending: a.pending, c: make(chan time.Time, 1)}
	t.Reset(d)
	return t
}

// timer has a channel of its own, and an AfterFunc of the clock for each deadline.
//
// A mock's Timer is unsafe even if it is stopped and drained with care. It sends its tick while it
// holds the mock's lock. Making a timer ticks all timers that are due. So a timer that Add has picked
// but not yet ticked is ticked twice, the second tick finds the channel full, and the mock stays
// locked for good. Also, Add picks a timer and ticks it under two separate locks, and the tick undoes
// a Reset in between. An AfterFunc has only this last fault. A new AfterFunc for each deadline, which
// knows its generation, does not have that one either.
type timer struct {
	raw     benclock.Clock
	pending *pending
	c       chan time.Time

	mu         sync.Mutex
	generation uint64          // counts the deadlines set and dropped; an AfterFunc of an earlier one does nothing
	armed      *benclock.Timer // the AfterFunc of the current deadline, or nil
}

func (t *timer) C() <-chan time.Time { return t.c }

func (t *timer) Reset(d time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.disarm()
	if d <= 0 {
		t.c <- t.raw.Now() // a mock would tick only at the next Add, or move back
		return
	}
	generation := t.generation
	due := t.raw.Now().Add(d)
	t.pending.add(t, due)
	t.armed = t.raw.AfterFunc(d, func() { t.tick(generation, due) })
}

func (t *timer) Stop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.disarm()
}

// tick sends the tick of a deadline. The send cannot block, because a generation starts with an empty
// channel and ticks once.
func (t *timer) tick(generation uint64, due time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if generation != t.generation {
		return
	}
	t.generation++
	t.armed = nil
	t.pending.remove(t)
	if _, mock := t.raw.(*benclock.Mock); mock {
		t.c <- due // the mock may have been moved on before this goroutine ran
	} else {
		t.c <- t.raw.Now()
	}
}

// disarm drops the deadline and an unread tick. The caller holds t.mu.
func (t *timer) disarm() {
	t.generation++
	if t.armed != nil {
		t.pending.remove(t)
		t.armed.Stop()
		t.armed = nil
	}
	select {
	case <-t.c:
	default:
	}
}
