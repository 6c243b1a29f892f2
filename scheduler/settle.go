package scheduler

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler/internal/core"
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
// [Stream]. For other contexts Settle returns an [ErrNotSettled]. Other errors are a [bucket.CostError] for
// a negative cost, [ErrClosed], and [ErrNoBudget] if there is no such budget, or if it is one of [PerKey]
// and the call has no [Key].
func Settle(ctx context.Context, budget string, tokens int64) error {
	if ctx == nil {
		return errNilContext
	}
	a, ok := ctx.Value(attemptKey{}).(*attempt)
	if !ok {
		return fmt.Errorf("%w: the context is not that of a call with Cost or CostOf, or of submitted work", ErrNotSettled)
	}
	i, err := a.s.checkSettle(budget, tokens)
	if err != nil {
		return err
	}
	a.mu.Lock() // so the owner handles this before the end of the attempt
	defer a.mu.Unlock()
	if a.done {
		return fmt.Errorf("%w: the attempt is over", ErrNotSettled)
	}
	if err := a.s.checkPayer(a.call, i, budget); err != nil {
		return err
	}
	a.s.makeKnown(a.call)
	return a.s.settle(a.call, a.number, i, tokens)
}

// Settle sets the actual cost of the work: see the function [Settle]. It returns an
// [ErrNotSettled] before the grant, and if there was none. After the end it does nothing and
// returns nil.
func (r *Reservation) Settle(budget string, tokens int64) error {
	if r.Err() != nil {
		return fmt.Errorf("%w: the reservation is not granted", ErrNotSettled)
	}
	i, err := r.h.s.checkSettle(budget, tokens)
	if err == nil {
		err = r.h.s.checkPayer(&r.h.call, i, budget)
	}
	if err != nil {
		return err
	}
	return r.h.s.settle(&r.h.call, r.number, i, tokens)
}

// checkSettle checks the arguments of Settle, and returns the index of the budget.
func (s *Scheduler) checkSettle(budget string, tokens int64) (int, error) {
	i, err := s.anyBudget(budget)
	if err == nil && tokens < 0 {
		err = core.CheckCost(budget, bucket.Limit{}, tokens)
	}
	return i, err
}

// settle has the owner set what an attempt has cost of the i-th budget.
func (s *Scheduler) settle(c *call, attempt, i int, tokens int64) error {
	if !s.post(message{op: opAsk, do: func(o *owner, now time.Duration) { o.core.SettleCost(now, &c.Call, attempt, i, tokens) }}) {
		return ErrClosed
	}
	return nil
}
