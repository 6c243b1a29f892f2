package scheduler

import (
	"context"
	"runtime/debug"
	"sync/atomic"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/events"
)

// Handle is a call that was handed in with [Scheduler.Submit]. Its methods may be
// called from any goroutine.
type Handle struct {
	call call
	s    *Scheduler
	done atomic.Pointer[chan struct{}] // nil until somebody wants it; s.over when the call has ended

	attempt atomic.Pointer[attemptContext] // the one that runs

	*handleExtras // nil if there are none
}

// handleExtras are what few handles have. They are set before the call is sent to the owner.
type handleExtras struct {
	notify    func(*Handle) // Stream's, when it has ended; does not block
	stopWatch func() bool   // stops watching the context while the call waits
	admit     chan error    // Submit waits to hear that the call is in
	reserved  *Reservation  // Reserve's: the latest attempt; from then on the owner's
}

// stopped says for what a handle was interrupted.
type stopped uint32

const (
	notStopped stopped = iota
	stoppedByCancel
	stoppedByClose
)

func (s stopped) err() error {
	switch s {
	case stoppedByCancel:
		return ErrCancelled
	case stoppedByClose:
		return ErrClosed
	}
	return nil
}

// Submit hands in a call and returns at once. While the call waits it costs no
// goroutine and no timer; fn runs on a goroutine of the scheduler's. The context
// passed to fn is derived from ctx, and is cancelled by [Handle.Cancel] and by
// [Scheduler.Close].
//
// The error is not nil for what is wrong with the call itself, and if the scheduler
// is closed; everything later is the handle's. With [Config.MaxQueued] or [NoWait],
// Submit waits until the call is in, if only for the owner's word, and returns an
// error if it is not let in. A panic in fn becomes a [PanicError], and runtime.Goexit becomes
// [ErrGoexit].
func (s *Scheduler) Submit(ctx context.Context, fn func(context.Context) error, opts ...Option) (*Handle, error) {
	return s.submit(ctx, fn, nil, opts)
}

func (s *Scheduler) submit(ctx context.Context, fn func(context.Context) error, notify func(*Handle), opts []Option) (*Handle, error) {
	h := &Handle{s: s}
	if notify != nil {
		h.extras().notify = notify
	}
	if err := s.prepare(h.init(), ctx, fn, opts); err != nil {
		return nil, err
	}
	if notify != nil {
		s.nest(&h.call, ctx) // the loop over Stream's results waits for it
	}
	return h.send()
}

// init returns the handle's call, to be prepared.
func (h *Handle) init() *call {
	h.call.handle, h.call.deadline = h, bucket.Forever
	return &h.call
}

// extras returns the handle's hooks, to be set.
func (h *Handle) extras() *handleExtras {
	if h.handleExtras == nil {
		h.handleExtras = new(handleExtras)
	}
	return h.handleExtras
}

// isReserved reports whether it is a reservation's.
func (h *Handle) isReserved() bool { return h.handleExtras != nil && h.reserved != nil }

// send hands in the prepared call.
func (h *Handle) send() (*Handle, error) {
	s, c, ctx := h.s, &h.call, h.call.ctx
	watched := c.watched
	if watched {
		c.reply, c.done = make(chan reply, maxReplies), guarded{ctx}.Done()
	} else if ctx.Done() != nil {
		h.extras().stopWatch = context.AfterFunc(guardContext(ctx), func() { h.cancel(causeOf(ctx)) })
	}
	wantsAdmission := c.noWait || s.bounded.Load()
	if wantsAdmission {
		h.extras().admit, c.wantsAdmission = make(chan error, 1), true
	}
	if !s.post(message{op: opSubmit, call: c}) {
		h.stopWatching()
		return nil, ErrClosed
	}
	switch {
	case watched:
		go s.run(c, waiting)
	case errOf(ctx) != nil: // the watcher may have told the owner before the post, in vain
		h.cancel(causeOf(ctx))
	}
	if wantsAdmission {
		if err := <-h.admit; err != nil {
			return nil, err
		}
	}
	return h, nil
}

