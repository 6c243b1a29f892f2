package scheduler

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"example.com/fairlead/bucket"
)

// ErrNotSettled is in the error of a [Settle] for which there is no call.
var ErrNotSettled = errors.New("scheduler: nothing to settle")

// Settle says what the attempt whose function was given ctx really costs, of the budget
// with this name ("" if there is but one), when that is known. What it has paid too much
// is there for others at once. What it has paid too little is charged: the budget may go
// into debt by as much as its capacity, which refill has to pay off before anybody
// is granted again. If it is said more than once, the last word counts; what is not
// settled has cost what was said before. It may be called from any goroutine until
// the function has returned; after that it is an [ErrNotSettled].
//
// A call can be settled if it was made with [Cost] or [CostOf], or by [Scheduler.Submit]
// or [Stream]; another, and a ctx that is of no call, is an [ErrNotSettled]. Other errors
// are [ErrNoBudget], a [bucket.CostError] for less than nothing, and [ErrClosed].
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

// Settle says what the work really costs: see the function [Settle]. Before the grant, and
// if there was none, it is an [ErrNotSettled]; once the reservation is done it does nothing
// and returns nil.
func (r *Reservation) Settle(budget string, tokens int64) error {
	if r.Err() != nil {
		return fmt.Errorf("%w: the reservation is not granted", ErrNotSettled)
	}
	return r.h.s.settle(&attempt{call: &r.h.call, number: r.number}, budget, tokens)
}

// attempt is what a context knows of the attempt that it was made for.
type attempt struct {
	s      *Scheduler
	call   *call
	number int
	mu     sync.Mutex
	done   bool // the function has returned: by now the call may be used for another
}

// end is for when the function has returned, before the owner is told.
func (a *attempt) end() {
	a.mu.Lock()
	a.done = true
	a.mu.Unlock()
}

// attemptKey is what a context has its attempt by.
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
	a.mu.Lock() // so the owner hears of this before it hears that the attempt is over
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

// costContext is what the function of a call of Do is given that can be settled.
type costContext struct {
	context.Context
	attempt attempt
}

// runSettled runs the function of a call of Do that can be settled.
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
