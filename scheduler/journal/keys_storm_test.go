package journal

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

// TestNoKeyGetsMoreByRestarts lets calls of some keys fail, be refused for a while, settle and be cut off over many lives. In
// no window of time does a key begin more than its limit allows, and nothing of a key begins before a server's wait is over.
func TestNoKeyGetsMoreByRestarts(t *testing.T) {
	const burst, each, slack = 4, 2 * time.Second, 25 * time.Millisecond
	for seed := range uint64(12) {
		dir := t.TempDir()
		rng, own := rand.New(rand.NewPCG(seed, 1)), rand.New(rand.NewPCG(seed, 2)) // own is of the handlers
		synctest.Test(t, func(t *testing.T) {
			l := newLife(t, dir, scheduler.Config{
				Limit: bucket.Unlimited, Retry: retry.Policy{Seed: 3, Max: 5 * time.Second, MaxRetries: 9}, PerKey: scheduler.PerKey{Limit: bucket.Per(1, each).Burst(burst)},
			})
			var mu sync.Mutex
			began, paid, held := map[string][]time.Time{}, map[string]int64{}, map[string]time.Time{}
			l.cfg.Handlers["random"] = func(ctx context.Context, _ []byte) error {
				info, _ := CallInfo(ctx)
				mu.Lock()
				defer mu.Unlock()
				now, key := time.Now(), info.Key
				if now.Before(held[key]) && now.After(held[key].Add(-5*time.Second)) { // else both began at once
					t.Errorf("seed %d: a call of key %s begins %v too early", seed, key, held[key].Sub(now))
				}
				began[key] = append(began[key], now)
				paid[key]++
				switch own.IntN(12) {
				case 0:
					held[key] = now.Add(5 * time.Second)
					return retry.After(errBusy, 5*time.Second)
				case 1, 2:
					return retry.Transient(errBusy)
				case 3:
					paid[key] += 2
					return scheduler.Settle(ctx, scheduler.KeyBudget, 3)
				case 4, 5:
					takes := time.Duration(own.IntN(3000)) * time.Millisecond
					mu.Unlock()
					select {
					case <-time.After(takes):
					case <-ctx.Done():
					}
					mu.Lock()
				}
				return context.Cause(ctx)
			}
			l.end()
			l.begin()
			for range 25 {
				for range rng.IntN(4) {
					_, err := l.j.Submit(t.Context(), Call{Handler: "random", Key: fmt.Sprint("k", rng.IntN(3))})
					require.NoError(t, err)
				}
				time.Sleep(time.Duration(rng.IntN(4000)) * time.Millisecond)
				if rng.IntN(2) == 0 {
					l.end()
				} else {
					l.die()
				}
				time.Sleep(time.Duration(rng.IntN(1000)) * time.Millisecond)
				l.begin()
			}
			l.end()
			for key, at := range began {
				for i := range at {
					for k := i; k < len(at); k++ {
						most := burst + int((at[k].Sub(at[i])+slack)/each) + 1
						require.LessOrEqual(t, k-i+1, most, "seed %d: key %s from %v to %v", seed, key, at[i].Sub(l.start), at[k].Sub(l.start))
					}
				}
				require.LessOrEqual(t, paid[key], int64(time.Since(l.start)/each)+2*burst, "with what was settled: at most a debt of the capacity")
			}
		})
	}
}
