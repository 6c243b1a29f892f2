package scheduler

import (
	"context"
	"sync/atomic"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/events"
)

// Handle is a call that was submitted with [Scheduler.Submit]. Its methods may be called from any
// goroutine.
type Handle struct {
	call call
	s    *Scheduler
	done atomic.Pointer[chan struct{}] // nil until it is asked for; s.closedCh when the call has ended

	current atomic.Pointer[attempt] // the running attempt

	*handleExtras // nil if there are none
}

// handleExtras has the fields that few handles need. They are set before the call is sent to the
// owner.
type handleExtras struct {
	notify    func(*Handle) // of Stream and OnEnd; called when the call has ended; does not block
	stopWatch func() bool   // stops watching the context of a waiting call
	admit     chan error    // Submit waits here until the call is admitted
	reserved  *Reservation  // of Reserve: the latest attempt; after the post the owner's
}

// stopped says why a handle was interrupted.
type stopped uint32

const (
	notStopped stopped = iota
	stoppedByCancel
	stoppedByClose
)

func (s stopped) err() error {
	switch s {
	case stoppedByCancel:
		return ErrCanceled
	case stoppedByClose:
		return ErrClosed
	}
	return nil
}

// Submit queues a call and returns at once. While the call waits it costs no goroutine and no
// timer. fn runs on a goroutine of the scheduler. Its context is derived from ctx. It ends when fn
// returns, and by [Handle.Cancel] and [Scheduler.Close]. So work that fn submits in turn is canceled
// unless it has another context, such as ctx or one of [context.WithoutCancel]. As with
// [Scheduler.Do], an error that is not marked is not retried.
//
// Submit returns an error if the call is invalid or the scheduler is closed. All later errors are
// in the handle. With [Config.MaxQueued], [NoWait] or [MaxWait], Submit waits until the call is admitted,
// and returns an error if it is refused. A panic in fn becomes a [PanicError], and runtime.Goexit
// becomes [ErrGoexit].
func (s *Scheduler) Submit(ctx context.Context, fn func(context.Context) error, opts ...Option) (*Handle, error) {
	return s.submit(ctx, fn, nil, nil, opts)
}

func (s *Scheduler) submit(ctx context.Context, fn func(context.Context) error, notify func(*Handle), p *places, opts []Option) (*Handle, error) {
	h := &Handle{s: s}
	if notify != nil {
		h.extras().notify = notify
	}
	if err := s.prepare(h.init(), ctx, fn, opts); err != nil {
		return nil, err
	}
	if notify != nil {
		s.nest(&h.call, ctx) // the loop over Stream's results waits for the call
	}
	if p != nil {
		s.placed.Store(true)
		h.call.SetGate(p)
	}
	return h.send()
}

// init returns the handle's call, to be prepared.
func (h *Handle) init() *call {
	h.call.Work, h.call.Deadline = h, bucket.Forever
	return &h.call
}

// extras returns the handle's extras, and makes them if there are none.
func (h *Handle) extras() *handleExtras {
	if h.handleExtras == nil {
		h.handleExtras = new(handleExtras)
	}
	return h.handleExtras
}

// send sends the prepared call to the owner.
func (h *Handle) send() (*Handle, error) {
	s, c, ctx := h.s, &h.call, h.call.ctx
	watched := c.Watched
	if watched {
		c.runner.reply, c.runner.done = make(chan reply, maxReplies), guarded{ctx}.Done()
	} else if ctx.Done() != nil {
		h.extras().stopWatch = context.AfterFunc(guardContext(ctx), func() { h.cancel(causeOf(ctx)) })
	}
	wantsAdmission := c.Options().MaxWait != 0 || s.bounded.Load()
	if wantsAdmission {
		h.extras().admit, c.WantsAdmission = make(chan error, 1), true
	}
	if !s.post(message{op: opSubmit, call: c}) {
		h.stopWatching()
		return nil, ErrClosed
	}
	switch {
	case watched:
		go s.run(c, waiting)
	case errOf(ctx) != nil: // the watcher may have run before the post, in vain
		h.cancel(causeOf(ctx))
	}
	if wantsAdmission {
		if err := <-h.admit; err != nil {
			return nil, err
		}
	}
	return h, nil
}

