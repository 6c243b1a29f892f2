package scheduler

import (
	"cmp"
	"context"
	"sync/atomic"
	"time"

	"example.com/fairlead/events"
	"example.com/fairlead/retry"
)

// state is where a call is in its life.
type state uint8

const (
	arriving   state = iota // not yet accepted
	queued                  // waits for its tokens, in core.queue
	running                 // paid; its function runs or is about to
	backingOff              // waits for its retry time, in core.backoff
	ended
)

// call is one piece of work. It belongs to one goroutine at a time: to its
// runner until it is sent to the owner and after it is granted, to the owner in
// between. What it is handed over by, a channel, orders all access. The core's fields
// are the owner's at all times, but for those that a runner reads when it has the call.
//
// A million of them may wait: so what is not needed for waiting is kept apart.
type call struct {
	// Set before it is sent to the owner, and not changed after.
	ctx      context.Context
	fn       func(context.Context) error
	cost     int64 // from the first budget
	policy   *retry.Policy
	deadline time.Duration // bucket.Forever if there is none
	handle   *Handle       // Submit's; nil for a call of Do, which may be used again when it is over

	// The core's.
	id             uint64 // in order of arrival, from 1
	rank           time.Duration
	leaf           *node         // in core.queue
	since          time.Duration // when its state began
	holdTimeBefore time.Duration // core.held then
	attempt        int           // attempts granted
	index          int32         // in core.backoff
	state          state
	wantsAdmission bool // wants to hear that it is let in: see effects.admitted
	waitsForRoom   bool // in core.waitingForRoom
	runnerDone     bool // its runner knows the outcome and does not wait for it

	watched        bool          // wants updates on its progress
	noWait         bool          // is refused if it can't start at once
	fast           bool          // of Do, and the fast path could have served it
	ignoreDeadline bool          // does not tell the core its deadline
	stopped        atomic.Uint32 // Handle's, for which there is room here: see stopped

	*callDetail // nil for submitted work while it waits, unless it has options that last
}

// callDetail is what there is to know of a call besides its place in the queue.
type callDetail struct {
	*options // set before it is sent to the owner, and not changed after; never nil

	// The core's.
	last    error         // what the latest attempt failed with
	earlier []error       // what those before it failed with
	err     error         // what it ended with; while running, why it is not to be retried
	verdict verdict       // on the attempt that was just reported
	paid    int64         // from the first budget, for all attempts
	extra   *extra        // nil for most calls
	granted time.Duration // when the attempt that runs was
	due     time.Duration // when it is or was to be queued again
	next    *call         // neighbors in a callList
	prev    *call
	spent   events.Times // up to when its state began; Queue still has Tokens and Slot in it

	// The runner's.
	reply  chan reply      // Do's; nil if no caller waits
	done   <-chan struct{} // closed when the caller's context is done; nil if it never is
	after  *call           // its neighbor in successes
	made   int32           // attempts started
	pinned bool            // the core may look at it when it is over: it is not used again
	permit permit          // of the fast path; the zero permit if the owner knows the call
	slot   *fastSlot       // where the owner finds the call before it knows it; nil if the fast path has never served it
}

// extra has the fields that few calls need.
type extra struct {
	settled bool  // the attempt that runs was settled
	costs   costs // what the attempt has cost so far, if it was settled
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

// verdict is a [retry.Verdict] without the name of a budget: a million calls may have one.
type verdict struct {
	kind   retry.Kind
	alone  bool
	budget int8 // counted from 1; 0: no budget of the scheduler
	wait   time.Duration
}

// verdict returns a verdict in the form in which calls keep it.
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

// noOptions are those of work that was submitted without.
var noOptions = new(options)

// ensureDetail makes sure that a call has a trail.
func (c *call) ensureDetail() {
	if c.callDetail == nil {
		c.callDetail = &callDetail{options: noOptions}
	}
}

// before reports whether c goes ahead of d: it ranks lower or, at the same rank,
// arrived earlier. A retry keeps the rank and the number it got at its first arrival.
func (c *call) before(d *call) bool {
	return c.rank < d.rank || c.rank == d.rank && c.id < d.id
}

// byRank compares calls as before does.
func byRank(c, d *call) int {
	return cmp.Or(cmp.Compare(c.rank, d.rank), cmp.Compare(c.id, d.id))
}

// addError notes what an attempt failed with.
func (c *call) addError(err error) {
	if c.last != nil {
		c.earlier = append(c.earlier, c.last)
	}
	c.last = err
}

// lastErr is what the latest attempt failed with; nil if there was none.
func (c *call) lastErr() error {
	if c.callDetail == nil {
		return nil
	}
	return c.last
}

// times is what a call has spent its time on until its state began.
func (c *call) times() events.Times {
	t := c.spent
	t.Queue -= t.Tokens + t.Slot
	return t
}
