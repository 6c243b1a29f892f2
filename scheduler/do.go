package scheduler

import (
	"context"

	"example.com/fairlead/bucket"
	"example.com/fairlead/events"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler/internal/core"
)

// Do waits for its turn, pays the call's cost, runs fn on the calling goroutine and returns fn's
// error. If the classifier finds the error retryable, Do backs off, pays again and calls fn
// again. The default classifier does so only for errors that are marked, such as by
// [retry.Transient]: see [Config.Classify]. Any other error is returned at once.
//
// Besides fn's own errors it returns
//   - a [retry.ExhaustedError] or [retry.WaitTooLongError] when no retry is left;
//   - the context's error, joined with the last attempt's, when ctx is done while the call waits,
//     or at once, as a [DeadlineError], when ctx would be done before its turn;
//   - a [QueueFullError], a [WouldWaitError] or a [TooManyKeysError], as [Config.Overflow], [MaxWait]
//     and [PerKey.MaxKeys] say;
//   - a [bucket.CostError] for a cost that can never be granted, [ErrNoBudget], [ErrClosed], and
//     other errors for invalid arguments;
//   - a [PanicError] if the classifier panics;
//   - a [DeadlockError] for a call made inside another that could never get a slot: see
//     [Config.MaxInFlight].
//
// A panic in fn passes through Do to its caller, and so does runtime.Goexit.
func (s *Scheduler) Do(ctx context.Context, fn func(context.Context) error, opts ...Option) error {
	if len(opts) == 0 && ctx != nil && fn != nil && !s.timesFirst && ctx.Err() == nil {
		if w, l := s.fast.take(1); l != nil {
			returned := false
			defer func() {
				if !returned { // fn panicked or called Goexit
					s.unwoundFast(l, w)
				}
			}()
			var err error
			if s.attemptTimeout == 0 {
				err = fn(ctx)
			} else {
				err = s.inTime(ctx, s.attemptTimeout, fn)
			}
			returned = true
			if err != nil {
				return s.failedFast(ctx, fn, l, w, err)
			}
			if l.release() {
				s.doneFast(l, w)
			}
			return nil
		}
	}
	c, at, err := s.begin(ctx, fn, opts)
	if c == nil {
		return err
	}
	return s.run(c, at)
}

// Value calls [Scheduler.Do] for a function with a result, and returns the result of the last
// attempt, whether or not it failed. As with Do, an error that is not marked is not retried.
func Value[T any](ctx context.Context, s *Scheduler, fn func(context.Context) (T, error), opts ...Option) (T, error) {
	var v T
	if fn == nil {
		return v, errNilFunc
	}
	err := s.Do(ctx, func(ctx context.Context) error {
		var err error
		v, err = fn(ctx)
		return err
	}, opts...)
	return v, err
}

// begin makes a call for Do and starts it by the fast path, or else sends it to the owner. It is
// a function of its own, so that its frame is not on the stack of a call that waits.
func (s *Scheduler) begin(ctx context.Context, fn func(context.Context) error, opts []Option) (*call, stage, error) {
	s.mustBeMade()
	c := s.calls.Get().(*call)
	if err := s.prepare(c, ctx, fn, opts); err != nil {
		s.recycle(c)
		return nil, over, err
	}
	c.runner.fast = c.Cost > 0 && !c.Options().Several && !c.ArrivesLater() && !c.HasKey() && !c.IsResumed()
	if c.runner.fast && (len(opts) > 0 || s.timesFirst) && s.startFast(c) {
		c.made = 1
		return c, attempting, nil
	}
	s.nest(c, ctx)
	if !s.sendNew(c) {
		return nil, over, ErrClosed
	}
	return c, waiting, nil
}

// startFast pays for a call by the fast path, if that is open, and puts it into a slot.
func (s *Scheduler) startFast(c *call) bool {
	if s.fast.capped() {
		s.nest(c, c.ctx)
	}
	if c.runner.slot == nil {
		c.runner.slot = s.fastSlots.add()
	}
	if s.policyOf(c).MaxElapsed > 0 {
		c.runner.began = s.clock.Now().Sub(s.origin)
	}
	c.runner.slot.mu.Lock() // the owner sees both the payment and the call, or neither
	defer c.runner.slot.mu.Unlock()
	w, l := s.fast.take(uint64(c.Cost))
	if l == nil {
		return false
	}
	c.runner.permit, c.runner.slot.call = l.permit(w), c
	return true
}

