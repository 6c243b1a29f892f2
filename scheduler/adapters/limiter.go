package adapters

import (
	"context"
	"errors"
	"math"
	"slices"
	"time"

	"example.com/fairlead/scheduler"
)

// Limiter takes tokens from a scheduler, for work that somebody else does. Each method is
// what one library or another calls for a token; all of them take from the same budget,
// in the order of the same queue.
//
// Without a Scheduler there are no tokens, and errors say so. Limiters are values: several
// may be made of one scheduler, each with Options of its own. All methods may be called from
// any goroutine.
//
// A token is all that is waited for: a slot ([scheduler.Config.MaxInFlight]) is free again
// when the token is had, since nobody says when the work is over.
type Limiter struct {
	Scheduler *scheduler.Scheduler

	// Options are those of every call, such as [scheduler.Priority] or [scheduler.Name].
	// With [scheduler.NoWait], what would wait is refused. Nil means a plain call, which is
	// the fastest: see [scheduler.Scheduler.Do].
	Options []scheduler.Option
}

var errNoScheduler = errors.New("adapters: the Limiter has no Scheduler to take tokens from: set it")

// take takes tokens, which is all that there is to do.
func (l Limiter) take(ctx context.Context, opts ...scheduler.Option) error {
	if l.Scheduler == nil {
		return errNoScheduler
	}
	return l.Scheduler.Do(ctx, nothing, opts...)
}

// nothing is the work of a call that is made for its token.
func nothing(context.Context) error { return nil }

// Wait waits for a token, as [rate.Limiter.Wait] does, and as client-go and GitLab's client
// want it. Its errors are those of [scheduler.Scheduler.Do]: that of ctx if it is done
// first; at once, if ctx would be done before the token is there, a
// [scheduler.DeadlineError]; [scheduler.ErrClosed].
//
// [rate.Limiter.Wait]: https://pkg.go.dev/golang.org/x/time/rate#Limiter.Wait
func (l Limiter) Wait(ctx context.Context) error { return l.take(ctx, l.Options...) }

// WaitN waits for n tokens at once, 0 or more. If that is more than the budget can ever
// hold, it is a bucket.CostError.
func (l Limiter) WaitN(ctx context.Context, n int) error {
	return l.take(ctx, l.with(scheduler.Cost(int64(n)))...)
}

// Allow takes a token if that is possible at once, and reports whether it was. It never
// waits, not even behind others who do.
func (l Limiter) Allow() bool { return l.try(scheduler.NoWait()) == nil }

// AllowN is Allow for n tokens. The time is not looked at: it is now, by the scheduler's
// clock.
func (l Limiter) AllowN(_ time.Time, n int) bool {
	return l.try(scheduler.Cost(int64(n)), scheduler.NoWait()) == nil
}

func (l Limiter) try(more ...scheduler.Option) error {
	return l.take(context.Background(), l.with(more...)...)
}

// with is the limiter's options and more.
func (l Limiter) with(more ...scheduler.Option) []scheduler.Option {
	if len(l.Options) == 0 {
		return more
	}
	return slices.Concat(l.Options, more)
}

// must waits for a token where an interface has no room for an error. To return without
// a token would let everything through, and not to return at all would look like a wait.
func (l Limiter) must(method string) {
	if err := l.Wait(context.Background()); err != nil {
		panic("adapters: " + method + " can't have a token: " + err.Error() + ": end its callers first, or use Wait, which returns errors")
	}
}

// tokens is a number of tokens as options have it.
func tokens(n uint) int64 { return int64(min(uint64(n), math.MaxInt64)) }