// work makes one attempt of a submitted call. If it is to be retried, the owner
// has a worker take it again when it is time. It counts as free again when it is back.
func (s *Scheduler) work(c *call) {
	returned := false
	defer func() {
		if !returned { // the worker exits: it is not free any more
			s.finished(c, ErrGoexit)
		}
	}()
	if cause := c.unwanted(); cause != nil {
		returned = true
		s.workers.back()
		s.abandon(c, cause)
		return
	}
	s.started(c)
	v, err := s.attempt(c)
	returned = true
	s.workers.back()
	if v.Retryable() {
		_ = s.handBack(c, err, v) // the handle has it
	} else {
		c.handle.stopWatching()
		s.finished(c, err)
	}
}

// invoke runs the function once, on a context that can be cancelled.
func (h *Handle) invoke() (err error) {
	ctx := &attemptContext{Context: h.call.ctx}
	ctx.attempt.s, ctx.attempt.call, ctx.attempt.number = h.s, &h.call, int(h.call.made)
	h.attempt.Store(ctx)
	if reason := h.interrupted(); reason != nil { // by somebody who did not see the attempt
		ctx.cancel(reason)
	}
	defer func() {
		ctx.end()
		h.attempt.Store(nil)
		if p := recover(); p != nil {
			err = &PanicError{In: "function", Value: p, Stack: debug.Stack()}
		}
	}()
	return h.call.fn(ctx)
}

// interrupt cancels the context of the attempt that runs, and of later ones.
func (h *Handle) interrupt(reason stopped) {
	h.call.stopped.CompareAndSwap(uint32(notStopped), uint32(reason))
	if ctx := h.attempt.Load(); ctx != nil {
		ctx.cancel(h.interrupted())
	}
}

// interrupted is what the handle was interrupted for, or nil.
func (h *Handle) interrupted() error { return stopped(h.call.stopped.Load()).err() }

func (h *Handle) cancel(cause error) {
	h.s.post(message{op: opCancel, call: &h.call, err: cause})
}

// grant tells whoever holds a reservation that it is granted.
func (h *Handle) grant() {
	h.reserved.granted = true
	close(h.reserved.ready)
}

// complete makes the outcome known. It is called once: by the owner, or when there is
// no owner any more by whoever has the call.
func (h *Handle) complete() {
	if done := h.done.Swap(&h.s.closedCh); done != nil {
		close(*done)
	}
	if h.handleExtras == nil {
		return
	}
	if r := h.reserved; r != nil && !r.granted {
		close(r.ready)
	}
	if h.notify != nil {
		h.notify(h)
	}
}

func (h *Handle) ended() bool { return h.done.Load() == &h.s.closedCh }

// stopWatching stops watching the context. The owner then need not.
func (h *Handle) stopWatching() {
	if h.handleExtras != nil && h.stopWatch != nil {
		h.stopWatch()
		h.stopWatch = nil
	}
}

// Done returns a channel that is closed when the call has ended.
func (h *Handle) Done() <-chan struct{} {
	if done := h.done.Load(); done != nil {
		return *done
	}
	done := make(chan struct{})
	if h.done.CompareAndSwap(nil, &done) {
		return done
	}
	return *h.done.Load()
}

// Err returns what the call ended with: the same as [Scheduler.Do] would have. Until
// the call has ended, it is [ErrPending].
func (h *Handle) Err() error {
	if !h.ended() {
		return ErrPending
	}
	return h.call.err
}

// Attempts returns how many attempts were made; 0 while the call has not ended.
func (h *Handle) Attempts() int {
	if !h.ended() {
		return 0
	}
	return h.call.attempt
}

// Times returns what the call has spent its time on; zero while it has not ended.
func (h *Handle) Times() events.Times {
	if !h.ended() {
		return events.Times{}
	}
	return h.call.times()
}

// Estimate returns the call's place in the queue and when it is expected to start. It
// is zero for a call that runs or has ended.
func (h *Handle) Estimate() Estimate {
	est, _ := ask(h.s, func(o *owner, now time.Duration) Estimate { return o.core.estimateOf(now, &h.call) })
	return est
}

// Cancel ends the call if it waits: its place and any tokens are given back, and it
// ends with [ErrCancelled], which is [context.Canceled]. If its function runs, that
// function's context is cancelled, and the call ends as the function does: a success
// stays a success. Cancel does not wait, and does nothing to a call that has ended.
func (h *Handle) Cancel() {
	h.interrupt(stoppedByCancel)
	h.cancel(ErrCancelled)
}
