package scheduler_test

import (
	"context"
	"math"
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

// A queued call moves at once, and keeps its arrival however often its priority changes (O8,
// SetPriority).
func TestSetPriority(t *testing.T) {
	bubble(t, scheduler.Config{Limit: oneEach, Level: empty, PriorityStep: time.Minute}, func(t *testing.T, s *scheduler.Scheduler) {
		calls := make([]*scheduler.Handle, 4)
		for i := range calls {
			calls[i] = submit(t, s, nothing, scheduler.Priority(i%2))
			time.Sleep(time.Millisecond)
		}
		places := func(want ...int) {
			t.Helper()
			for i, h := range calls {
				require.Equal(t, want[i], h.Estimate().Position, "call %d", i)
			}
		}
		places(3, 1, 4, 2)
		require.NoError(t, calls[1].SetPriority(0))
		places(2, 3, 4, 1)
		require.NoError(t, calls[2].SetPriority(math.MinInt)) // its rank does not tell when it arrived
		places(2, 3, 4, 1)
		require.NoError(t, calls[3].SetPriority(math.MaxInt))
		places(2, 3, 4, 1)
		require.NoError(t, calls[2].SetPriority(0))
		require.NoError(t, calls[3].SetPriority(0))
		places(1, 2, 3, 4)
		require.NoError(t, calls[3].SetPriority(1))
		for i, at := range seconds(2, 3, 4, 1) {
			require.NoError(t, settled(calls[i]))
			require.Equal(t, at-time.Duration(i)*time.Millisecond, calls[i].Times().Total())
		}
	})
}

// Of a call that backs off the new priority counts when it is queued again, and of a running one
// for its next attempt (O8, SetPriority).
func TestSetPriorityOfARetry(t *testing.T) {
	for name, at := range map[string]time.Duration{"running": time.Second + time.Millisecond, "backing off": 2500 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			cfg := scheduler.Config{Limit: oneEach, Level: empty, Retry: retry.Policy{Initial: 4 * time.Second, Jitter: retry.None}}
			bubble(t, cfg, func(t *testing.T, s *scheduler.Scheduler) {
				f := &flaky{failures: 1}
				h := submit(t, s, func(ctx context.Context) error {
					time.Sleep(time.Second)
					return f.run(ctx)
				})
				for range 9 {
					submit(t, s, nothing)
				}
				time.Sleep(at)
				require.NoError(t, h.SetPriority(-1))
				time.Sleep(6*time.Second - at - time.Millisecond)
				require.Equal(t, 1, s.Snapshot().BackingOff)
				time.Sleep(2 * time.Millisecond)
				require.Equal(t, 5, h.Estimate().Position, "behind the calls that it was ahead of")
				require.NoError(t, h.SetPriority(0))
				require.Equal(t, 1, h.Estimate().Position)
				require.NoError(t, settled(h))
				require.Equal(t, 2, h.Attempts())
			})
		})
	}
}

// A head that gives up its place lets the next call start in the same step if its tokens exist.
func TestSetPriorityOfTheHead(t *testing.T) {
	bubble(t, scheduler.Config{Limit: oneEach, Level: &bucket.State{Tokens: 5}}, func(t *testing.T, s *scheduler.Scheduler) {
		big := submit(t, s, nothing, scheduler.Cost(10))
		small := submit(t, s, nothing)
		require.Equal(t, 2, small.Estimate().Position)
		require.NoError(t, big.SetPriority(-1))
		require.NoError(t, settled(small))
		require.Zero(t, small.Times())
		require.NoError(t, settled(big))
		require.Equal(t, 6*time.Second, big.Times().Total())
	})
}

