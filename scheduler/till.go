package scheduler

import (
	"context"
	"sync/atomic"
	"time"
)

// till is where plain calls of Do find tokens that the owner has lent, while nobody is
// queued: a call takes one with a compare-and-swap, runs, and says that it is over
// with an add. No clock is read, nothing is allocated and the owner sleeps on.
//
// All of it is one word, so that it changes all at once. From the lowest bit:
//
//	23 bits  tokens: what is left of the loan
//	 1 bit   notify: the owner wants to hear of every call that is over
//	20 bits  in flight: calls that have taken a token and are not over
//	20 bits  taken: how many ever have, and how many loans there were; wraps around
type till struct {
	_    [64]byte // apart from what others write
	word atomic.Uint64
	loan atomic.Pointer[loan]
	_    [48]byte
}

const (
	tillTokens   = 1<<23 - 1
	tillNotify   = 1 << 23
	tillInFlight = 1 << 24
	tillTaken    = 1 << 44

	// mostInFlight is how many calls can be in flight by the till. It leaves room for
	// those that add themselves at the same time.
	mostInFlight = 1 << 19

	// mostLent bounds a loan, so that calls can be numbered by a count that wraps.
	mostLent = 1 << 18
)

// loan is what a call has to know of the loan that it takes from. It is published before
// its tokens are.
type loan struct {
	taken  uint64        // the word's count when the owner last looked
	lastID uint64        // the number of the latest call by then
	since  time.Duration // when that was
	slots  uint64        // how many calls may be in flight
}

// ticket is what a call gets for its token.
type ticket struct {
	number uint64 // the call's number, in order of arrival
	loan   *loan
}

// take takes a token, if there is one and a slot for the call.
//
// Between its two loads and the compare-and-swap the owner may recall the loan, grant calls, and
// lend again. The swap must fail then, or the call would have the number of another and the slots
// of before (the ABA problem). It does, since each new loan adds one to the word's count.
func (t *till) take() (ticket, bool) {
	for {
		w := t.word.Load()
		if w&tillTokens == 0 {
			return ticket{}, false
		}
		l := t.loan.Load() // after the word: so it is not older than the tokens
		if inFlight(w) >= l.slots {
			return ticket{}, false
		}
		if t.word.CompareAndSwap(w, w-1+tillInFlight+tillTaken) {
			return ticket{number: l.lastID + (taken(w)-l.taken)%(1<<20) + 1, loan: l}, true
		}
	}
}

// put says that a call is over. It reports whether the owner wants to hear of it.
func (t *till) put() bool { return t.word.Add(^uint64(tillInFlight-1))&tillNotify != 0 }

func inFlight(w uint64) uint64 { return w >> 24 % (1 << 20) }
func taken(w uint64) uint64    { return w >> 44 }

// through runs the function of a plain call that has a ticket.
func (s *Scheduler) through(ctx context.Context, fn func(context.Context) error, got ticket) error {
	unwinds := true
	defer func() {
		if unwinds { // a panic or a Goexit in the function
			s.adopt(s.newPlain(ctx, fn, 1), got, errNoReturn)
		}
	}()
	err := fn(ctx)
	unwinds = false
	if err != nil {
		return s.failedPlain(ctx, fn, got, err)
	}
	if s.till.put() {
		s.overPlain(got.number)
	}
	return nil
}

// overPlain tells an owner who wants to hear of it that a plain call was a success.
func (s *Scheduler) overPlain(number uint64) {
	s.post(message{op: opOver, do: func(o *owner, now time.Duration) { o.core.over(now, number, &s.retry) }})
}

// failedPlain hands a plain call whose first attempt has failed to the owner, which so
// far does not know it, and goes on as with any other.
func (s *Scheduler) failedPlain(ctx context.Context, fn func(context.Context) error, got ticket, err error) error {
	c := s.newPlain(ctx, fn, 1)
	v, err := s.judge(c, err)
	c.verdict = s.verdict(v)
	again := v.Retryable()
	switch posted := s.adopt(c, got, err); {
	case !again:
		return err
	case !posted:
		return &endedError{reason: ErrClosed, attempts: 1, last: err}
	}
	return s.run(c)
}

// newPlain is the call that a plain one would have been, after some attempts.
func (s *Scheduler) newPlain(ctx context.Context, fn func(context.Context) error, attempts int32) *call {
	c := s.calls.Get().(*call)
	c.made = attempts
	s.fill(c, guarded{ctx}, fn) // a panic in fill would lose the slot
	c.ctx = ctx
	s.nest(c, guarded{ctx})
	return c
}

// adopt tells the owner of a call with a ticket that is not a success: it has failed or,
// if no attempt was made, is given up. The call is the owner's from then on.
func (s *Scheduler) adopt(c *call, got ticket, err error) (posted bool) {
	c.id, c.rank = got.number, got.loan.since
	return s.post(message{op: opAdopt, call: c, err: err})
}
