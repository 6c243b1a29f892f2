package scheduler_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

var errDown = retry.Transient(errors.New("down"))

func down(context.Context) error { return errDown }

// A server that is down for a minute, at 100 calls a second, gets a tenth more calls than are new, one a
// second, and the ten that the budget had. Without a budget it gets six times as many.
func TestRetryBudget(t *testing.T) {
	const rate, seconds = 100, 60
	load := func(b *retry.Budget) (retries, exhausted uint64, took time.Duration) {
		bubble(t, scheduler.Config{Limit: bucket.Unlimited, RetryBudget: b}, func(t *testing.T, s *scheduler.Scheduler) {
			began := time.Now()
			var all sync.WaitGroup
			for range rate * seconds {
				all.Go(func() {
					err := s.Do(t.Context(), down)
					require.ErrorIs(t, err, retry.ErrExhausted)
				})
				time.Sleep(time.Second / rate)
			}
			all.Wait()
			snap := s.Snapshot()
			retries, exhausted, took = snap.Totals.Retries, snap.Totals.Exhausted, time.Since(began)
		})
		return retries, exhausted, took
	}
	retries, exhausted, _ := load(nil)
	require.Equal(t, uint64(5*rate*seconds), retries)
	require.Equal(t, uint64(rate*seconds), exhausted)

	retries, exhausted, took := load(new(retry.Budget))
	require.LessOrEqual(t, retries, uint64(rate*seconds/10+took.Seconds()+10))
	require.Greater(t, retries, uint64(rate*seconds/10), "no more is lost than what comes in the first second, when the budget is full")
	require.Equal(t, uint64(rate*seconds), exhausted)
}

// The error says why there was no retry, and has that of each attempt.
func TestRetryBudgetError(t *testing.T) {
	bubble(t, scheduler.Config{Limit: bucket.Unlimited, RetryBudget: &retry.Budget{PerSecond: 0.001, Burst: 1}}, func(t *testing.T, s *scheduler.Scheduler) {
		first, second := make(chan error, 1), make(chan error, 1)
		go func() {
			first <- s.Do(t.Context(), down, scheduler.Retry(retry.Policy{MaxRetries: 1, Initial: time.Millisecond}))
		}()
		synctest.Wait()
		go func() { second <- s.Do(t.Context(), down) }()
		var exhausted *retry.ExhaustedError
		require.ErrorAs(t, <-first, &exhausted)
		require.Equal(t, 2, exhausted.Attempts)
		require.Nil(t, exhausted.Budget)
		require.ErrorAs(t, <-second, &exhausted)
		require.Equal(t, 1, exhausted.Attempts)
		require.Equal(t, &retry.Budget{Ratio: 0.1, PerSecond: 0.001, Burst: 1}, exhausted.Budget)
		require.ErrorIs(t, exhausted, errDown)
		require.Contains(t, exhausted.Error(), "the retry budget of all calls (0.1 retries a call and 0.001 a second, at most 1 at once) was used up")
	})
}

// Calls of the fast path add to the budget, too, before one of them that fails is retried.
func TestRetryBudgetAndTheFastPath(t *testing.T) {
	b := &retry.Budget{Ratio: 0.1, PerSecond: 0.001, Burst: 5}
	bubble(t, scheduler.Config{Limit: bucket.Unlimited, RetryBudget: b}, func(t *testing.T, s *scheduler.Scheduler) {
		retriesOf := func(n int) int {
			before := s.Snapshot().Totals.Retries
			for range n {
				_ = s.Do(t.Context(), down, scheduler.Retry(retry.Policy{MaxRetries: 1}))
			}
			return int(s.Snapshot().Totals.Retries - before)
		}
		require.Equal(t, 5, retriesOf(9), "what was there, and 0.9")
		for range 21 {
			require.NoError(t, s.Do(t.Context(), nothing))
		}
		require.Equal(t, 3, retriesOf(4), "3.0 to 3.4")
	})
}

// A budget with numbers out of range is refused, with all of them.
func TestRetryBudgetIsValidated(t *testing.T) {
	_, err := scheduler.New(scheduler.Config{RetryBudget: &retry.Budget{Ratio: 2, PerSecond: -1, Burst: -3}})
	require.Error(t, err)
	for _, part := range []string{"Config.RetryBudget: ", "Budget.Ratio is 2: ", "Budget.PerSecond is -1: ", "Budget.Burst is -3: "} {
		require.True(t, strings.Contains(err.Error(), part), "%v has no %q", err, part)
	}
}