// A call that would miss its deadline at its new place ends at once (C4, deadlines).
func TestSetPriorityAndDeadline(t *testing.T) {
	bubble(t, scheduler.Config{Limit: oneEach, Level: empty}, func(t *testing.T, s *scheduler.Scheduler) {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		hurried, err := s.Submit(ctx, nothing)
		require.NoError(t, err)
		patient, err := s.Submit(ctx, nothing, scheduler.WaitUntilDeadline())
		require.NoError(t, err)
		for range 5 {
			submit(t, s, nothing)
		}
		require.NoError(t, hurried.SetPriority(-1))
		var late *scheduler.DeadlineError
		require.ErrorAs(t, settled(hurried), &late)
		require.Equal(t, 7*time.Second, late.Wait)
		require.NoError(t, patient.SetPriority(-1))
		require.Equal(t, 6, patient.Estimate().Position)
		require.ErrorIs(t, settled(patient), context.DeadlineExceeded)
		require.Equal(t, 3*time.Second, patient.Times().Total())
	})
}

// SetPriority changes nothing of a call that has ended, and the report of Shutdown has the new priority.
func TestSetPriorityAndEnd(t *testing.T) {
	bubble(t, scheduler.Config{Limit: oneEach, Level: &bucket.State{Tokens: 1}}, func(t *testing.T, s *scheduler.Scheduler) {
		ended := submit(t, s, nothing)
		require.NoError(t, settled(ended))
		require.NoError(t, ended.SetPriority(7))
		require.NoError(t, ended.Err())
		first, second := submit(t, s, nothing, scheduler.Priority(3)), submit(t, s, nothing, scheduler.Name("second"))
		started := time.Now()
		require.NoError(t, second.SetPriority(4))
		now, cancel := context.WithCancel(t.Context())
		cancel()
		left, err := s.Shutdown(now)
		require.ErrorIs(t, err, scheduler.ErrClosed)
		require.Len(t, left, 2)
		require.Equal(t, "second", left[0].Name)
		require.Equal(t, 4, left[0].Priority)
		require.True(t, started.Add(-4*time.Minute).Equal(left[0].Rank))
		require.Equal(t, 3, left[1].Priority)
		require.ErrorIs(t, first.SetPriority(1), scheduler.ErrClosed)
	})
}

// TestSetPriorityStorm changes priorities while the calls are granted, retried, settled and canceled.
// The race detector looks on.
func TestSetPriorityStorm(t *testing.T) {
	cfg := scheduler.Config{Limit: bucket.PerSecond(1000).Burst(50), MaxInFlight: 20, Retry: retry.Policy{Initial: time.Millisecond}}
	bubble(t, cfg, func(t *testing.T, s *scheduler.Scheduler) {
		shared := []scheduler.Option{scheduler.Name("shared"), scheduler.Priority(1), scheduler.Cost(2)}
		calls := make([]*scheduler.Handle, 500)
		require.NoError(t, s.Pause()) // until all handles are there
		for i := range calls {
			f := &flaky{failures: int64(i % 3)}
			opts := shared[:i%4]
			if i%5 == 0 {
				opts = append(opts[:len(opts):len(opts)], scheduler.OnProgress(func(scheduler.Progress) {}))
			}
			calls[i] = submit(t, s, func(ctx context.Context) error {
				_ = scheduler.Settle(ctx, "", 1)
				_ = calls[i].SetPriority(3) // by the running call itself
				time.Sleep(time.Millisecond)
				return f.run(ctx)
			}, opts...)
		}
		require.NoError(t, s.Resume())
		var changers sync.WaitGroup
		for g := range 8 {
			changers.Go(func() {
				rnd := rand.New(rand.NewPCG(uint64(g), 1))
				for range 2000 {
					h := calls[rnd.IntN(len(calls))]
					if err := h.SetPriority(rnd.IntN(9) - 4); err != nil {
						t.Error(err)
					}
					if rnd.IntN(20) == 0 {
						h.Cancel()
					}
					time.Sleep(time.Microsecond)
				}
			})
		}
		changers.Wait()
		synctest.Wait()
		for _, h := range calls {
			if err := settled(h); err != nil {
				require.ErrorIs(t, err, scheduler.ErrCanceled)
			}
		}
		require.EqualValues(t, len(calls), s.Snapshot().Totals.Ended())
	})
}
