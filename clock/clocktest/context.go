package clocktest

import (
	"context"
	"sync"
	"time"
)

// WithTimeout returns [Mock.WithDeadline] with a deadline d from now.
func (m *Mock) WithTimeout(parent context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return m.WithDeadline(parent, m.Now().Add(d))
}

// WithDeadline works like [context.WithDeadline] on the time of the mock. The context ends with
// DeadlineExceeded when the clock is moved to deadline. A context of package context would wait for
// real time, or for a bubble's.
//
// If parent has an earlier deadline, that one counts. When parent ends, a goroutine ends the context
// soon after, but not at the same instant.
func (m *Mock) WithDeadline(parent context.Context, deadline time.Time) (context.Context, context.CancelFunc) {
	if earlier, ok := parent.Deadline(); ok && !earlier.After(deadline) {
		return context.WithCancel(parent)
	}
	ctx := &deadlineContext{Context: parent, deadline: deadline, done: make(chan struct{})}
	if err := parent.Err(); err != nil {
		ctx.end(err)
		return ctx, func() {}
	}
	left := deadline.Sub(m.Now())
	if left <= 0 {
		ctx.end(context.DeadlineExceeded)
		return ctx, func() {}
	}
	timer := m.raw.AfterFunc(left, func() { ctx.end(context.DeadlineExceeded) })
	stop := context.AfterFunc(parent, func() {
		timer.Stop()
		ctx.end(parent.Err())
	})
	return ctx, func() {
		stop()
		timer.Stop()
		ctx.end(context.Canceled)
	}
}

// deadlineContext is like the context of benbjohnson's WithDeadline, but without its data race
// between Err and the end of the context.
type deadlineContext struct {
	context.Context // the parent, for its values
	deadline        time.Time
	done            chan struct{}

	mu  sync.Mutex
	err error // set before done is closed
}

func (c *deadlineContext) Deadline() (time.Time, bool) { return c.deadline, true }

func (c *deadlineContext) Done() <-chan struct{} { return c.done }

func (c *deadlineContext) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// end ends the context with err, unless it has ended already.
func (c *deadlineContext) end(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.err = err
		close(c.done)
	}
}
