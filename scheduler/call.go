package scheduler

import (
	"cmp"
	"context"
	"sync/atomic"
	"time"

	"example.com/fairlead/events"
	"example.com/fairlead/retry"
)

// state says how far a call has come.
type state uint8

const (
	arriving   state = iota // not yet accepted
	queued                  // waits in core.queue for its tokens
	running                 // has paid; its function runs or is about to
	backingOff              // waits in core.backoff for its backoff to end
	ended
	leaving // has left one state, and has not entered the next
)

// call is one piece of work. It belongs to one goroutine at a time. The runner hands it to the
// owner with the message that submits it or that reports an attempt. The owner hands it back with
// the grant. Both use channels, which order all access. The core's fields always belong to the
// owner, but a runner that has the call may read some.
//
// A million calls may wait, so the fields that a waiting call does not need are in callDetail.
type call struct {
	// Set before the call is sent to the owner, and not changed after.
	ctx      context.Context
	fn       func(context.Context) error
	cost     int64 // from the first budget
	policy   *retry.Policy
	deadline time.Duration // bucket.Forever if there is none
	handle   *Handle       // of Submit; nil for a call of Do, which may be used again when it has ended

	// The core's.
	id             uint64 // in order of arrival, from 1
	rank           time.Duration
	leaf           *node         // in core.queue
	since          time.Duration // when its state began
	holdTimeBefore time.Duration // core.holdTime then
	attempts       int           // attempts granted
	index          int32         // in core.backoff
	state          state
	wantsAdmission bool // Submit waits until the call is admitted: see effects.admitted
	waitsForRoom   bool // in core.waitingForRoom
	runnerDone     bool // its runner knows the outcome and does not wait for it

	watched        bool          // has OnProgress
	noWait         bool          // is refused if it can't start at once
	fast           bool          // of Do, and the fast path could have served it
	ignoreDeadline bool          // has WaitUntilDeadline
	stopped        atomic.Uint32 // a stopped, of the handle, for which there is room here

	*callDetail // nil for submitted work while it waits, unless it needs the detail
}

// callDetail has the fields of a call that it does not need while it waits.
type callDetail struct {
	*options // set before the call is sent to the owner, and not changed after; never nil

	// The core's.
	last    error         // the latest attempt's error
	earlier []error       // the errors of the attempts before
	err     error         // the call's error; while running, the reason not to retry it
	verdict verdict       // on the attempt that was just reported
	paid    int64         // from the first budget, for all attempts
	extra   *extra        // nil for most calls
	granted time.Duration // when the running attempt was granted
	due     time.Duration // when its backoff ends or ended
	next    *call         // neighbors in a callList
	prev    *call
	spent   events.Times // until its state began; Queue still includes Tokens and Slot

	// The runner's.
	reply  chan reply      // of Do; nil if no caller waits
	done   <-chan struct{} // closed when the caller's context is done; nil if it never is
	after  *call           // its neighbor in successes
	made   int32           // attempts started
	pinned bool            // the core may look at it after its end, so it is not used again
	permit permit          // from the fast path; the zero permit if the owner knows the call
	slot   *fastSlot       // where the owner finds the call before it knows it; nil if the fast path has never served it
}

// extra has the fields that few calls need.
type extra struct {
	settled bool  // the running attempt was settled
	costs   costs // what that attempt has cost so far, if it was settled
	nesting
}

// extras returns the extra of a call, and makes it if there is none.
func (c *call) extras() *extra {
	c.ensureDetail()
	if c.extra == nil {
		c.extra = new(extra)
	}
	return c.extra
}

// verdict is a [retry.Verdict] without the name of a budget, since a million calls may have one.
type verdict struct {
	kind   retry.Kind
	alone  bool
	budget int8 // counted from 1; 0: no budget of the scheduler
	wait   time.Duration
}

// verdict returns v in the form in which calls keep it.
func (s *Scheduler) verdict(v retry.Verdict) verdict {
	short := verdict{kind: v.Kind, alone: v.Alone, wait: v.Wait}
	if v.Budget != "" {
		if i, err := s.budget(v.Budget); err == nil {
			short.budget = int8(i + 1)
		}
	}
	return short
}

// verdict returns the verdict on the attempt that a call has reported.
func (k *core) verdict(c *call) retry.Verdict {
	v := retry.Verdict{Kind: c.verdict.kind, Alone: c.verdict.alone, Wait: c.verdict.wait}
	if i := c.verdict.budget; i > 0 {
		v.Budget = k.budgets[i-1].name
	}
	return v
}

// noOptions are the options of submitted work without any.
var noOptions = new(options)

// ensureDetail gives a call its detail if it has none.
func (c *call) ensureDetail() {
	if c.callDetail == nil {
		c.callDetail = &callDetail{options: noOptions}
	}
}

// before reports whether c goes ahead of d: its rank is lower or, at the same rank, it arrived
// earlier (FIFO). A retry keeps its rank and number.
func (c *call) before(d *call) bool {
	return c.rank < d.rank || c.rank == d.rank && c.id < d.id
}

// byRank compares calls in the order of before.
func byRank(c, d *call) int {
	return cmp.Or(cmp.Compare(c.rank, d.rank), cmp.Compare(c.id, d.id))
}

// addError records the error of an attempt.
func (c *call) addError(err error) {
	if c.last != nil {
		c.earlier = append(c.earlier, c.last)
	}
	c.last = err
}

// lastErr returns the latest attempt's error, or nil.
func (c *call) lastErr() error {
	if c.callDetail == nil {
		return nil
	}
	return c.last
}

// times returns how a call spent its time until its state began.
func (c *call) times() events.Times {
	t := c.spent
	t.Queue -= t.Tokens + t.Slot
	return t
}
