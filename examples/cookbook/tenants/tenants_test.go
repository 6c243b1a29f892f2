package tenants

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fair runs f with a quota of one call a second.
func fair(t *testing.T, each int, f func(t *testing.T, f *Fair)) {
	synctest.Test(t, func(t *testing.T) {
		shared, err := scheduler.New(scheduler.Config{Limit: bucket.PerSecond(1), Retry: retry.Policy{MaxRetries: 1, Jitter: retry.None}})
		require.NoError(t, err)
		defer shared.Close()
		fair := &Fair{Shared: shared, Each: each}
		defer fair.Close()
		f(t, fair)
	})
}

// TestRoundRobin checks that a customer with few calls is served in turn with one that came earlier with many, and
// that no token of the quota is lost.
func TestRoundRobin(t *testing.T) {
	for _, each := range []int{1, 3} {
		fair(t, each, func(t *testing.T, f *Fair) {
			start := time.Now()
			var small []time.Duration
			var all sync.WaitGroup
			for range 100 {
				all.Go(func() {
					require.NoError(t, f.Do(t.Context(), "big", func(context.Context) error { return nil }))
				})
			}
			synctest.Wait()
			for range 3 {
				all.Go(func() {
					require.NoError(t, f.Do(t.Context(), "small", func(context.Context) error { small = append(small, time.Since(start)); return nil }))
				})
			}
			all.Wait()
			require.Equal(t, time.Duration(1+each)*time.Second, small[0], "behind the %d calls that were in the shared queue", each)
			require.Equal(t, 6*time.Second, small[2], "not behind all hundred")
			require.Equal(t, 102*time.Second, time.Since(start), "one call a second, the first at once")
		})
	}
}

// TestErrors checks that a failure is retried once by the shared scheduler and by no other, and holds up both customers.
func TestErrors(t *testing.T) {
	fair(t, 1, func(t *testing.T, f *Fair) {
		start, runs := time.Now(), 0
		err := f.Do(t.Context(), "big", func(context.Context) error {
			runs++
			return retry.After(errors.New("429"), 10*time.Second)
		})
		require.ErrorIs(t, err, retry.ErrExhausted)
		require.Equal(t, 2, runs)
		require.NoError(t, f.Do(t.Context(), "small", func(context.Context) error { return nil }))
		require.GreaterOrEqual(t, time.Since(start), 20*time.Second)
	})
}