// interrupt cancels the contexts of the running attempt and of later ones.
func (h *Handle) interrupt(reason stopped) {
	h.call.stopped.CompareAndSwap(uint32(notStopped), uint32(reason))
	if ctx := h.current.Load(); ctx != nil {
		ctx.cancel(h.interrupted())
	}
}

// interrupted returns why the handle was interrupted, or nil.
func (h *Handle) interrupted() error { return stopped(h.call.stopped.Load()).err() }

func (h *Handle) cancel(cause error) {
	h.s.post(message{op: opCancel, call: &h.call, err: cause})
}

// grant wakes the holder of a reservation that is granted.
func (h *Handle) grant() {
	h.reserved.granted = true
	close(h.reserved.ready)
}

// complete publishes the outcome. It is called once, by the owner, or by the call's runner if
// there is no owner any more.
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

// stopWatching stops watching the context, so that the owner need not.
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

// Err returns the call's error, as [Scheduler.Do] would. While the call has not ended, it returns
// [ErrPending].
func (h *Handle) Err() error {
	if !h.ended() {
		return ErrPending
	}
	return h.call.Err()
}

// Wait waits until the call has ended, and returns its error. If ctx is done before, it returns an error that
// is both [ErrPending] and that of ctx, for errors.Is. The call goes on.
func (h *Handle) Wait(ctx context.Context) error {
	if ctx == nil {
		return errNilContext
	}
	select {
	case <-h.Done():
	case <-ctx.Done():
		if !h.ended() {
			return &pendingError{causeOf(ctx)}
		}
	}
	return h.call.Err()
}

// Call returns the call's number, which its events have, too. It is 0 for a call that was refused.
func (h *Handle) Call() uint64 {
	if h.ended() || h.current.Load() != nil { // the owner has written the number before
		return h.call.ID
	}
	id, ok := ask(h.s, func(*owner, time.Duration) uint64 { return h.call.ID })
	if !ok { // there is no owner any more
		return h.call.ID
	}
	return id
}

// Attempts returns how many attempts were made, or 0 while the call has not ended.
func (h *Handle) Attempts() int {
	if !h.ended() {
		return 0
	}
	return h.call.AttemptsMade()
}

// Times returns how the call spent its time. They are zero while it has not ended.
func (h *Handle) Times() events.Times {
	if !h.ended() {
		return events.Times{}
	}
	return h.call.Times()
}

// Estimate returns the call's place in the queue and when it is expected to start. It is zero for
// a call that runs or has ended.
func (h *Handle) Estimate() Estimate {
	est, _ := ask(h.s, func(o *owner, now time.Duration) Estimate {
		return o.estimate(o.core.EstimateOf(now, &h.call.Call))
	})
	return est
}

// SetPriority changes the call's [Priority]. The call keeps its arrival, so it ranks as if it had
// arrived with priority p. If it is queued, it moves at once, and it ends with a [DeadlineError] if
// its turn is now expected after its deadline. Otherwise p counts when the call is next queued.
// SetPriority does nothing to a call that has ended, and fails only with [ErrClosed].
func (h *Handle) SetPriority(p int) error {
	return h.s.control(func(o *owner, now time.Duration) error {
		o.core.SetPriority(now, &h.call.Call, p)
		return nil
	})
}

// Cancel ends the call with [ErrCanceled], which is [context.Canceled], if it waits. It gives up
// its place, and its tokens are refunded if it has just been granted. If the function runs, its
// context is canceled, and the call ends as the function does, so that a success stays a success.
// Cancel does not wait, and does nothing to a call that has ended.
func (h *Handle) Cancel() {
	h.interrupt(stoppedByCancel)
	h.cancel(ErrCanceled)
}
