package scheduler

import (
	"sync/atomic"
	"time"

	"example.com/fairlead/events"
	"example.com/fairlead/retry"
)

// successes is a lock-free list of calls of Do that have succeeded, of which the owner was not
// told. The owner collects them at its next turn, and before it answers a question. That saves a
// message for each, of which many waiting goroutines would send thousands.
//
// The owner is told at once if something waits for the end of a call: a slot, Shutdown, WaitIdle or
// a subscriber. Such calls are not put on the list.
type successes struct {
	urgent atomic.Bool // the owner has to be told of each success, and when no function of OnEnd runs any more
	_      [63]byte    // keeps other fields out of the next cache line
	list   callStack
	count  atomic.Uint32 // how many were ever put on the list; it wraps around
	_      [52]byte
}

// maxUncollected is how many calls are put on the list before a message makes the owner collect them.
const maxUncollected = 256

// collectable reports whether a call that has succeeded may be put on the list. It may not if the
// owner does not know it, could get its cost or its nesting wrong before it collects it, or if the list
// would keep values of the user.
func (s *Scheduler) collectable(c *call) bool {
	if c.handle() != nil {
		return false
	}
	o := c.runner.options
	return !o.hasOwnCost() && // then only the runner writes the detail's extra
		!c.Nested() && c.made == 1 && (o == nil || !o.forRunner()) && !s.successUrgent() && !c.inSlot()
}

// successUrgent reports whether the owner has to be told of each success.
func (s *Scheduler) successUrgent() bool {
	return s.successes.urgent.Load() || s.hub.Wanted().Has(events.Succeeded)
}

// putSuccess puts a call on the list. The call belongs to the owner from then on.
func (s *Scheduler) putSuccess(c *call) {
	c.ctx, c.fn, c.runner.done = nil, nil, nil
	s.successes.list.push(c)
	// If it became urgent meanwhile, the owner may have collected without this call.
	if s.successes.count.Add(1)%maxUncollected == 0 || s.successUrgent() {
		s.post(message{op: opTick})
	}
}

// collect ends the calls on the list.
func (o *owner) collect(now time.Duration) {
	for c := o.s.successes.list.take(); c != nil; {
		next := c.runner.after
		c.runner.after, c.runner.runnerDone = nil, true
		o.core.Finish(now, &c.Call, nil, retry.Verdict{})
		c = next
	}
}

// collectUrgent sets whether the owner has to be told of each success. If so, it first collects
// the calls on the list.
func (o *owner) collectUrgent(now time.Duration) {
	urgent := o.core.Draining || o.core.MaxInFlight > 0 || len(o.idles) > 0
	if urgent != o.s.successes.urgent.Load() {
		o.s.successes.urgent.Store(urgent)
		if urgent {
			o.collect(now)
		}
	}
}

// want looks up which events are subscribed to. A new subscription has no events of calls that
// succeeded before it was made.
func (o *owner) want(now time.Duration) {
	wanted := o.s.hub.Wanted()
	if wanted.Has(events.Succeeded) && !o.core.Wanted.Has(events.Succeeded) {
		o.core.Wanted = wanted &^ events.Of(events.Succeeded)
		o.collect(now)
	}
	o.core.Wanted = wanted
}
