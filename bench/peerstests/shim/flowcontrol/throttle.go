// Package flowcontrol replaces k8s.io/client-go/util/flowcontrol for that package's own tests. Its limiters use
// a scheduler, and its backoffs a retry policy.
package flowcontrol

import (
	"context"
	"time"

	"example.com/fairlead/bench/peerstests/limits"
	"example.com/fairlead/clock"
	"example.com/fairlead/scheduler"
)

// RateLimiter is a scheduler for calls that do nothing.
type RateLimiter struct{ s *scheduler.Scheduler }

// Clock is the clock that tests pass to a limiter.
type Clock interface{ Now() time.Time }

// NewTokenBucketRateLimiter returns a limiter on the system's clock.
func NewTokenBucketRateLimiter(qps float32, burst int) RateLimiter {
	return newRateLimiter(qps, burst, nil)
}

// NewTokenBucketRateLimiterWithClock returns a limiter on another clock, on which it can't wait.
func NewTokenBucketRateLimiterWithClock(qps float32, burst int, c Clock) RateLimiter {
	return newRateLimiter(qps, burst, noTimers{c})
}

func newRateLimiter(qps float32, burst int, c clock.Clock) RateLimiter {
	s, err := scheduler.New(scheduler.Config{Limit: limits.PerSecond(float64(qps), burst), Clock: c})
	if err != nil {
		panic(err)
	}
	return RateLimiter{s}
}

func nothing(context.Context) error { return nil }

// TryAccept takes a token if there is one. It waits for the owner to finish, since a test's clock may have no
// lock.
func (r RateLimiter) TryAccept() bool {
	defer r.s.Sync()
	return r.s.Do(context.Background(), nothing, scheduler.NoWait()) == nil
}

// Accept waits for a token.
func (r RateLimiter) Accept() {
	if err := r.Wait(context.Background()); err != nil {
		panic(err)
	}
}

// Wait waits for a token, unless ctx would be done before.
func (r RateLimiter) Wait(ctx context.Context) error { return r.s.Do(ctx, nothing) }

// noTimers is a clock without timers, for limiters that don't wait.
type noTimers struct{ Clock }

func (noTimers) NewTimer(time.Duration) clock.Timer { return noTimer{} }

type noTimer struct{}

func (noTimer) C() <-chan time.Time { return nil }
func (noTimer) Reset(time.Duration) { panic("flowcontrol: a wait on a clock without timers") }
func (noTimer) Stop()               {}
