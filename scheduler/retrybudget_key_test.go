package scheduler_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

// The server of one key of ten is down for a minute, at 100 calls a second in all. With a budget for each key
// that key makes few retries, and those of the other keys go on. With the budget of all alone, it takes theirs.
func TestRetryBudgetOfAKey(t *testing.T) {
	const rate, seconds, keys = 100, 60, 10
	load := func(perKey *retry.Budget) (retries [keys]int64, lost [keys]int64, took time.Duration) {
		cfg := scheduler.Config{Limit: bucket.Unlimited, RetryBudget: &retry.Budget{Burst: 20}, PerKey: scheduler.PerKey{RetryBudget: perKey}}
		bubble(t, cfg, func(t *testing.T, s *scheduler.Scheduler) {
			began := time.Now()
			var all sync.WaitGroup
			for i := range rate * seconds {
				all.Go(func() {
					key, attempts := i%keys, int64(0)
					err := s.Do(t.Context(), func(context.Context) error {
						if attempts++; key == 0 || attempts == 1 && (i/keys+2*key)%20 == 0 {
							return errDown
						}
						return nil
					}, scheduler.Key(fmt.Sprint(key)))
					atomic.AddInt64(&retries[key], attempts-1)
					var exhausted *retry.ExhaustedError
					if errors.As(err, &exhausted) {
						atomic.AddInt64(&lost[key], 1)
						require.Contains(t, []string{"", "0"}, exhausted.Key)
					}
				})
				time.Sleep(time.Second / rate)
			}
			all.Wait()
			took = time.Since(began)
		})
		return retries, lost, took
	}
	retries, lost, took := load(new(retry.Budget))
	require.LessOrEqual(t, float64(retries[0]), float64(rate*seconds/keys)/10+took.Seconds()+10)
	require.Greater(t, retries[0], int64(seconds))
	require.Equal(t, int64(rate*seconds/keys), lost[0])
	for key := 1; key < keys; key++ {
		require.Equal(t, int64(rate*seconds/keys/20), retries[key])
		require.Zero(t, lost[key])
	}

	retries, lost, _ = load(nil)
	require.Greater(t, retries[0], int64(500), "it takes what the others add")
	require.NotZero(t, slices.Max(lost[1:]), "so that some of their calls are not retried")
}

// The error names the key whose budget was used up.
func TestRetryBudgetOfAKeyError(t *testing.T) {
	cfg := scheduler.Config{Limit: bucket.Unlimited, PerKey: scheduler.PerKey{RetryBudget: &retry.Budget{PerSecond: 0.001, Burst: 1}}}
	bubble(t, cfg, func(t *testing.T, s *scheduler.Scheduler) {
		attempts := func(opts ...scheduler.Option) (*retry.ExhaustedError, int) {
			var exhausted *retry.ExhaustedError
			require.ErrorAs(t, s.Do(t.Context(), down, opts...), &exhausted)
			return exhausted, exhausted.Attempts
		}
		_, n := attempts(scheduler.Key("acme"))
		require.Equal(t, 2, n)
		err, n := attempts(scheduler.Key("acme"))
		require.Equal(t, 1, n)
		require.Equal(t, "acme", err.Key)
		require.Equal(t, &retry.Budget{Ratio: 0.1, PerSecond: 0.001, Burst: 1}, err.Budget)
		require.ErrorIs(t, err, errDown)
		require.Contains(t, err.Error(), `the retry budget of the key "acme" (0.1 retries a call and 0.001 a second, at most 1 at once) was used up`)
		_, n = attempts(scheduler.Key("other"))
		require.Equal(t, 2, n)
		_, n = attempts()
		require.Equal(t, 6, n, "a call without a key has no such budget")
	})
}

// With Wait the calls of 20 s in which a server is down are retried later, at the pace of the budget, and none of
// them ends for want of it.
func TestRetryBudgetWait(t *testing.T) {
	const rate, seconds, downFor = 100, 60, 20
	bubble(t, scheduler.Config{Limit: bucket.Unlimited, RetryBudget: &retry.Budget{Wait: true}}, func(t *testing.T, s *scheduler.Scheduler) {
		began := time.Now()
		var all sync.WaitGroup
		for i := range rate * seconds {
			if i == rate*downFor {
				snap := s.Snapshot()
				require.LessOrEqual(t, snap.Totals.Retries, uint64(rate*downFor/10+downFor+10))
				require.Greater(t, snap.BackingOff, rate*downFor*4/5)
				require.LessOrEqual(t, time.Until(snap.NextRetry), time.Second, "a retry a second, or sooner")
				require.Positive(t, time.Until(snap.NextRetry))
			}
			all.Go(func() {
				require.NoError(t, s.Do(t.Context(), func(context.Context) error {
					if time.Since(began) < downFor*time.Second {
						return errDown
					}
					return nil
				}))
			})
			time.Sleep(time.Second / rate)
		}
		all.Wait()
		snap := s.Snapshot()
		require.Equal(t, uint64(rate*seconds), snap.Totals.Succeeded)
		require.LessOrEqual(t, float64(snap.Totals.Retries), rate*seconds/10+time.Since(began).Seconds()+10)
	})
}
