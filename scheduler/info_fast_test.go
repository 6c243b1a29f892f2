package scheduler

import (
	"context"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/events"
	"example.com/fairlead/retry"
)

// CallInfo knows the number of a call of the fast path before the owner knows the call, and afterwards. It is the
// number of its events. No clock was read at its grant (C15, CallInfo; E5, numbers).
func TestInfoOfFastCalls(t *testing.T) {
	fastBubble(t, Config{}, func(t *testing.T, s *Scheduler) {
		sub := s.Subscribe(events.Of(events.Failed))
		warm(t, s)
		for _, known := range []bool{false, true} {
			release, ctx := inFastWith(t, s, errFinal, Name("a"), Cost(7))
			info, ok := CallInfo(ctx)
			require.True(t, ok)
			require.NotZero(t, info.Call)
			require.Equal(t, Info{Call: info.Call, Name: "a", Attempt: 1, Cost: 7}, info)
			if known {
				require.NoError(t, Settle(ctx, "", 6))
				time.Sleep(time.Second)
				require.EqualValues(t, 1, s.Snapshot().Running)
				again, _ := CallInfo(ctx)
				require.Equal(t, info, again)
			}
			require.Equal(t, errFinal, release())
			require.Equal(t, info.Call, (<-sub.C).Call)
			warm(t, s)
		}
	})
}

// A call that failed on the fast path has the same number at its next attempt, and a time of the grant (C15).
func TestInfoAfterTheFastPath(t *testing.T) {
	fastBubble(t, Config{}, func(t *testing.T, s *Scheduler) {
		var infos []Info
		require.NoError(t, s.Do(context.Background(), func(ctx context.Context) error {
			info, _ := CallInfo(ctx)
			infos = append(infos, info)
			if len(infos) == 1 {
				return retry.Transient(errFlaky)
			}
			require.Equal(t, time.Now(), info.Granted)
			return nil
		}, Cost(2)))
		require.Equal(t, infos[0].Call, infos[1].Call)
		require.Zero(t, infos[0].Granted)
		require.Equal(t, []int{1, 2}, []int{infos[0].Attempt, infos[1].Attempt})
	})
}

// A policy with MaxElapsed has the clock read at the first grant, so that CallInfo knows when it was (C15).
func TestInfoOfFastCallsWithAClock(t *testing.T) {
	fastBubble(t, Config{}, func(t *testing.T, s *Scheduler) {
		time.Sleep(time.Second)
		warm(t, s)
		granted := time.Now()
		release, ctx := inFastWith(t, s, nil, Cost(7), Retry(retry.Policy{MaxElapsed: time.Minute}))
		time.Sleep(time.Second)
		for range 2 {
			info, ok := CallInfo(ctx)
			require.True(t, ok)
			require.Equal(t, granted, info.Granted)
			require.NoError(t, Settle(ctx, "", 6), "now the owner knows it")
		}
		require.NoError(t, release())
	})
}

// Calls that run at once have different numbers, from every cell of a lease that is spread, and each keeps its
// own while the owner takes it over. A context that was kept never describes a later call that uses the same
// memory (C15; H93). A data race would fail with -race.
func TestH93_InfoUnderFire(t *testing.T) {
	s, err := New(Config{Limit: bucket.PerSecond(1_000_000_000).Burst(1 << 30)})
	require.NoError(t, err)
	var wg sync.WaitGroup
	var seen sync.Map
	type keeper struct {
		ctx  context.Context
		name string
	}
	var kept atomic.Pointer[keeper] // of a call that runs on any goroutine, or is over
	const goroutines, each = 16, 1000
	for g := range goroutines {
		wg.Go(func() {
			for i := range each {
				name := strconv.Itoa(g*each + i)
				err := s.Do(context.Background(), func(ctx context.Context) error {
					if k := kept.Load(); k != nil {
						if info, ok := CallInfo(k.ctx); ok && info.Name != k.name {
							t.Error(k.name, info)
						}
					}
					first, _ := CallInfo(ctx)
					if i%5 == 0 {
						_ = Settle(ctx, "", 5)
					}
					runtime.Gosched()
					again, _ := CallInfo(ctx)
					if first != again || first.Name != name {
						t.Error(name, first, again)
					}
					if old, used := seen.LoadOrStore(first.Call, name); used && old != name || first.Call == 0 {
						t.Error(name, old, first)
					}
					kept.Store(&keeper{ctx, name})
					if i%11 == 0 && first.Attempt == 1 {
						return retry.After(errFlaky, 1)
					}
					return nil
				}, Cost(3), Name(name))
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 300 {
		_, _ = ask(s, func(o *owner, now time.Duration) bool { o.knowAll(now); return true })
		runtime.Gosched()
	}
	wg.Wait()
	s.Close()
}