// policyOf returns the retry policy of a call of Do.
func (s *Scheduler) policyOf(c *call) *retry.Policy {
	if o := c.runner.options; o != nil && o.policySet {
		return &o.policy
	}
	return &s.retry
}

// failedFast hands a call without options to the owner after its first attempt has failed, and
// goes on as with any other.
func (s *Scheduler) failedFast(ctx context.Context, fn func(context.Context) error, l *lease, w uint64, err error) error {
	c := s.newFast(ctx, fn, l.permit(w))
	v, err := s.judge(c, err)
	if !v.Retryable() {
		s.finished(c, err)
		return err
	}
	s.setVerdict(c, v)
	if failed := s.handBack(c, err); failed != nil {
		return failed
	}
	return s.run(c, waiting)
}

// newFast returns the call of a Do without options that has paid and was started.
func (s *Scheduler) newFast(ctx context.Context, fn func(context.Context) error, got permit) *call {
	c := s.bareFast(got)
	s.fill(c, guarded{ctx}, fn) // a panic in fill would lose the slot
	c.ctx = ctx
	s.nest(c, guarded{ctx})
	return c
}

// bareFast returns that call without its context and function.
func (s *Scheduler) bareFast(got permit) *call {
	c := s.calls.Get().(*call)
	c.Cost = 1
	c.runner.permit, c.made = got, 1
	return c
}

// doneFast tells the owner that a call without options has succeeded. It is not inlined, and neither
// is unwoundFast, so that Do has a small frame: each goroutine that waits has it on its stack.
//
//go:noinline
func (s *Scheduler) doneFast(l *lease, w uint64) {
	s.post(message{op: opFastDone, call: s.bareFast(l.permit(w))})
}

// unwoundFast tells the owner that the function of a call without options panicked or called Goexit.
//
//go:noinline
func (s *Scheduler) unwoundFast(l *lease, w uint64) {
	s.finished(s.bareFast(l.permit(w)), errNoReturn)
}

// stage says how far the runner of a call has come.
type stage uint8

const (
	waiting    stage = iota // waits for the owner's reply
	granted                 // the call has paid
	attempting              // its function runs or is about to
	over
)

// run runs a call on this goroutine until it has ended. From a message to the owner until the
// reply, the call belongs to the owner.
func (s *Scheduler) run(c *call, at stage) error {
	defer func() { // at is over unless user code panicked or called Goexit
		switch at {
		case waiting:
			s.cancelWaiting(c, noReturn(c))
		case granted:
			_ = s.abandon(c, noReturn(c))
		case attempting:
			s.finished(c, noReturn(c))
		}
	}()
	for {
		if at == waiting {
			if err, ended := s.await(c); ended {
				at = over
				return err
			}
			at = granted
			if cause := c.unwanted(); cause != nil { // select chose the grant although ctx was done, too
				at = over
				return s.abandon(c, cause)
			}
			at = attempting
			s.started(c)
		}
		again, err := s.runAttempt(c)
		if !again {
			at = over
			s.over(c, err)
			return err
		}
		at = waiting
		if failed := s.handBack(c, err); failed != nil {
			at = over
			return failed
		}
	}
}

// await waits until a call is granted, or has ended without a grant.
func (s *Scheduler) await(c *call) (err error, ended bool) {
	for {
		var r reply
		if c.runner.done == nil {
			r = <-c.runner.reply
		} else {
			select {
			case r = <-c.runner.reply:
			case <-c.runner.done:
				return s.cancelWaiting(c, causeOf(c.ctx)), true
			}
		}
		switch r.kind {
		case replyEnded:
			err := c.Err()
			s.recycle(c)
			return err, true
		case replyUpdate:
			c.callProgress(r.event)
		case replyGranted:
			return nil, false
		}
	}
}

