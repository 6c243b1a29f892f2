package scheduler_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

// failsFirst returns a function whose first attempt fails.
func failsFirst() func(context.Context) error {
	attempts := 0
	return func(context.Context) error {
		if attempts++; attempts == 1 {
			return errDown
		}
		return nil
	}
}

// usedUp is a scheduler whose retry budget is used up. Calls add a tenth of a retry, and time nearly nothing.
func usedUp(t *testing.T, f func(t *testing.T, s *scheduler.Scheduler)) {
	b := &retry.Budget{Ratio: 0.1, PerSecond: 0.001, Burst: 1, Wait: true}
	cfg := scheduler.Config{Limit: bucket.Unlimited, RetryBudget: b, Retry: retry.Policy{Initial: time.Millisecond, Jitter: retry.None}}
	bubble(t, cfg, func(t *testing.T, s *scheduler.Scheduler) {
		require.NoError(t, s.Do(t.Context(), failsFirst()))
		f(t, s)
	})
}

// A call whose retry waits for the budget ends with its context, and with its policy's MaxElapsed.
func TestRetryBudgetWaitEnds(t *testing.T) {
	usedUp(t, func(t *testing.T, s *scheduler.Scheduler) {
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := s.Do(ctx, down)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, err, errDown)
		require.Equal(t, time.Second, time.Since(began))

		began = time.Now()
		err = s.Do(t.Context(), down, scheduler.Retry(retry.Policy{MaxElapsed: 2 * time.Second}))
		var exhausted *retry.ExhaustedError
		require.ErrorAs(t, err, &exhausted)
		require.Equal(t, 2*time.Second, exhausted.MaxElapsed)
		require.Nil(t, exhausted.Budget)
		require.Equal(t, 2*time.Second, time.Since(began).Round(time.Millisecond))
	})
}

// Successes of the fast path add to the budget for which a retry waits, as soon as they begin.
func TestRetryBudgetWaitAndTheFastPath(t *testing.T) {
	usedUp(t, func(t *testing.T, s *scheduler.Scheduler) {
		for range 3 {
			require.NoError(t, s.Do(t.Context(), nothing))
		}
		var done atomic.Bool
		go func() {
			_ = s.Do(t.Context(), failsFirst())
			done.Store(true)
		}()
		time.Sleep(100 * time.Millisecond)
		for range 5 {
			require.NoError(t, s.Do(t.Context(), nothing))
		}
		synctest.Wait()
		require.False(t, done.Load(), "0.1 are missing")
		snap := s.Snapshot()
		require.Equal(t, 1, snap.BackingOff)
		require.Equal(t, 100*time.Second, time.Until(snap.NextRetry).Round(time.Second), "at the latest")
		require.NoError(t, s.Do(t.Context(), nothing))
		synctest.Wait()
		require.True(t, done.Load())
	})
}

// A call of a parallel stream needs no place while its retry waits for the budget.
func TestRetryBudgetWaitAndParallel(t *testing.T) {
	b := &retry.Budget{Ratio: 0.001, PerSecond: 1, Burst: 1, Wait: true}
	cfg := scheduler.Config{Limit: bucket.Unlimited, RetryBudget: b, Retry: retry.Policy{Initial: time.Millisecond, Jitter: retry.None}}
	bubble(t, cfg, func(t *testing.T, s *scheduler.Scheduler) {
		began := time.Now()
		var first, last time.Duration
		var attempts [5]int
		for r := range scheduler.Stream(t.Context(), s, upTo(5), func(_ context.Context, i int) (int, error) {
			if attempts[i]++; attempts[i] == 1 {
				first = time.Since(began)
				return 0, errDown
			}
			last = time.Since(began)
			return i, nil
		}, scheduler.Parallel(1)) {
			require.NoError(t, r.Err)
		}
		require.Zero(t, first, "each had a first attempt at once")
		require.Equal(t, [5]int{2, 2, 2, 2, 2}, attempts)
		require.Equal(t, 4*time.Second, last.Round(10*time.Millisecond), "one retry a second")
	})
}
