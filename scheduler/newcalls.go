package scheduler

import (
	"math"
	"sync/atomic"
	"time"
)

// newCalls has the calls of Do that come while a crowd is queued. Such a call need not wake the owner,
// which has nothing to grant until its timer goes off. So it is put on a list, and no message is sent.
// Thousands of goroutines that come at once then don't take turns with the owner, one by one.
//
// The owner takes the calls in, in the order in which they came, before it handles any message but a submit,
// and at the end of its turn. A submit is older than all of them: see sendNew.
type newCalls struct {
	due  atomic.Int64 // from then on a new call wakes the owner, in ns since origin; 0 if each call needs a message
	_    [56]byte     // keeps other fields out of the cache line
	list callStack
	_    [56]byte
}

// sendNew hands a new call of Do to the owner. It returns false, as post does, if the scheduler is closed.
// A call that comes while messages are in the inbox goes there, too, so that it stays behind a Submit.
func (s *Scheduler) sendNew(c *call) bool {
	if s.newCalls.due.Load() == 0 || c.mayStartAtOnce() || len(s.inbox) > 0 {
		return s.post(message{op: opSubmit, call: c})
	}
	if !s.listNew(c) {
		return false
	}
	// The timer may be set for later, and a processor that is busy with other goroutines is late to run it.
	due := s.newCalls.due.Load()
	if due == 0 || int64(s.read()) >= due && s.newCalls.due.CompareAndSwap(due, math.MaxInt64) {
		s.post(message{op: opTick})
	}
	return true
}

// mayStartAtOnce reports whether a call may be granted or refused although a crowd is queued.
func (c *call) mayStartAtOnce() bool {
	return c.Options().Priority > 0 || c.Options().MaxWait != 0 || c.HasKey() || c.IsResumed()
}

// listNew puts a call on the list. The gate ensures that the owner takes it in before it ends.
func (s *Scheduler) listNew(c *call) bool {
	s.gate.RLock()
	defer s.gate.RUnlock()
	if !s.closed {
		s.newCalls.list.push(c)
	}
	return !s.closed
}

// takeNew takes in the calls on the list. It is inlined, since most often there are none.
func (o *owner) takeNew(now time.Duration) {
	if !o.s.newCalls.list.empty() {
		o.submitNew(now)
	}
}

func (o *owner) submitNew(now time.Duration) {
	for c := o.s.newCalls.list.takeReversed(); c != nil; {
		next := c.runner.after
		c.runner.after = nil
		o.handle(now, message{op: opSubmit, call: c})
		c = next
	}
}

// arrivalSlack is how late the owner may be before a new call wakes it. It is shorter than crowdSlack, since
// in a closed loop the callers that were granted come again, and soon all of them would be on the list.
const arrivalSlack = 50 * time.Microsecond

// setListing sets whether new calls may be put on the list. They may while a crowd is queued whose
// next wake-up is so near that the timer may be late: see latest. With keys they may not, since a call of
// one key need not wait for the crowd of another. To end the listing, the owner first takes in the calls
// that are on the list, since none of them will wake it.
func (o *owner) setListing(now time.Duration) {
	if o.core.Queued() < crowd && o.s.newCalls.due.Load() == 0 {
		return
	}
	wake, due := o.core.Wake(), time.Duration(0)
	if o.latest(wake) > wake && o.core.MaxQueued == 0 && !o.core.Keyed() {
		due = wake + arrivalSlack
	}
	o.s.newCalls.due.Store(int64(due))
	if due == 0 {
		o.takeNew(now)
		o.core.Advance(now)
		o.movePlaces(now) // these may have ended or dropped others
	}
}
