package scheduler

import (
	"context"
	"sync/atomic"
	"time"

	"example.com/fairlead/scheduler/internal/core"
)

// call is one piece of work. It belongs to one goroutine at a time. The runner hands it to the
// owner with the message that submits it or that reports an attempt. The owner hands it back with
// the grant. Both use channels, which order all access. From its submission to its end the core's part
// belongs to the owner throughout, but a runner that has the call may read some of it.
type call struct {
	core.Call // Work is the *Handle of submitted work, or the *call itself of a Do

	// Set before the call is sent to the owner, and not changed after.
	ctx context.Context
	fn  func(context.Context) error

	stopped atomic.Uint32 // a value of type stopped, of the handle; here it fills a gap
	made    int32         // attempts started, by the runner's count

	runner *runner // nil for submitted work, unless it needs one
}

// runner has the fields of a call that only the goroutine that runs it needs, and not the core.
type runner struct {
	options *options // nil if there are none

	reply  chan reply      // of Do; nil if no caller waits
	done   <-chan struct{} // closed when the caller's context is done; nil if it never is
	after  *call           // the call that was put on the list of successes before it
	permit permit          // from the fast path; without a lease if the owner knows the call
	began  time.Duration   // when it got its permit; 0: not known
	slot   *fastSlot       // where the owner looks for a call of the fast path of which it was not told; nil if it has never had one

	fast       bool // of Do, and the fast path could have served it
	pinned     bool // the core may look at it after its end, so it is not used again
	runnerDone bool // its runner knows the outcome, so no reply is sent
}

// callOf returns the call of which c is the core's part.
func callOf(c *core.Call) *call {
	switch work := c.Work.(type) {
	case *Handle:
		return &work.call
	case *call:
		return work
	}
	return nil
}

// newCall returns a call of Do.
func newCall() *call {
	c := &call{runner: &runner{reply: make(chan reply, maxReplies)}}
	c.Work = c
	c.recycled()
	return c
}

// handle returns the handle of submitted work, or nil for a call of Do, which may be used again when
// it has ended.
func (c *call) handle() *Handle {
	h, _ := c.Work.(*Handle)
	return h
}

// doneWith notes that the runner does not wait for the end of the call.
func (c *call) doneWith() {
	if c.runner != nil {
		c.runner.runnerDone = true
	}
}

// ensureRunner returns the runner's part of a call, and makes it if there is none.
func (c *call) ensureRunner() *runner {
	if c.runner == nil {
		c.runner = new(runner)
	}
	return c.runner
}
