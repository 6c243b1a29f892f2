package scheduler

import "sync/atomic"

// callStack is a lock-free list of calls of Do. Any goroutine may push, and the owner takes all at once.
type callStack struct {
	latest atomic.Pointer[call] // linked by runner.after
}

// push puts a call on the list. The call belongs to the owner from then on.
func (s *callStack) push(c *call) {
	for {
		latest := s.latest.Load()
		c.runner.after = latest
		if s.latest.CompareAndSwap(latest, c) {
			return
		}
	}
}

func (s *callStack) empty() bool { return s.latest.Load() == nil }

// take empties the list and returns its latest call, or nil.
func (s *callStack) take() *call {
	if s.empty() { // cheaper than to write
		return nil
	}
	return s.latest.Swap(nil)
}

// takeReversed empties the list, puts it in the order in which the calls came, and returns the first, or nil.
func (s *callStack) takeReversed() (first *call) {
	for c := s.take(); c != nil; {
		next := c.runner.after
		c.runner.after = first
		first, c = c, next
	}
	return first
}
