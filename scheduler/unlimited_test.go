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

// With bucket.Unlimited no call waits for tokens, whatever calls cost. Only retries and holds take time.
func TestUnlimited(t *testing.T) {
	bubble(t, scheduler.Config{Limit: bucket.Unlimited, Retry: exact, Adaptive: true}, func(t *testing.T, s *scheduler.Scheduler) {
		start := time.Now()
		var ran atomic.Int64
		run := func(context.Context) error { ran.Add(1); return nil }
		for range 100_000 {
			require.NoError(t, s.Do(t.Context(), run))
		}
		for range 1000 {
			_, err := s.Submit(t.Context(), run, scheduler.Cost(1e11))
			require.NoError(t, err)
		}
		synctest.Wait()
		require.EqualValues(t, 101_000, ran.Load())
		require.Zero(t, time.Since(start))

		refused := true
		require.NoError(t, s.Do(t.Context(), func(context.Context) error {
			if refused {
				refused = false
				return retry.After(errBusy, time.Minute)
			}
			return nil
		}))
		require.LessOrEqual(t, time.Since(start), time.Minute+6*time.Second, "full again right after the hold")
		h, err := s.Submit(t.Context(), run, scheduler.Cost(1e15))
		require.NoError(t, err)
		require.NoError(t, settled(h))
		require.LessOrEqual(t, time.Since(start), time.Minute+6*time.Second)
	})
}
