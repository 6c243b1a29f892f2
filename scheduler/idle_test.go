package scheduler_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

// idleAfter returns how long WaitIdle waits.
func idleAfter(t *testing.T, s *scheduler.Scheduler) time.Duration {
	t.Helper()
	started := time.Now()
	require.NoError(t, s.WaitIdle(t.Context()))
	return time.Since(started)
}

// WaitIdle waits for calls in every state, and for nothing else (C11).
func TestWaitIdle(t *testing.T) {
	bubble(t, scheduler.Config{Limit: oneEach, Retry: exact}, func(t *testing.T, s *scheduler.Scheduler) {
		require.Zero(t, idleAfter(t, s))
		submit(t, s, func(context.Context) error { time.Sleep(time.Second); return nil })
		require.Equal(t, time.Second, idleAfter(t, s), "runs")
		submit(t, s, (&flaky{failures: 2}).run)
		require.Equal(t, 3*time.Second, idleAfter(t, s), "backs off")
		submit(t, s, nothing, scheduler.Cost(10))
		submit(t, s, nothing, scheduler.Cost(5))
		require.Equal(t, 6*time.Second, idleAfter(t, s), "is queued")
		r, err := s.Reserve(t.Context(), scheduler.Cost(0))
		require.NoError(t, err)
		time.AfterFunc(7*time.Second, func() { r.Done(nil) })
		require.Equal(t, 7*time.Second, idleAfter(t, s), "is reserved")
	})
}

// A goroutine in WaitIdle learns of the end of calls that take the fast path, before and while it waits
// (C11).
func TestWaitIdleAndTheFastPath(t *testing.T) {
	for name, opts := range map[string][]scheduler.Option{"plain": nil, "with options": {scheduler.Name("x")}, "with a cost": {scheduler.Cost(1)}} {
		t.Run(name, func(t *testing.T) {
			bubble(t, scheduler.Config{Limit: bucket.PerMinute(1).Burst(1000)}, func(t *testing.T, s *scheduler.Scheduler) {
				for range 20 { // opens the fast path
					require.NoError(t, s.Do(t.Context(), nothing, opts...))
				}
				var all sync.WaitGroup
				sleep := func(context.Context) error { time.Sleep(time.Second); return nil }
				for range 5 {
					all.Go(func() { _ = s.Do(t.Context(), sleep, opts...) })
				}
				synctest.Wait()
				time.AfterFunc(time.Second/2, func() {
					for i := range 60 {
						all.Go(func() { _ = s.Do(t.Context(), sleep, opts...) })
						if i%20 == 19 {
							synctest.Wait() // a lease would begin here
						}
					}
				})
				require.Equal(t, 3*time.Second/2, idleAfter(t, s))
				all.Wait()
			})
		})
	}
}

// Work that submits more work is waited for to its end, whether the function or its OnEnd submits it (C11).
// The storm is for the race between the end of a call and what it has submitted.
func TestWaitIdleStorm(t *testing.T) {
	for _, slots := range []int{0, 3} {
		s := open(t, scheduler.Config{Limit: bucket.Unlimited, MaxInFlight: slots})
		for range 60 {
			var done atomic.Int64
			var visit func(depth int)
			count := func() { done.Add(1) }
			visit = func(depth int) {
				more := func() {
					if depth > 0 {
						visit(depth - 1)
					}
				}
				work := func(context.Context) error { defer count(); more(); return nil }
				submit(t, s, work)
				if depth%2 == 0 {
					submit(t, s, nothing, scheduler.OnEnd(func(*scheduler.Handle) { defer count(); more() }))
				}
				go func() { _ = s.Do(context.Background(), nothing) }() // not waited for
			}
			visit(9)
			require.NoError(t, s.WaitIdle(context.Background()))
			expected := int64(0)
			for depth, calls := 9, int64(1); depth >= 0; depth-- {
				if depth%2 == 0 {
					calls *= 2
				}
				expected += calls
			}
			require.Equal(t, expected, done.Load())
		}
	}
}

// WaitIdle inside a call would wait for itself (C11, H88).
func TestH88_WaitIdleInsideACall(t *testing.T) {
	bubble(t, scheduler.Config{}, func(t *testing.T, s *scheduler.Scheduler) {
		other := open(t, scheduler.Config{})
		inside := func(ctx context.Context) error {
			ctx, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			err := s.WaitIdle(ctx)
			if errors.Is(err, context.DeadlineExceeded) || err == nil {
				t.Errorf("WaitIdle inside a call returned %v", err)
			}
			return err
		}
		err := s.Do(t.Context(), inside, scheduler.Cost(1))
		require.ErrorContains(t, err, "WaitIdle inside a call")
		require.False(t, retry.Any(err).Retryable())
		require.ErrorContains(t, settled(submit(t, s, inside)), "WaitIdle inside a call")
		require.ErrorContains(t, settled(submit(t, s, func(ctx context.Context) error {
			return other.Do(ctx, inside, scheduler.Cost(1))
		})), "WaitIdle inside a call", "with a call of another scheduler in between")
		require.NoError(t, settled(submit(t, s, func(ctx context.Context) error { return other.WaitIdle(ctx) })), "of another scheduler")
	})
}

// A context that is done ends the wait, and only that: the fast path opens again (C11).
func TestWaitIdleIsCanceled(t *testing.T) {
	bubble(t, scheduler.Config{Limit: bucket.Unlimited}, func(t *testing.T, s *scheduler.Scheduler) {
		submit(t, s, func(context.Context) error { time.Sleep(time.Hour); return nil })
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		started := time.Now()
		require.ErrorIs(t, s.WaitIdle(ctx), context.DeadlineExceeded)
		require.Equal(t, time.Minute, time.Since(started))
		require.ErrorIs(t, s.WaitIdle(ctx), context.DeadlineExceeded)
		var none context.Context
		require.ErrorContains(t, s.WaitIdle(none), "nil context")
		require.Equal(t, 59*time.Minute, idleAfter(t, s))
	})
}

// Close ends the wait with ErrClosed if a call was left, and Shutdown does not (C11).
func TestWaitIdleAndClose(t *testing.T) {
	bubble(t, scheduler.Config{}, func(t *testing.T, s *scheduler.Scheduler) {
		submit(t, s, untilDone)
		time.AfterFunc(time.Minute, s.Close)
		require.ErrorIs(t, s.WaitIdle(t.Context()), scheduler.ErrClosed)
		require.ErrorIs(t, s.WaitIdle(t.Context()), scheduler.ErrClosed)
	})
	bubble(t, scheduler.Config{}, func(t *testing.T, s *scheduler.Scheduler) {
		submit(t, s, func(context.Context) error { time.Sleep(time.Hour); return nil })
		time.AfterFunc(time.Minute, func() { _, _ = s.Shutdown(context.Background()) })
		require.Equal(t, time.Hour, idleAfter(t, s))
		require.Zero(t, idleAfter(t, s))
	})
}
