package scheduler

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry"
)

// ErrNotSettled is in the error of a [Settle] for which there is no attempt.
var ErrNotSettled = retry.Permanent(errors.New("scheduler: nothing to settle"))

// Settle sets the actual cost of the running attempt whose function was given ctx, for the named
// budget ("" if there is only one). An overpayment is refunded at once. An underpayment is
// charged and may take the budget into debt by at most its capacity. The last Settle of an
// attempt counts. Settle may be called from any goroutine until the function has returned. After
// that it returns an [ErrNotSettled].
//
// A call can be settled if it was made with [Cost] or [CostOf], or by [Scheduler.Submit] or
// [Stream]. For other contexts Settle returns an [ErrNotSettled]. Other errors are [ErrNoBudget],
// a [bucket.CostError] for a negative cost, and [ErrClosed].
func Settle(ctx context.Context, budget string, tokens int64) error {
	if ctx == nil {
		return errNilContext
	}
	a, ok := ctx.Value(attemptKey{}).(*attempt)
	if !ok {
		return fmt.Errorf("%w: the context is not that of a call with Cost or CostOf, or of submitted work", ErrNotSettled)
	}
	return a.s.settle(a, budget, tokens)
}

// Settle sets the actual cost of the work: see the function [Settle]. It returns an
// [ErrNotSettled] before the grant, and if there was none. After the end it does nothing and
// returns nil.
func (r *Reservation) Settle(budget string, tokens int64) error {
	if r.Err() != nil {
		return fmt.Errorf("%w: the reservation is not granted", ErrNotSettled)
	}
	return r.h.s.settle(&attempt{call: &r.h.call, number: r.number}, budget, tokens)
}

// attempt identifies a running attempt in the context of its function.
type attempt struct {
	s      *Scheduler
	call   *call
	number int
	mu     sync.Mutex
	done   bool // the function has returned, and the call may be in use for another
}

// end notes that the function has returned, before the owner is told.
func (a *attempt) end() {
	a.mu.Lock()
	a.done = true
	a.mu.Unlock()
}

// attemptKey is the context key for the innermost attempt.
type attemptKey struct{}

// matches reports whether key is the context key of the attempt.
func (a *attempt) matches(key any) bool {
	return key == attemptKey{} || key == insideKey{a.s}
}

func (s *Scheduler) settle(a *attempt, budget string, tokens int64) error {
	i, err := s.budget(budget)
	if err != nil {
		return err
	}
	if tokens < 0 {
		return checkCost(budget, bucket.Limit{}, tokens)
	}
	a.mu.Lock() // so the owner handles this before the end of the attempt
	defer a.mu.Unlock()
	if a.done {
		return fmt.Errorf("%w: the attempt is over", ErrNotSettled)
	}
	s.makeKnown(a.call)
	posted := s.post(message{op: opAsk, do: func(o *owner, now time.Duration) { o.core.settleCost(now, a.call, a.number, i, tokens) }})
	if !posted {
		return ErrClosed
	}
	return nil
}

// costContext is the context of the function of a Do that can be settled.
type costContext struct {
	context.Context
	attempt attempt
}

// runSettled runs the function of a Do that can be settled.
func (s *Scheduler) runSettled(c *call) error {
	ctx := &costContext{Context: c.ctx}
	ctx.attempt.s, ctx.attempt.call, ctx.attempt.number = s, c, int(c.made)
	defer ctx.attempt.end()
	return c.fn(ctx)
}

func (c *costContext) Value(key any) any {
	if c.attempt.matches(key) {
		return &c.attempt
	}
	return c.Context.Value(key)
}
