package keys

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

// pool runs f with two keys. One has a call every 4 s, the other every 6 s.
func pool(t *testing.T, f func(t *testing.T, p Pool)) {
	synctest.Test(t, func(t *testing.T) {
		p := Pool{}
		for key, every := range map[string]time.Duration{"a": 4 * time.Second, "b": 6 * time.Second} {
			s, err := scheduler.New(scheduler.Config{Limit: bucket.Per(1, every), Retry: retry.Policy{Jitter: retry.None}})
			require.NoError(t, err)
			defer s.Close()
			p[key] = s
		}
		f(t, p)
	})
}

// TestBothQuotasAreUsed checks that calls go out at each instant at which a key has a token, and that no token is lost.
func TestBothQuotasAreUsed(t *testing.T) {
	pool(t, func(t *testing.T, p Pool) {
		start := time.Now()
		var mu sync.Mutex
		at := map[string][]time.Duration{}
		var all sync.WaitGroup
		for range 12 {
			all.Go(func() {
				require.NoError(t, p.Do(t.Context(), func(_ context.Context, key string) error {
					mu.Lock()
					defer mu.Unlock()
					at[key] = append(at[key], time.Since(start)/time.Second)
					return nil
				}))
			})
		}
		all.Wait()
		require.Equal(t, []time.Duration{0, 4, 8, 12, 16, 20, 24}, at["a"])
		require.Equal(t, []time.Duration{0, 6, 12, 18, 24}, at["b"])
		synctest.Wait()
		for key, s := range p {
			snap := s.Snapshot()
			require.EqualValues(t, len(at[key]), snap.Ledger.Spent-snap.Ledger.Refunded, "key %s", key)
			require.Zero(t, snap.Queued+snap.Running)
		}
	})
}

// TestRefusedKey checks that a call whose key is refused goes on with the other at once, and that the refused key rests.
func TestRefusedKey(t *testing.T) {
	pool(t, func(t *testing.T, p Pool) {
		start := time.Now()
		var used []string
		refuse := func(_ context.Context, key string) error {
			if used = append(used, key); key == "a" {
				return retry.After(errors.New("429"), 100*time.Second)
			}
			return nil
		}
		for range 3 {
			require.NoError(t, p.Do(t.Context(), refuse))
		}
		require.Equal(t, 12*time.Second, time.Since(start), "at the pace of b")
		require.LessOrEqual(t, len(used), 4, "a was asked once")
	})
}

// TestErrors checks that the errors of the function, of a context and of a closed key come back, and leave nothing behind.
func TestErrors(t *testing.T) {
	pool(t, func(t *testing.T, p Pool) {
		broken := errors.New("no such model")
		require.ErrorIs(t, p.Do(t.Context(), func(context.Context, string) error { return broken }), broken)
		require.NoError(t, p.Do(t.Context(), func(context.Context, string) error { return nil }))

		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		require.NoError(t, p.Do(ctx, func(_ context.Context, key string) error {
			require.Equal(t, "a", key, "b would have been too late")
			return nil
		}))
		require.ErrorIs(t, p.Do(ctx, func(context.Context, string) error { return nil }), context.DeadlineExceeded)
		require.Panics(t, func() { _ = p.Do(t.Context(), func(context.Context, string) error { panic("oh") }) })
		p["a"].Close()
		require.ErrorIs(t, p.Do(t.Context(), func(context.Context, string) error { return nil }), scheduler.ErrClosed)
		synctest.Wait()
		require.Zero(t, p["b"].Snapshot().Queued+p["b"].Snapshot().Running)
	})
}
