package scheduler_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

// insideCalls has the ways to make a call inside another, with its context, and wait for it.
var insideCalls = map[string]func(context.Context, *scheduler.Scheduler) error{
	"Do":             func(ctx context.Context, s *scheduler.Scheduler) error { return s.Do(ctx, nothing) },
	"Do with a cost": func(ctx context.Context, s *scheduler.Scheduler) error { return s.Do(ctx, nothing, scheduler.Cost(2)) },
	"Reserve":        waysOfCallsReserve,
	"Stream": func(ctx context.Context, s *scheduler.Scheduler) (err error) {
		call := func(context.Context, int) (int, error) { return 0, nil }
		for res := range scheduler.Stream(ctx, s, slices.Values([]int{1, 2, 3}), call) {
			err = errors.Join(err, res.Err)
		}
		return err
	},
	"a derived context": func(ctx context.Context, s *scheduler.Scheduler) error {
		ctx, cancel := context.WithTimeout(ctx, time.Hour)
		defer cancel()
		return s.Do(ctx, nothing)
	},
}

func waysOfCallsReserve(ctx context.Context, s *scheduler.Scheduler) error {
	return waysOfCalls["Reserve"](ctx, s, nothing)
}

// outsideCalls names the calls whose functions get a context of their own.
var outsideCalls = []string{"Do with a cost", "Submit", "Submit, watched", "Stream"}

// If all slots are held by calls that wait for calls inside them, an inner call ends at once with
// an error (O7, MaxInFlight; H62). A deadlock would fail the test, since it runs in a bubble.
func TestH62_Deadlock(t *testing.T) {
	for _, outside := range outsideCalls {
		for inside, call := range insideCalls {
			t.Run(inside+" in "+outside, func(t *testing.T) {
				transient := func(error) retry.Verdict { return retry.Verdict{Kind: retry.KindTransient} }
				judge := func(err error) retry.Verdict {
					if v, marked := retry.Marked(err); marked {
						return v
					}
					return transient(err)
				}
				bubble(t, scheduler.Config{MaxInFlight: 1, Classify: judge}, func(t *testing.T, s *scheduler.Scheduler) {
					started := time.Now()
					err := waysOfCalls[outside](t.Context(), s, func(ctx context.Context) error { return call(ctx, s) })
					require.ErrorIs(t, err, scheduler.ErrDeadlock)
					var deadlock *scheduler.DeadlockError
					require.ErrorAs(t, err, &deadlock)
					require.Equal(t, scheduler.DeadlockError{Outer: 1, MaxInFlight: 1}, *deadlock)
					require.Zero(t, time.Since(started), "a deadlock is not retried")
					require.NoError(t, s.Do(t.Context(), nothing), "another call")
				})
			})
		}
	}
}

// With a slot to spare, all inner calls are served, even with more outer calls than slots (H62).
func TestH62_NoDeadlock(t *testing.T) {
	for _, outside := range outsideCalls {
		for inside, call := range insideCalls {
			t.Run(inside+" in "+outside, func(t *testing.T) {
				bubble(t, scheduler.Config{MaxInFlight: 2, Limit: bucket.PerSecond(1).Burst(4), Level: empty}, func(t *testing.T, s *scheduler.Scheduler) {
					require.NoError(t, waysOfCalls[outside](t.Context(), s, func(ctx context.Context) error { return call(ctx, s) }))
				})
			})
		}
	}
}

// Only as many inner calls end as needed for the others to go on (H62).
func TestH62_OthersGoOn(t *testing.T) {
	bubble(t, scheduler.Config{MaxInFlight: 3}, func(t *testing.T, s *scheduler.Scheduler) {
		var handles []*scheduler.Handle
		for range 3 {
			handles = append(handles, submit(t, s, func(ctx context.Context) error {
				time.Sleep(time.Second) // until all three run
				return s.Do(ctx, nothing)
			}))
		}
		failed := 0
		for _, h := range handles {
			if err := settled(h); err != nil {
				require.ErrorIs(t, err, scheduler.ErrDeadlock)
				failed++
			}
		}
		require.Equal(t, 1, failed)
	})
}

// A deadlock is found through a call of another scheduler in between (H62).
func TestH62_AroundTheCorner(t *testing.T) {
	bubble(t, scheduler.Config{MaxInFlight: 1}, func(t *testing.T, a *scheduler.Scheduler) {
		b := open(t, scheduler.Config{MaxInFlight: 1})
		err := settled(submit(t, a, func(ctx context.Context) error {
			return b.Do(ctx, func(ctx context.Context) error { return a.Do(ctx, nothing) }, scheduler.Cost(1))
		}))
		require.ErrorIs(t, err, scheduler.ErrDeadlock)
	})
}

// Lowering MaxInFlight can make nested calls deadlock (H62).
func TestH62_CapLowered(t *testing.T) {
	bubble(t, scheduler.Config{MaxInFlight: 2, Limit: bucket.PerMinute(1).Burst(2)}, func(t *testing.T, s *scheduler.Scheduler) {
		h := submit(t, s, func(ctx context.Context) error {
			_ = s.Do(ctx, nothing)
			return s.Do(ctx, nothing) // waits for a token
		})
		time.Sleep(time.Second)
		require.NoError(t, s.SetMaxInFlight(1))
		require.ErrorIs(t, settled(h), scheduler.ErrDeadlock)
	})
}

