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
		sub := s.Subscribe()
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
		some, none, left := s.Subscribe(events.Succeeded, events.ShutDown), s.Subscribe(events.Exhausted), s.Subscribe()
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

// A subscriber that does not read loses events and nothing else (E2, slow subscribers).
func TestH21_StalledSubscriber(t *testing.T) {
	bubble(t, scheduler.Config{EventBuffer: 4, Limit: bucket.PerSecond(1_000_000)}, func(t *testing.T, s *scheduler.Scheduler) {
		sub := s.Subscribe()
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
