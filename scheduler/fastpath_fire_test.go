package scheduler

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry"
)

// TestFastPathUnderFire uses the fast path and the path by the owner from many goroutines, which
// cancel, fail and take snapshots. No call starts before its token exists, by any clock (B2,
// exactness; C1, one end).
func TestFastPathUnderFire(t *testing.T) {
	limit := bucket.PerSecond(1_000_000).Burst(1000)
	t.Run("one budget", func(t *testing.T) { fire(t, Config{Limit: limit, MaxInFlight: 48}) })
	t.Run("cells", func(t *testing.T) { fire(t, Config{Limit: limit}) })
	t.Run("two budgets", func(t *testing.T) {
		fire(t, Config{Limits: bucket.Limits{"a": bucket.PerSecond(3_000_000).Burst(700_000), "b": limit}, MaxInFlight: 48})
	})
}

func fire(t *testing.T, cfg Config) {
	const goroutines, each = 64, 3000
	cfg.Retry = retry.Policy{Initial: time.Microsecond, Max: time.Microsecond}
	began := time.Now()
	s, err := New(cfg)
	require.NoError(t, err)
	var ran atomic.Int64
	var mu sync.Mutex
	var starts []time.Duration
	var most, now atomic.Int32
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			mine := make([]time.Duration, 0, each)
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			for i := range each {
				fails := i%97 == 0
				attempt := func(context.Context) error {
					mine = append(mine, time.Since(began))
					if n := now.Add(1); n > most.Load() {
						most.Store(n)
					}
					defer now.Add(-1)
					ran.Add(1)
					if fails {
						fails = false
						return retry.Transient(errFlaky)
					}
					return nil
				}
				var opts []Option
				if i%31 == g%31 {
					opts = []Option{Priority(g % 3)}
				}
				if i%50 == 0 {
					s.fast.cells[0].clashes.Add(manyClashes + 1)
				}
				switch err := s.Do(ctx, attempt, opts...); {
				case err != nil && !errors.Is(err, context.Canceled):
					t.Error(err)
				case i%500 == 0:
					s.Snapshot()
				}
			}
			mu.Lock()
			defer mu.Unlock()
			starts = append(starts, mine...)
		})
	}
	wg.Wait()
	snap := s.Snapshot()
	s.Close()
	slices.Sort(starts)
	for i, at := range starts {
		if allowed := 1000 + int64(at/time.Microsecond); int64(i+1) > allowed {
			t.Fatalf("%d calls had started after %v, with %d tokens until then", i+1, at, allowed)
		}
	}
	require.EqualValues(t, ran.Load(), snap.Totals.Attempts)
	require.EqualValues(t, goroutines*each, snap.Totals.Succeeded)
	if cfg.MaxInFlight > 0 {
		require.LessOrEqual(t, most.Load(), int32(cfg.MaxInFlight))
	} else {
		require.NotZero(t, s.fast.cells[1].word.Load(), "the lease was never spread")
	}
	require.Zero(t, snap.Running+snap.Queued+snap.BackingOff)
	for _, b := range snap.Budgets {
		require.EqualValues(t, ran.Load(), b.Ledger.Spent)
		require.Equal(t, b.Ledger.Initial+b.Ledger.Refilled+b.Ledger.Refunded+b.Ledger.Adjusted, b.Ledger.Spent+b.Available)
	}
}