// So can setting MaxInFlight late (H62).
func TestH62_CapSetLater(t *testing.T) {
	bubble(t, scheduler.Config{}, func(t *testing.T, s *scheduler.Scheduler) {
		require.NoError(t, s.SetMaxInFlight(1))
		h := submit(t, s, func(ctx context.Context) error { return s.Do(ctx, nothing) })
		require.ErrorIs(t, settled(h), scheduler.ErrDeadlock)
	})
	bubble(t, scheduler.Config{Limit: oneEach, Level: empty}, func(t *testing.T, s *scheduler.Scheduler) {
		h := submit(t, s, func(ctx context.Context) error { return s.Do(ctx, nothing) })
		time.Sleep(1500 * time.Millisecond) // the outer call runs, the inner one waits for a token
		require.NoError(t, s.SetMaxInFlight(1))
		require.ErrorIs(t, settled(h), scheduler.ErrDeadlock)
	})
}

// A call of the fast path holds a slot without waiting for another call, so there is no deadlock
// (H62).
func TestH62_FastPathGoesOn(t *testing.T) {
	bubble(t, scheduler.Config{MaxInFlight: 2}, func(t *testing.T, s *scheduler.Scheduler) {
		for range 10 { // opens the fast path
			require.NoError(t, s.Do(t.Context(), nothing))
		}
		fast := goDo(t.Context(), s, func(context.Context) error { time.Sleep(time.Second); return nil })
		synctest.Wait()
		h := submit(t, s, func(ctx context.Context) error { return s.Do(ctx, nothing) })
		require.NoError(t, settled(h))
		require.NoError(t, (<-fast).err)
	})
}

// A call with the context of an ended call is not nested in the next call that uses its memory
// (H62).
func TestH62_ContextOfACallThatIsOver(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // so that the memory is reused
	bubble(t, scheduler.Config{MaxInFlight: 1}, func(t *testing.T, s *scheduler.Scheduler) {
		for range 20 {
			var left context.Context
			require.NoError(t, s.Do(t.Context(), func(ctx context.Context) error { left = ctx; return nil }, scheduler.Cost(1)))
			synctest.Wait()
			other := make(chan error, 1)
			require.NoError(t, s.Do(t.Context(), func(context.Context) error {
				go func() { other <- s.Do(left, nothing) }()
				time.Sleep(time.Second)
				return nil
			}, scheduler.Cost(1)))
			require.NoError(t, <-other)
		}
	})
}

// A call for which the outer call does not wait, or no longer waits, does not deadlock (H62).
func TestH62_NotWaitedFor(t *testing.T) {
	bubble(t, scheduler.Config{MaxInFlight: 1}, func(t *testing.T, s *scheduler.Scheduler) {
		var inner *scheduler.Handle
		require.NoError(t, settled(submit(t, s, func(ctx context.Context) error {
			var err error
			inner, err = s.Submit(context.WithoutCancel(ctx), nothing)
			return err
		})))
		require.NoError(t, settled(inner))

		err := settled(submit(t, s, func(ctx context.Context) error { return s.Do(ctx, nothing, scheduler.NoWait()) }))
		require.ErrorIs(t, err, scheduler.ErrWouldWait)

		var left context.Context
		require.NoError(t, settled(submit(t, s, func(ctx context.Context) error { left = ctx; return nil })))
		require.NoError(t, s.Do(context.WithoutCancel(left), nothing), "the outer call is over")
	})
}

// An inner call may outlive the outer one, while other calls use its memory (H62).
func TestH62_InnerOutlivesOuter(t *testing.T) {
	s := open(t, scheduler.Config{MaxInFlight: 4, Limit: bucket.PerSecond(1_000_000)})
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 200 {
				inner := make(chan error, 1)
				err := s.Do(t.Context(), func(ctx context.Context) error {
					go func() {
						err := s.Do(ctx, func(context.Context) error { runtime.Gosched(); return nil }, scheduler.Cost(2))
						if errors.Is(err, scheduler.ErrDeadlock) {
							err = nil // the outer call was still running
						}
						inner <- err
					}()
					runtime.Gosched()
					return nil
				}, scheduler.Cost(3))
				assert.NoError(t, errors.Join(err, <-inner))
			}
		})
	}
	all.Wait()
	snap := s.Snapshot()
	require.Zero(t, snap.Running+snap.Queued)
	require.Equal(t, snap.Totals.Accepted, snap.Totals.Ended())
}

// TestH62_DeadlockOfAKey checks O7, MaxInFlight, for the slots of a key. The key's only slot is held by a call that
// waits for a call of the same key. A call of another key made inside it has a slot.
func TestH62_DeadlockOfAKey(t *testing.T) {
	bubble(t, scheduler.Config{PerKey: scheduler.PerKey{MaxInFlight: 1}}, func(t *testing.T, s *scheduler.Scheduler) {
		nothing := func(context.Context) error { return nil }
		err := s.Do(t.Context(), func(ctx context.Context) error {
			require.NoError(t, s.Do(ctx, nothing, scheduler.Key("other")))
			return s.Do(ctx, nothing, scheduler.Key("acme"))
		}, scheduler.Key("acme"), scheduler.Cost(1))
		var deadlock *scheduler.DeadlockError
		require.ErrorAs(t, err, &deadlock)
		require.Equal(t, scheduler.DeadlockError{Outer: 1, MaxInFlight: 1, Key: "acme"}, *deadlock)
		require.ErrorContains(t, err, `all slots of the key "acme" (PerKey.MaxInFlight is 1)`)
		require.NoError(t, s.Do(t.Context(), nothing, scheduler.Key("acme")))
	})
}
