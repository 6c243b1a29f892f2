package scheduler

import (
	"context"
	"runtime/debug"
	"sync"

	"example.com/fairlead/bucket"
)

// Handle is a call that was handed in with [Scheduler.Submit]. Its methods may be
// called from any goroutine.
type Handle struct {
	call call
	s    *Scheduler
	done chan struct{}

	notify  func(err error, attempts int) // Stream's; does not block
	unwatch func() bool                   // stops watching the context while the call waits

	mu     sync.Mutex
	stop   context.CancelCauseFunc // ends the context of the attempt that runs
	reason error                   // not nil: interrupted for this

	// Written before done is closed.
	err      error
	attempts int
}

// Submit hands in a call and returns at once. While the call waits it costs no
// goroutine and no timer; fn runs on a goroutine of the scheduler's. The context
// passed to fn is derived from ctx, and is cancelled by [Handle.Cancel] and by
// [Scheduler.Close].
//
// The error is not nil for what is wrong with the call itself, and if the scheduler
// is closed; everything later is the handle's. A panic in fn becomes a [PanicError],
// and runtime.Goexit becomes [ErrGoexit].
func (s *Scheduler) Submit(ctx context.Context, fn func(context.Context) error, opts ...Option) (*Handle, error) {
	return s.submit(ctx, fn, nil, opts)
}

func (s *Scheduler) submit(ctx context.Context, fn func(context.Context) error, notify func(error, int), opts []Option) (*Handle, error) {
	h := &Handle{s: s, done: make(chan struct{}), notify: notify}
	c := &h.call
	c.handle, c.deadline = h, bucket.Forever
	if err := s.prepare(c, ctx, fn, opts); err != nil {
		return nil, err
	}
	if c.watched {
		c.reply = make(chan reply, mostReplies)
	} else if ctx.Done() != nil {
		h.unwatch = context.AfterFunc(ctx, func() { h.cancel(causeOf(ctx)) })
	}
	if !s.post(message{op: opSubmit, call: c}) {
		h.release()
		return nil, ErrClosed
	}
	switch {
	case c.watched:
		go s.drive(h)
	case ctx.Err() != nil: // what watches it may have told the owner before we did, and in vain
		h.cancel(causeOf(ctx))
	}
	return h, nil
}

// drive runs a submitted call with a progress function on a goroutine of its own.
func (s *Scheduler) drive(h *Handle) {
	err := ErrGoexit
	defer func() { h.complete(err, h.call.made) }()
	err = s.run(&h.call)
}

// work makes one attempt of a submitted call. If it is to be retried, the owner
// starts a new goroutine for it when it is time.
func (s *Scheduler) work(c *call) {
	h := c.handle
	if cause := c.stopped(); cause != nil {
		h.release()
		h.complete(s.abandon(c, cause), c.made)
		return
	}
	err, over := ErrGoexit, true
	defer func() {
		if over {
			s.post(message{op: opDone, call: c, err: err})
			h.release()
			h.complete(err, c.made)
		}
	}()
	v, outcome := s.attempt(c)
	if err = outcome; v.Retryable() {
		err = s.failed(c, outcome, v)
		over = err != nil // or else the call is the owner's again
	}
}

// invoke runs the function once, on a context that can be cancelled.
func (h *Handle) invoke() (err error) {
	ctx, stop := context.WithCancelCause(h.call.ctx)
	defer stop(nil)
	h.mu.Lock()
	h.stop = stop
	if h.reason != nil {
		stop(h.reason)
	}
	h.mu.Unlock()
	defer func() {
		if p := recover(); p != nil {
			err = &PanicError{In: "function", Value: p, Stack: debug.Stack()}
		}
	}()
	return h.call.fn(ctx)
}

// interrupt cancels the context of the attempt that runs, and of later ones.
func (h *Handle) interrupt(reason error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.reason == nil {
		h.reason = reason
	}
	if h.stop != nil {
		h.stop(h.reason)
	}
}

// interrupted is what the handle was interrupted for, or nil.
func (h *Handle) interrupted() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.reason
}

func (h *Handle) cancel(cause error) {
	h.s.post(message{op: opCancel, call: &h.call, err: cause})
}

// complete makes the outcome known. It is called once.
func (h *Handle) complete(err error, attempts int) {
	h.err, h.attempts = err, attempts
	close(h.done)
	if h.notify != nil {
		h.notify(err, attempts)
	}
}

func (h *Handle) release() {
	if h.unwatch != nil {
		h.unwatch()
	}
}

// Done returns a channel that is closed when the call has ended.
func (h *Handle) Done() <-chan struct{} { return h.done }

// Err returns what the call ended with: the same as [Scheduler.Do] would have. Until
// the call has ended, it is [ErrPending].
func (h *Handle) Err() error {
	select {
	case <-h.done:
		return h.err
	default:
		return ErrPending
	}
}

// Attempts returns how many attempts were made; 0 while the call has not ended.
func (h *Handle) Attempts() int {
	select {
	case <-h.done:
		return h.attempts
	default:
		return 0
	}
}

// Cancel ends the call if it waits: its place and any tokens are given back, and it
// ends with [ErrCancelled], which is [context.Canceled]. If its function runs, that
// function's context is cancelled, and the call ends as the function does: a success
// stays a success. Cancel does not wait, and does nothing to a call that has ended.
func (h *Handle) Cancel() {
	h.interrupt(ErrCancelled)
	h.cancel(ErrCancelled)
}
