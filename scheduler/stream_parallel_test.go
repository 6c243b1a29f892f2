package scheduler_test

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/scheduler"
)

// most counts what runs at once.
type most struct{ running, max atomic.Int64 }

func (m *most) begin() {
	n := m.running.Add(1)
	for old := m.max.Load(); n > old && !m.max.CompareAndSwap(old, n); old = m.max.Load() {
	}
}

func (m *most) end() { m.running.Add(-1) }

// At most Parallel functions of a stream run at once, and other calls of the scheduler do not count (C13).
func TestParallel(t *testing.T) {
	for name, opts := range map[string][]scheduler.StreamOption{"as finished": nil, "ordered": {scheduler.Ordered()}, "few in hand": {scheduler.LookAhead(3)}} {
		t.Run(name, func(t *testing.T) {
			bubble(t, scheduler.Config{Limit: bucket.PerSecond(1000), Retry: exact}, func(t *testing.T, s *scheduler.Scheduler) {
				release := make(chan struct{})
				for range 5 {
					submit(t, s, func(context.Context) error { <-release; return nil })
				}
				var m most
				work := func(_ context.Context, i int) (int, error) {
					m.begin()
					defer m.end()
					time.Sleep(time.Duration(1+i%7) * time.Second)
					return i, nil
				}
				started, sum, total := time.Now(), time.Duration(0), 0
				for r := range scheduler.Stream(t.Context(), s, upTo(200), work, append(opts, scheduler.Parallel(4))...) {
					require.NoError(t, r.Err)
					sum += r.Times.Run
					total++
				}
				took := time.Since(started)
				close(release)
				require.Equal(t, 200, total)
				if name == "few in hand" {
					require.EqualValues(t, 3, m.max.Load(), "LookAhead bounds it, too")
					return
				}
				require.EqualValues(t, 4, m.max.Load())
				require.Less(t, took, sum/4+8*time.Second, "the places are used in full")
			})
		})
	}
}

// A token is not taken for a call that has no place, so the stream holds up no other call (C13).
func TestParallelTakesNoTokens(t *testing.T) {
	bubble(t, scheduler.Config{Limit: oneEach}, func(t *testing.T, s *scheduler.Scheduler) {
		release := make(chan struct{})
		done := make(chan int)
		go func() {
			done <- len(slices.Collect(scheduler.Stream(t.Context(), s, upTo(5), func(context.Context, int) (int, error) {
				<-release
				return 0, nil
			}, scheduler.Parallel(2))))
		}()
		synctest.Wait()
		snap := s.Snapshot()
		require.Equal(t, []int64{2, 8, 0}, []int64{int64(snap.Running), snap.Available, int64(snap.Queued)})
		require.NoError(t, s.Do(t.Context(), nothing, scheduler.Cost(8)), "at once")
		close(release)
		require.Equal(t, 5, <-done)
	})
}

// A result that was not taken has no place, so a slow reader of results does not stop the calls (C13).
func TestParallelOfASlowReader(t *testing.T) {
	bubble(t, scheduler.Config{}, func(t *testing.T, s *scheduler.Scheduler) {
		var ran atomic.Int64
		work := func(context.Context, int) (int, error) { return int(ran.Add(1)), nil }
		for range scheduler.Stream(t.Context(), s, upTo(30), work, scheduler.Parallel(2), scheduler.LookAhead(10)) {
			synctest.Wait()
			require.EqualValues(t, 11, ran.Load(), "one is taken, and 10 are in hand")
			break
		}
	})
}

// A call that backs off keeps its place, so its retry needs no other (C13).
func TestParallelAndRetries(t *testing.T) {
	bubble(t, scheduler.Config{Retry: exact}, func(t *testing.T, s *scheduler.Scheduler) {
		var m most
		calls := []func(context.Context) error{(&flaky{failures: 2}).run, nothing, nothing}
		started := time.Now()
		var at []time.Duration
		for r := range scheduler.Stream(t.Context(), s, slices.Values(calls), func(ctx context.Context, call func(context.Context) error) (int, error) {
			m.begin()
			defer m.end()
			return 0, call(ctx)
		}, scheduler.Parallel(1), scheduler.Ordered()) {
			require.NoError(t, r.Err)
			at = append(at, time.Since(started))
		}
		require.Equal(t, []time.Duration{3 * time.Second, 3 * time.Second, 3 * time.Second}, at, "the backoff is 1s and then 2s")
		require.EqualValues(t, 1, m.max.Load())
	})
}

// With n places a stream is as quick as with a cap of the scheduler on n running calls, whichever of tokens
// and places is scarce (C13).
func TestParallelLosesNoThroughput(t *testing.T) {
	took := func(t *testing.T, cfg scheduler.Config, opts ...scheduler.StreamOption) (took time.Duration) {
		cfg.Limit = bucket.PerSecond(100).Burst(10)
		bubble(t, cfg, func(t *testing.T, s *scheduler.Scheduler) {
			started := time.Now()
			work := func(_ context.Context, i int) (int, error) {
				time.Sleep(time.Duration(20+i*i%161) * time.Millisecond) // 0.1 s on average
				return i, nil
			}
			for r := range scheduler.Stream(t.Context(), s, upTo(3000), work, opts...) {
				require.NoError(t, r.Err)
			}
			took = time.Since(started)
		})
		return took
	}
	for _, n := range []int{5, 10, 20} {
		capped := took(t, scheduler.Config{MaxInFlight: n})
		parallel := took(t, scheduler.Config{}, scheduler.Parallel(n))
		t.Logf("n %d: %v with MaxInFlight, %v with Parallel", n, capped, parallel)
		require.InEpsilon(t, capped, parallel, 0.01, n)
	}
}
