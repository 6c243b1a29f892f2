package scheduler_test

import (
	"context"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

// MaxQueued does not bound calls that have arrived in an earlier life, but those count for the calls that come (C18,
// resumed).
func TestMaxQueuedAndResumedCalls(t *testing.T) {
	for _, overflow := range []scheduler.Overflow{scheduler.WaitForRoom, scheduler.RefuseNew, scheduler.DropLowest} {
		bubble(t, scheduler.Config{Limit: oneEach, Level: empty, MaxQueued: 2, Overflow: overflow}, func(t *testing.T, s *scheduler.Scheduler) {
			var handles []*scheduler.Handle
			for range 5 {
				handles = append(handles, submit(t, s, nothing, scheduler.Resumed(scheduler.Unfinished{State: "queued", Rank: time.Now(), Cost: 1})))
			}
			start := time.Now()
			err := s.Do(t.Context(), nothing)
			if overflow == scheduler.WaitForRoom {
				require.NoError(t, err)
				require.Equal(t, 6*time.Second, time.Since(start))
			} else {
				require.ErrorIs(t, err, scheduler.ErrQueueFull)
			}
			for _, h := range handles {
				require.NoError(t, settled(h))
			}
		})
	}
}

// A reservation is resumed as any call, with the number of its attempt (C18, resumed).
func TestReserveResumed(t *testing.T) {
	bubble(t, scheduler.Config{Retry: exact}, func(t *testing.T, s *scheduler.Scheduler) {
		r, err := s.Reserve(t.Context(), scheduler.Resumed(scheduler.Unfinished{
			Call: 8, State: "backing off", Rank: time.Now(), Cost: 2, Attempts: 2, Paid: 4, Due: time.Now().Add(time.Second), Err: "busy",
		}))
		require.NoError(t, err)
		start := time.Now()
		<-r.Ready()
		require.NoError(t, r.Err())
		require.Equal(t, time.Second, time.Since(start))
		require.EqualValues(t, 8, r.Call())
		require.NoError(t, r.Settle("", 1))
		next, err := r.Retry(retry.Transient(errBusy))
		require.NoError(t, err)
		<-next.Ready()
		require.Equal(t, 5*time.Second, time.Since(start), "after the third attempt")
		next.Done(nil)
		s.Sync()
		require.EqualValues(t, 3, s.Snapshot().Ledger.Spent-s.Snapshot().Ledger.Refunded)
	})
}

// Each input of a stream can resume a call of its own (C18, resumed).
func TestStreamResumesCalls(t *testing.T) {
	bubble(t, scheduler.Config{Limit: oneEach, Level: empty}, func(t *testing.T, s *scheduler.Scheduler) {
		left := []scheduler.Unfinished{
			{Call: 4, Name: "fails", State: "backing off", Rank: time.Now(), Cost: 1, Attempts: 3, Due: time.Now().Add(3 * time.Second)},
			{Call: 2, Name: "queued", State: "queued", Rank: time.Now(), Cost: 1},
			{Call: 2, Name: "twice", State: "queued", Rank: time.Now(), Cost: 1},
		}
		attempt := func(ctx context.Context, _ scheduler.Unfinished) (int, error) {
			info, _ := scheduler.CallInfo(ctx)
			return info.Attempt, nil
		}
		resumed := func(u scheduler.Unfinished) []scheduler.Option { return []scheduler.Option{scheduler.Resumed(u)} }
		got := map[string]int{}
		for r := range scheduler.Stream(t.Context(), s, slices.Values(left), attempt, scheduler.OptionsFor(resumed), scheduler.Parallel(1)) {
			if r.Input.Name == "twice" {
				require.ErrorContains(t, r.Err, "has had a call with the number 2")
				continue
			}
			require.NoError(t, r.Err)
			got[r.Input.Name] = r.Value
		}
		require.Equal(t, map[string]int{"fails": 4, "queued": 1}, got)
	})
}

// A resumed call that waits takes as much memory as another.
func TestMemoryOfResumedCalls(t *testing.T) {
	const calls = 20_000
	each := func(option func(i int) []scheduler.Option) float64 {
		s := open(t, scheduler.Config{Limit: bucket.Per(1, 1000*time.Hour), Level: empty})
		handles := make([]*scheduler.Handle, calls)
		before := heap()
		for i := range handles {
			handles[i] = submit(t, s, nothing, option(i)...)
		}
		s.Sync()
		took := float64(heap()-before) / calls
		runtime.KeepAlive(handles)
		return took
	}
	then := time.Now().Add(-time.Hour)
	resumed := func(i int) scheduler.Unfinished {
		return scheduler.Unfinished{Call: uint64(calls - i), State: "queued", Rank: then.Add(time.Duration(i)), Cost: 1}
	}
	plain := each(func(int) []scheduler.Option { return nil })
	again := each(func(i int) []scheduler.Option { return []scheduler.Option{scheduler.Resumed(resumed(i))} })
	keyed := each(func(i int) []scheduler.Option {
		u := resumed(i)
		u.Key = "acme"
		return []scheduler.Option{scheduler.Resumed(u)}
	})
	// Garbage of earlier tests may be freed meanwhile, so a difference to plain calls would not be certain.
	require.Less(t, again, 200.0)
	require.Less(t, keyed, 200.0)
	t.Logf("%.0f bytes each, resumed %.0f, with a key %.0f", plain, again, keyed)
}

// heap returns how much memory is in use.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
