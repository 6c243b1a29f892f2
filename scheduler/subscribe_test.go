package scheduler_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/events"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

// texts returns the texts of a subscription's events. The scheduler must be closed.
func texts(sub *events.Subscription) (all []string) {
	for ev := range sub.C {
		all = append(all, ev.String())
	}
	return all
}

// The events of a call come in a fixed order (E1, order).
func TestE1_LifeOfCalls(t *testing.T) {
	bubble(t, scheduler.Config{Retry: exact, Limit: oneEach}, func(t *testing.T, s *scheduler.Scheduler) {
		sub := s.Subscribe(events.All)
		f := &flaky{failures: 1, err: retry.After(errBusy, time.Minute)}
		_ = s.Do(t.Context(), f.run, scheduler.Name("slow"), scheduler.Cost(4))
		_ = s.Do(t.Context(), func(context.Context) error { return errBroken })
		_ = s.Do(t.Context(), nothing, scheduler.Cost(0))
		soon, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_ = s.Do(soon, nothing, scheduler.Cost(10), scheduler.Name("late"))
		s.Close()
		var seqs []uint64
		var got []string
		for ev := range sub.C {
			seqs = append(seqs, ev.Seq)
			text, _, _ := strings.Cut(ev.String(), ":")
			got = append(got, text)
		}
		require.Equal(t, []string{
			`call 1 "slow" queued`, `call 1 "slow" granted`, `call 1 "slow" started`, `call 1 "slow" held`, `call 1 "slow" retrying`,
			`call 1 "slow" queued`, `call 1 "slow" granted`, `call 1 "slow" started`, `call 1 "slow" succeeded`,
			"call 2 queued", "call 2 granted", "call 2 started", "call 2 failed after 1s (tokens 1s)",
			"call 3 queued", "call 3 granted", "call 3 started", "call 3 succeeded",
			`"late" refused`, "shut down",
		}, got)
		for i, seq := range seqs {
			require.EqualValues(t, i+1, seq)
		}
	})
}

// A subscription has only the kinds it asked for, and its channel is closed at the end (E3,
// completeness).
func TestE3_KindsAndEnd(t *testing.T) {
	bubble(t, scheduler.Config{}, func(t *testing.T, s *scheduler.Scheduler) {
		some, none, left := s.Subscribe(events.Of(events.Succeeded, events.ShutDown)), s.Subscribe(events.Of(events.Exhausted)), s.Subscribe(events.All)
		require.NoError(t, s.Do(t.Context(), nothing))
		s.Sync() // Do does not wait for the owner
		left.Close()
		require.NoError(t, s.Do(t.Context(), nothing))
		s.Close()
		require.Equal(t, []string{"call 1 succeeded: attempt 1 of 6", "call 2 succeeded: attempt 1 of 6", "shut down"}, texts(some))
		require.Empty(t, texts(none))
		require.Len(t, texts(left), 4)
	})
}

// A subscription to a set has exactly the events that a subscription to all has of these kinds, in the
// same order (E3).
func TestE3_Sets(t *testing.T) {
	cfg := scheduler.Config{Retry: retry.Policy{MaxRetries: 1, Jitter: retry.None}, Limit: oneEach, MaxQueued: 1, Overflow: scheduler.RefuseNew}
	bubble(t, cfg, func(t *testing.T, s *scheduler.Scheduler) {
		sets := []events.Kinds{events.Ends, events.Of(events.Held, events.Paused), events.Ends | events.Of(events.Retrying), events.All &^ events.Ends}
		all := s.Subscribe(events.All)
		subs := make([]*events.Subscription, len(sets))
		for i, set := range sets {
			subs[i] = s.Subscribe(set)
		}
		for _, f := range []func(context.Context) error{nothing, failing(errBroken).run, failing(nil).run, (&flaky{failures: 1, err: retry.After(errBusy, time.Minute)}).run} {
			_ = s.Do(t.Context(), f)
		}
		s.Pause()
		waits := submit(t, s, nothing)
		require.Error(t, s.Do(t.Context(), nothing))
		waits.Cancel()
		s.Resume()
		s.Close()
		want := make([][]events.Event, len(sets))
		var seen events.Kinds
		for ev := range all.C {
			seen |= events.Of(ev.Kind)
			for i, set := range sets {
				if set.Has(ev.Kind) {
					want[i] = append(want[i], ev)
				}
			}
		}
		ends := events.Of(events.Succeeded, events.Failed, events.Exhausted, events.Canceled, events.Refused)
		require.Equal(t, ends|events.Of(events.Held, events.Paused, events.Retrying), seen&(events.Ends|events.Of(events.Held, events.Paused, events.Retrying)))
		for i, sub := range subs {
			var got []events.Event
			for ev := range sub.C {
				got = append(got, ev)
			}
			require.Equal(t, want[i], got, "set %d", i)
		}
	})
}

