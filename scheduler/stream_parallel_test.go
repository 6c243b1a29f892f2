package scheduler_test

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/events"
	"example.com/fairlead/retry"
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

// A call that backs off has no place. When it comes back it waits for one, ahead of inputs that have not been
// submitted (C13).
func TestParallelAndRetries(t *testing.T) {
	bubble(t, scheduler.Config{Retry: exact}, func(t *testing.T, s *scheduler.Scheduler) {
		var m most
		var log []string
		started, tried := time.Now(), 0
		for r := range scheduler.Stream(t.Context(), s, upTo(4), func(_ context.Context, i int) (int, error) {
			m.begin()
			defer m.end()
			log = append(log, fmt.Sprint(i, " at ", time.Since(started)))
			if i > 0 {
				time.Sleep(5 * time.Second)
			} else if tried++; tried < 3 {
				return 0, retry.Transient(errBusy)
			}
			return 0, nil
		}, scheduler.Parallel(1)) {
			require.NoError(t, r.Err)
			if r.Index == 0 {
				require.Equal(t, events.Times{Backoff: 10 * time.Second}, r.Times, "the wait for a place is part of it")
			}
		}
		require.Equal(t, []string{"0 at 0s", "1 at 0s", "0 at 5s", "2 at 5s", "0 at 10s", "3 at 10s"}, log, "the backoff is 1s and then 2s")
		require.EqualValues(t, 1, m.max.Load())
	})
}

// A call that arrives later has no place until then (C13).
func TestParallelAndLaterArrivals(t *testing.T) {
	bubble(t, scheduler.Config{}, func(t *testing.T, s *scheduler.Scheduler) {
		started := time.Now()
		var log []string
		work := func(_ context.Context, i int) (int, error) {
			log = append(log, fmt.Sprint(i, " at ", time.Since(started)))
			time.Sleep(2 * time.Second)
			return i, nil
		}
		first := scheduler.OptionsFor(func(i int) []scheduler.Option {
			if i == 0 {
				return []scheduler.Option{scheduler.Delay(time.Second)}
			}
			return nil
		})
		for r := range scheduler.Stream(t.Context(), s, upTo(3), work, scheduler.Parallel(1), first) {
			require.NoError(t, r.Err)
		}
		require.Equal(t, []string{"1 at 0s", "0 at 2s", "2 at 4s"}, log)
	})
}

// A call that waits for a place after its backoff ends with its context and with the scheduler (C13).
func TestParallelEndsWithoutAPlace(t *testing.T) {
	for name, end := range map[string]func(*testing.T, *scheduler.Scheduler, func()){
		"canceled": func(_ *testing.T, _ *scheduler.Scheduler, cancel func()) { cancel() },
		"closed":   func(_ *testing.T, s *scheduler.Scheduler, _ func()) { s.Close() },
		"shut down": func(t *testing.T, s *scheduler.Scheduler, _ func()) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			left, err := s.Shutdown(ctx)
			require.ErrorIs(t, err, scheduler.ErrClosed)
			require.Equal(t, "backing off", left[0].State)
			require.Equal(t, epoch.Add(time.Second), left[0].Due.UTC())
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, scheduler.Config{Retry: exact}, func(t *testing.T, s *scheduler.Scheduler) {
				work := func(ctx context.Context, i int) (int, error) {
					if i == 0 {
						return 0, retry.Transient(errBusy)
					}
					time.Sleep(5 * time.Second) // the function ignores its context
					return i, nil
				}
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				go func() {
					time.Sleep(3 * time.Second)
					snap := s.Snapshot()
					require.Equal(t, []int{1, 0, 1}, []int{snap.BackingOff, snap.Queued, snap.Running})
					require.Zero(t, snap.NextRetry)
					end(t, s, cancel)
				}()
				got := slices.SortedFunc(scheduler.Stream(ctx, s, upTo(3), work, scheduler.Parallel(1)),
					func(a, b scheduler.Result[int, int]) int { return a.Index - b.Index })
				require.ErrorIs(t, got[0].Err, errBusy)
				require.Equal(t, 1, got[0].Attempts)
				require.NoError(t, got[1].Err)
				require.Zero(t, got[2].Attempts)
				require.Error(t, got[2].Err)
			})
		})
	}
}

// With n places a stream is as quick as with a cap of the scheduler on n running calls, whichever of tokens
// and places is scarce (C13).
func TestParallelLosesNoThroughput(t *testing.T) {
	took := func(t *testing.T, failing int, cfg scheduler.Config, opts ...scheduler.StreamOption) (took time.Duration) {
		cfg.Limit = bucket.PerSecond(100).Burst(10)
		bubble(t, cfg, func(t *testing.T, s *scheduler.Scheduler) {
			started := time.Now()
			var failed [3000]atomic.Bool
			work := func(_ context.Context, i int) (int, error) {
				time.Sleep(time.Duration(20+i*i%161) * time.Millisecond) // 0.1 s on average
				if i%10 < failing && failed[i].CompareAndSwap(false, true) {
					return 0, retry.Transient(errBusy)
				}
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
		for _, failing := range []int{0, 1, 3} { // of 10 calls, so many back off for 1 to 2 s
			capped := took(t, failing, scheduler.Config{MaxInFlight: n})
			parallel := took(t, failing, scheduler.Config{}, scheduler.Parallel(n))
			t.Logf("n %d, %d of 10 fail once: %v with MaxInFlight, %v with Parallel", n, failing, capped, parallel)
			require.InEpsilon(t, capped, parallel, 0.02, n)
		}
	}
}
