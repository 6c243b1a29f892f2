package adapters

import (
	"context"
	"errors"
	"math"
	"slices"
	"time"

	"example.com/fairlead/scheduler"
)

// Limiter takes tokens from a scheduler for work that another library does. Its methods are named
// as different libraries call them. All take from the same budgets, in the order of the queue.
//
// Without a Scheduler there are no tokens, and errors say so. Limiters are values, and several may
// use one scheduler with different Options. All methods may be called from any goroutine.
//
// A Limiter waits only for a token. A slot ([scheduler.Config.MaxInFlight]) is freed as soon as the
// token is taken, because a library does not report when the work ends.
type Limiter struct {
	Scheduler *scheduler.Scheduler

	// Options are for every call, such as [scheduler.Priority] or [scheduler.Key]. With
	// [scheduler.NoWait], a call that would wait is refused. Nil means a plain call, which is the
	// fastest (see [scheduler.Scheduler.Do]).
	Options []scheduler.Option

	// Key returns the key of a call from its context, such as a tenant: see [scheduler.Key]. It replaces
	// one in Options. Methods without a context give it [context.Background]. Nil means the key of
	// Options, if any.
	Key func(context.Context) string
}

var errNoScheduler = errors.New("adapters: the Limiter has no Scheduler to take tokens from: set it")

// take takes tokens.
func (l Limiter) take(ctx context.Context, opts ...scheduler.Option) error {
	if l.Scheduler == nil {
		return errNoScheduler
	}
	if l.Key != nil && ctx != nil {
		opts = append(slices.Clip(opts), scheduler.Key(l.Key(ctx)))
	}
	return l.Scheduler.Do(ctx, nothing, opts...)
}

// nothing does nothing, for calls that are made only for their tokens.
func nothing(context.Context) error { return nil }

// Wait waits for a token, like [rate.Limiter.Wait], for client-go, GitLab's client and others. Its
// errors are those of [scheduler.Scheduler.Do], such as [scheduler.ErrClosed] or the error of ctx
// if it is done. If the token would come after the deadline of ctx, Wait returns a
// [scheduler.DeadlineError] at once.
//
// [rate.Limiter.Wait]: https://pkg.go.dev/golang.org/x/time/rate#Limiter.Wait
func (l Limiter) Wait(ctx context.Context) error { return l.take(ctx, l.Options...) }

// WaitN waits for n tokens at once, 0 or more. More than the capacity of the budget is a
// bucket.CostError.
func (l Limiter) WaitN(ctx context.Context, n int) error {
	return l.take(ctx, l.with(scheduler.Cost(int64(n)))...)
}

// Allow takes a token if there is one, and reports whether it did. It never waits, and takes no
// token for which a call is queued.
func (l Limiter) Allow() bool { return l.try(scheduler.NoWait()) == nil }

// AllowN takes n tokens like Allow. It ignores the time and uses the scheduler's clock.
func (l Limiter) AllowN(_ time.Time, n int) bool {
	return l.try(scheduler.Cost(int64(n)), scheduler.NoWait()) == nil
}

func (l Limiter) try(more ...scheduler.Option) error {
	return l.take(context.Background(), l.with(more...)...)
}

// with returns the limiter's options and more.
func (l Limiter) with(more ...scheduler.Option) []scheduler.Option {
	if len(l.Options) == 0 {
		return more
	}
	return slices.Concat(l.Options, more)
}

// must waits for a token, for an interface that can't return an error. It panics if it gets none,
// because to return would let everything through, and to block would look like a wait.
func (l Limiter) must(method string) {
	if err := l.Wait(context.Background()); err != nil {
		panic("adapters: " + method + " got no token: " + err.Error() + ": stop its callers first, or use Wait, which returns errors")
	}
}

// tokens converts a number of tokens for an option.
func tokens(n uint) int64 { return int64(min(uint64(n), math.MaxInt64)) }