// Events of other kinds take no room in a subscription's buffer, and are not missed by it (E2).
func TestE2_MissedOfASet(t *testing.T) {
	bubble(t, scheduler.Config{EventBuffer: 4, Limit: bucket.PerSecond(1_000_000)}, func(t *testing.T, s *scheduler.Scheduler) {
		few, ends := s.Subscribe(events.Of(events.Failed)), s.Subscribe(events.Ends)
		for i := range 100 {
			f := nothing
			if i%25 == 0 {
				f = failing(errBroken).run
			}
			_ = s.Do(t.Context(), f)
		}
		s.Close()
		for range 4 {
			require.Zero(t, (<-few.C).Missed)
		}
		require.Empty(t, texts(few))
		var got, missed uint64
		for ev := range ends.C {
			got++
			missed += ev.Missed
		}
		require.LessOrEqual(t, got, uint64(4))
		require.EqualValues(t, 100, got+missed, "only ends are counted")
	})
}

// A subscriber that does not read loses events and nothing else (E2, slow subscribers).
func TestH21_StalledSubscriber(t *testing.T) {
	bubble(t, scheduler.Config{EventBuffer: 4, Limit: bucket.PerSecond(1_000_000)}, func(t *testing.T, s *scheduler.Scheduler) {
		sub := s.Subscribe(events.All)
		for range 1000 {
			require.NoError(t, s.Do(t.Context(), nothing))
		}
		s.Close()
		var got, missed uint64
		for ev := range sub.C {
			got++
			missed += ev.Missed
		}
		require.LessOrEqual(t, got, uint64(4))
		require.EqualValues(t, 4*1000+1, got+missed)
	})
}

// Without a subscriber, a call by the owner allocates nothing (E3). A call with a cost allocates
// its context.
func TestE3_EventsCostNothing(t *testing.T) {
	s := open(t, scheduler.Config{Limit: bucket.Per(1_000_000_000, time.Second)})
	ctx := context.Background()
	for allocs, calls := range [][]func(){
		{
			func() { _ = s.Do(ctx, nothing) },
			func() { _ = s.Do(ctx, nothing, scheduler.Priority(3), scheduler.Name("x")) },
		},
		{
			func() { _ = s.Do(ctx, nothing, scheduler.Cost(3), scheduler.Name("x")) },
			func() { _ = s.Do(ctx, nothing, scheduler.CostOf("", 3)) },
		},
	} {
		for i, call := range calls {
			call()
			require.Less(t, testing.AllocsPerRun(1000, call), float64(allocs)+poolLoses, i)
		}
	}
}

// At most MaxInFlight functions run at once, and a call that backs off holds no slot (O7,
// MaxInFlight).
func TestMaxInFlight(t *testing.T) {
	bubble(t, scheduler.Config{MaxInFlight: 3, Retry: exact}, func(t *testing.T, s *scheduler.Scheduler) {
		var running, most atomic.Int32
		work := func(context.Context) error {
			if n := running.Add(1); n > most.Load() {
				most.Store(n)
			}
			time.Sleep(time.Second)
			running.Add(-1)
			return nil
		}
		started := time.Now()
		for range 30 {
			submit(t, s, work)
		}
		left, err := s.Shutdown(t.Context())
		require.NoError(t, err)
		require.Empty(t, left)
		require.EqualValues(t, 3, most.Load())
		require.Equal(t, 10*time.Second, time.Since(started))
	})
	bubble(t, scheduler.Config{MaxInFlight: 1, Retry: exact}, func(t *testing.T, s *scheduler.Scheduler) {
		started := time.Now()
		submit(t, s, (&flaky{failures: 1}).run)
		require.NoError(t, settled(submit(t, s, nothing)))
		require.Zero(t, time.Since(started), "the other backs off and holds no slot")
	})
}