// cancelWaiting ends a call that waits. If it has been granted meanwhile, its tokens are
// refunded. The call is not used again, since the owner may not have handled the message yet.
func (s *Scheduler) cancelWaiting(c *call, cause error) error {
	s.post(message{op: opCancel, call: c, err: cause})
	for {
		switch r := <-c.runner.reply; r.kind {
		case replyEnded:
			return c.Err()
		case replyGranted:
			return s.abandon(c, cause)
		}
	}
}

// abandon ends a granted call before its function starts. The owner refunds its tokens.
func (s *Scheduler) abandon(c *call, cause error) error {
	err := publicError(core.EndEarly(core.Early{Cause: cause}, &c.Call))
	if !s.post(message{op: opAbandon, call: c, err: cause}) {
		c.completeWithoutOwner(err)
	}
	return err
}

// finished reports the outcome of a call's last attempt. A success of which the owner need not hear at
// once ends on the fast path or on the list of successes.
func (s *Scheduler) finished(c *call, err error) {
	if err == nil && c.slot() != nil && s.succeededFast(c) {
		return
	}
	if err == nil && s.collectable(c) {
		s.putSuccess(c)
		return
	}
	c.claim()
	if !s.post(message{op: opDone, call: c, err: err}) {
		c.completeWithoutOwner(err)
	}
}

// succeededFast ends a call with options that has succeeded, unless the owner knows it.
func (s *Scheduler) succeededFast(c *call) bool {
	c.runner.slot.mu.Lock()
	unknown, notify := c.runner.slot.call == c && !c.runner.slot.claimed, false
	if unknown {
		c.runner.slot.call = nil
		notify = c.runner.permit.lease.release()
	}
	c.runner.slot.mu.Unlock()
	switch {
	case !unknown:
		return false
	case notify:
		s.post(message{op: opFastDone, call: c})
	default:
		s.recycle(c)
	}
	return true
}

// noReturn returns the error of a call whose function panicked or called Goexit.
func noReturn(c *call) error {
	if c.handle() != nil {
		return ErrGoexit
	}
	return errNoReturn
}

// handBack hands a failed call back to the owner, to be retried or ended. If the scheduler is
// closed, it ends the call and returns its error.
func (s *Scheduler) handBack(c *call, err error) error {
	if c.claim() {
		s.nest(c, guarded{c.ctx})
	}
	if s.post(message{op: opFailed, call: c, err: err}) {
		return nil
	}
	closed := &endedError{reason: ErrClosed, attempts: int(c.made), last: err}
	c.completeWithoutOwner(closed)
	return closed
}

// completeWithoutOwner completes the handle of a call, if it has one, after the owner has ended.
func (c *call) completeWithoutOwner(err error) {
	if h := c.handle(); h != nil {
		<-h.s.done // the runner now has what belonged to the owner
		c.EndAlone(h.s.clock.Now().Sub(h.s.origin), int(c.made), err)
		h.complete()
	}
}

// unwanted returns why a granted call should not be started, or nil.
func (c *call) unwanted() error {
	h := c.handle()
	if h == nil {
		select {
		case <-c.runner.done:
			return causeOf(c.ctx)
		default:
			return nil
		}
	}
	if err := errOf(c.ctx); err != nil {
		return causeOf(c.ctx)
	}
	return h.interrupted()
}

// callProgress calls the user's progress function.
func (c *call) callProgress(ev *events.Event) {
	defer func() { _ = recover() }() // a panic of it is no reason to fail
	c.runner.options.progress(progressOf(ev))
}

// recycle makes a call of Do ready for the next Do.
func (s *Scheduler) recycle(c *call) {
	if c.handle() == nil && !c.runner.pinned {
		c.recycled()
		s.calls.Put(c)
	}
}

// recycled makes the call new, and keeps its memory.
func (c *call) recycled() {
	r := c.runner
	if o := r.options; o != nil {
		clear(o.costsOf)
		*o = options{costsOf: o.costsOf[:0]}
	}
	*r = runner{reply: r.reply, options: r.options, slot: r.slot}
	c.Reset()
	c.Deadline, c.ctx, c.fn, c.made = bucket.Forever, nil, nil, 0
}
