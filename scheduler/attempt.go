package scheduler

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"example.com/fairlead/events"
	"example.com/fairlead/retry"
)

// started notes that a granted call's function is about to run.
func (s *Scheduler) started(c *call) {
	c.made++
	if s.hub.Wanted().Has(events.Started) {
		s.post(message{op: opStarted, call: c})
	}
}

// runAttempt runs the function once and judges its outcome. It reports whether the call is to be
// retried.
func (s *Scheduler) runAttempt(c *call) (again bool, err error) {
	if d := s.timeoutOf(c); d > 0 {
		err = s.inTime(c.ctx, d, func(ctx context.Context) error { return s.runOnce(ctx, c) })
	} else {
		err = s.runOnce(c.ctx, c)
	}
	if err == nil || c.notStarted(err) {
		return false, err
	}
	v, err := s.judge(c, err)
	s.setVerdict(c, v)
	return v.Retryable(), err
}

// notStarted reports whether the function of a submitted call has returned that it could not begin.
func (c *call) notStarted(err error) bool {
	return err != nil && c.handle() != nil && isNotStarted(err)
}

// isNotStarted reports whether a function has returned [ErrNotStarted]. One that panicked with it has begun.
func isNotStarted(err error) (is bool) {
	defer func() { _ = recover() }() // of a method of the error
	_, panicked := err.(*PanicError)
	return !panicked && errors.Is(err, ErrNotStarted)
}

// over reports the outcome of a call's last attempt, or that its function could not begin.
func (s *Scheduler) over(c *call, err error) {
	if c.notStarted(err) {
		c.made--
		_ = s.abandon(c, err) // the handle has the error
	} else {
		s.finished(c, err)
	}
}

// runOnce runs the function once.
func (s *Scheduler) runOnce(ctx context.Context, c *call) error {
	if h := c.handle(); h != nil {
		return h.invoke(ctx)
	}
	if c.runner.options.hasOwnCost() {
		return s.runSettled(ctx, c)
	}
	return c.fn(ctx)
}

// runSettled runs the function of a Do that can be settled.
func (s *Scheduler) runSettled(parent context.Context, c *call) error {
	ctx := &attempt{Context: parent, s: s, call: c, number: int(c.made)}
	defer ctx.end()
	return c.fn(ctx)
}

// invoke runs the function once, with a context that can be canceled.
func (h *Handle) invoke(parent context.Context) (err error) {
	ctx := &attempt{Context: parent, s: h.s, call: &h.call, number: int(h.call.made), derives: true}
	h.current.Store(ctx)
	if reason := h.interrupted(); reason != nil { // by a goroutine that did not see this attempt
		ctx.cancel(reason)
	}
	defer func() {
		ctx.end()
		h.current.Store(nil)
		if p := recover(); p != nil {
			err = &PanicError{In: "function", Value: p, Stack: debug.Stack()}
		}
	}()
	return h.call.fn(ctx)
}

// setVerdict notes the verdict on the attempt that c is about to report.
func (s *Scheduler) setVerdict(c *call, v retry.Verdict) {
	budget := -1
	if v.Budget != "" {
		if i, err := s.anyBudget(v.Budget); err == nil {
			budget = i
		}
	}
	c.Call.SetVerdict(v, budget)
}

// judge classifies an error. If the classifier panics, the error is final and is returned
// together with the panic.
func (s *Scheduler) judge(c *call, err error) (v retry.Verdict, outcome error) {
	if p, ok := err.(*PanicError); ok {
		return retry.Verdict{}, p
	}
	defer func() {
		if p := recover(); p != nil {
			outcome = &endedError{
				reason:   &PanicError{In: "classifier", Value: p, Stack: debug.Stack()},
				attempts: int(c.made), last: err,
			}
			v = retry.Verdict{}
		}
	}()
	if r := c.runner; r != nil && r.options != nil && r.options.classify != nil {
		return r.options.classify(err), err
	}
	return s.classify(err), err
}

// attempt is the context of the function for one attempt of a call. That of submitted work can be
// canceled for the attempt alone. Most functions return before any goroutine asks for its Done, so
// the derived context is made only then, or when it is canceled.
type attempt struct {
	context.Context // the user's
	s               *Scheduler
	call            *call
	number          int
	mu              sync.Mutex
	done            bool // the function has returned, and the call may be in use for another
	derives         bool // it can be canceled alone
	derived         atomic.Pointer[cancellable]
}

// attemptKey is the context key for the innermost attempt.
type attemptKey struct{}

// cancellable is a context derived from the user's, with its cancel function.
type cancellable struct {
	context.Context
	cancel context.CancelCauseFunc
}

// attemptOver stands for a derived context that was not asked for before its attempt ended.
var attemptOver = new(cancellable)

// context returns the derived context, and makes it if there is none.
func (a *attempt) context() *cancellable {
	for {
		old := a.derived.Load()
		if old != nil && old != attemptOver {
			return old
		}
		ctx, cancel := context.WithCancelCause(guardContext(a.Context))
		if old == attemptOver {
			cancel(errFunctionReturned)
		}
		if a.derived.CompareAndSwap(old, &cancellable{ctx, cancel}) {
			continue
		}
		cancel(nil) // another goroutine was faster
	}
}

// errFunctionReturned is the cause in the context of submitted work whose function has returned. It names the
// remedy for a function that handed its context on to other work.
var errFunctionReturned = fmt.Errorf("scheduler: the function of the call that this context belonged to has returned: "+
	"give work that goes on the context that Submit or Stream was given, or context.WithoutCancel: %w", context.Canceled)

func (a *attempt) cancel(cause error) { a.context().cancel(cause) }

// end notes that the function has returned, before the owner is told. It cancels the derived context.
func (a *attempt) end() {
	a.mu.Lock()
	a.done = true
	a.mu.Unlock()
	if a.derives && !a.derived.CompareAndSwap(nil, attemptOver) {
		a.cancel(errFunctionReturned)
	}
}

func (a *attempt) Done() <-chan struct{} {
	if !a.derives {
		return a.Context.Done()
	}
	return a.context().Done()
}

func (a *attempt) Err() error {
	if a.derived.Load() == nil {
		return a.Context.Err()
	}
	return a.context().Err()
}

// Value returns the attempt for the scheduler's keys. Package context finds the cause through it.
func (a *attempt) Value(key any) any {
	if key == (attemptKey{}) || key == (insideKey{a.s}) {
		return a
	}
	if a.derived.Load() == nil {
		return a.Context.Value(key)
	}
	return a.context().Value(key)
}
