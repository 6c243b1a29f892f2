package scheduler

import (
	"math"
	"sync/atomic"
	"time"
)

// arrivals has the calls of Do that come while a crowd is queued. Such a call need not wake the owner,
// which has nothing to grant until its timer goes off. So it is put on a list, and no message is sent.
// Thousands of goroutines that come at once then don't take turns with the owner, one by one.
//
// The owner takes the calls in before it handles any message, in the order in which they came.
type arrivals struct {
	due  atomic.Int64 // the owner's timer goes off by then, in ns since origin; 0 if each call needs a message
	_    [56]byte     // keeps other fields out of the cache line
	list callStack
	_    [56]byte
}

// arrive hands a new call of Do to the owner. It returns false, as post does, if the scheduler is closed.
func (s *Scheduler) arrive(c *call) bool {
	if s.arrivals.due.Load() == 0 || c.mayStartAtOnce() {
		return s.post(message{op: opSubmit, call: c})
	}
	if !s.putArrival(c) {
		return false
	}
	// A processor that is busy with other goroutines may be late to run the timer.
	due := s.arrivals.due.Load()
	if due == 0 || int64(s.read()) >= due && s.arrivals.due.CompareAndSwap(due, math.MaxInt64) {
		s.post(message{op: opTick})
	}
	return true
}

// mayStartAtOnce reports whether a call may be granted or refused although a crowd is queued.
func (c *call) mayStartAtOnce() bool { return c.Options().Priority > 0 || c.Options().NoWait }

// putArrival puts a call on the list. The gate ensures that the owner takes it in before it ends.
func (s *Scheduler) putArrival(c *call) bool {
	s.gate.RLock()
	defer s.gate.RUnlock()
	if !s.closed {
		s.arrivals.list.push(c)
	}
	return !s.closed
}

// takeArrivals takes in the calls on the list. It is inlined, since most often there are none.
func (o *owner) takeArrivals(now time.Duration) {
	if !o.s.arrivals.list.empty() {
		o.submitArrivals(now)
	}
}

func (o *owner) submitArrivals(now time.Duration) {
	for c := o.s.arrivals.list.takeReversed(); c != nil; {
		next := c.runner.after
		c.runner.after = nil
		o.handle(now, message{op: opSubmit, call: c})
		c = next
	}
}

// setArrivals sets whether new calls may be put on the list. They may while a crowd is queued whose
// next wake-up is so near that the timer may be late: see latest. If not, the owner first takes in
// those that were put there meanwhile, since none of them will wake it.
func (o *owner) setArrivals(now time.Duration) {
	if o.core.Queued() < crowd && o.s.arrivals.due.Load() == 0 {
		return
	}
	wake, due := o.core.Wake(), time.Duration(0)
	if latest := o.latest(wake); latest > wake && o.core.MaxQueued == 0 {
		due = latest
	}
	o.s.arrivals.due.Store(int64(due))
	if due == 0 {
		o.takeArrivals(now)
		o.core.Advance(now)
	}
}
