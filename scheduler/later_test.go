package scheduler_test

import (
	"context"
	"encoding/json"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/events"
	"example.com/fairlead/scheduler"
)

// A call arrives at its instant: behind all that came before it, and ahead of all that come after it
// (O9, arrivals).
func TestNotBefore(t *testing.T) {
	bubble(t, scheduler.Config{Limit: oneEach, Level: empty, PriorityStep: time.Second, MaxInFlight: 1}, func(t *testing.T, s *scheduler.Scheduler) {
		var order []string
		add := func(name string, opts ...scheduler.Option) *scheduler.Handle {
			return submit(t, s, func(context.Context) error { order = append(order, name); return nil }, opts...)
		}
		start := time.Now()
		later := add("later", scheduler.NotBefore(start.Add(4500*time.Millisecond)))
		urgent := add("urgent", scheduler.Delay(4600*time.Millisecond), scheduler.Priority(1))
		for _, name := range []string{"a", "b", "c", "d", "e", "f", "g"} {
			add(name)
		}
		require.Equal(t, scheduler.Estimate{Position: 8, Wait: 8 * time.Second, AtLeast: 8 * time.Second, At: start.Add(8 * time.Second)}, later.Estimate())
		synctest.Wait()
		time.Sleep(5 * time.Second)
		h := add("h")
		require.NoError(t, settled(h))
		require.Equal(t, []string{"a", "b", "c", "d", "e", "f", "g", "urgent", "later", "h"}, order)
		require.Equal(t, events.Times{Later: 4600 * time.Millisecond, Queue: 2400 * time.Millisecond, Tokens: time.Second}, urgent.Times())
		require.Equal(t, 9*time.Second, later.Times().Total())
	})
}

// The instant that is later counts, and one that has passed makes no difference, not even for the fast
// path.
func TestNotBeforeInThePast(t *testing.T) {
	bubble(t, scheduler.Config{Limit: oneEach}, func(t *testing.T, s *scheduler.Scheduler) {
		start := time.Now()
		took := func(opts ...scheduler.Option) time.Duration {
			from := time.Now()
			require.NoError(t, s.Do(t.Context(), nothing, opts...))
			return time.Since(from)
		}
		require.Zero(t, took(scheduler.NotBefore(time.Time{}), scheduler.Delay(-time.Hour)))
		require.Zero(t, took(scheduler.NotBefore(start)))
		require.Zero(t, took(scheduler.NoWait(), scheduler.NotBefore(start.Add(-1))))
		require.Equal(t, 3*time.Second, took(scheduler.NotBefore(start.Add(time.Second)), scheduler.Delay(3*time.Second)))
		require.Equal(t, 6*time.Second, took(scheduler.NotBefore(start.Add(9*time.Second)), scheduler.Delay(time.Second)))
		require.Equal(t, time.Second, took(scheduler.NotBefore(time.Now().Add(time.Second).Round(0))), "a time without a monotonic reading, such as one of a calendar")
	})
}

// A call that could not be in time is refused at once, with an error that says why.
func TestNotBeforeRefused(t *testing.T) {
	bubble(t, scheduler.Config{Limit: oneEach}, func(t *testing.T, s *scheduler.Scheduler) {
		start := time.Now()
		err := s.Do(t.Context(), nothing, scheduler.Delay(time.Minute), scheduler.NoWait())
		var wouldWait *scheduler.WouldWaitError
		require.ErrorAs(t, err, &wouldWait)
		require.Equal(t, scheduler.WouldWaitError{For: "later", Wait: time.Minute, RetryAt: start.Add(time.Minute)}, *wouldWait)
		require.EqualError(t, err, "scheduler: the call would have to wait about 1m0s, since it has a NotBefore or Delay: give it that or NoWait")

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		for _, opts := range [][]scheduler.Option{nil, {scheduler.WaitUntilDeadline()}} {
			err = s.Do(ctx, nothing, append(opts, scheduler.Delay(time.Minute))...)
			var late *scheduler.DeadlineError
			require.ErrorAs(t, err, &late)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.Equal(t, scheduler.DeadlineError{Wait: time.Minute, Left: time.Second, Later: true, RetryAt: start.Add(time.Minute)}, *late)
			require.EqualError(t, err, "scheduler: the call is to arrive only after its context's deadline, which is in 1s: give it an earlier NotBefore or Delay, or allow more time")
		}
		require.NoError(t, s.Do(ctx, nothing, scheduler.Delay(time.Second/2), scheduler.WaitUntilDeadline()))
		require.Equal(t, time.Second/2, time.Since(start))
	})
}

// Progress, events, a snapshot and the report of Shutdown tell of a call that has not arrived.
func TestNotBeforeIsTold(t *testing.T) {
	bubble(t, scheduler.Config{Limit: oneEach, Level: empty}, func(t *testing.T, s *scheduler.Scheduler) {
		sub := s.Subscribe(events.Of(events.Later, events.Queued, events.Succeeded))
		var progress []string
		start := time.Now()
		done := goDo(t.Context(), s, nothing, scheduler.Name("report"), scheduler.Delay(time.Minute), scheduler.Cost(10),
			scheduler.OnProgress(func(p scheduler.Progress) { progress = append(progress, p.String()) }))
		snap := s.Snapshot()
		require.Equal(t, 1, snap.Later)
		require.Equal(t, start.Add(time.Minute), snap.NextLater)
		require.Equal(t, "0 of 10 tokens left, 0 queued, 0 running, 0 backing off, 1 later (next in 1m0s); ended: 0, retries: 0", snap.String())
		text, err := json.Marshal(snap)
		require.NoError(t, err)
		require.Contains(t, string(text), `"later":1`)
		require.Contains(t, string(text), `"next_later":"2000-01-01T`)
		ahead := goDo(t.Context(), s, nothing, scheduler.Delay(55*time.Second), scheduler.Cost(10))

		require.Equal(t, 65*time.Second, (<-done).took)
		require.NoError(t, (<-ahead).err)
		require.Equal(t, []string{
			"report: attempt 1 of 6 comes later: it queues in 1m0s, 0 tokens left",
			"report: attempt 1 of 6 waits for tokens: number 1 in the queue, about 5s to go, 5 tokens left",
		}, progress)
		var told []string
		for len(told) < 3 {
			if ev := <-sub.C; ev.Call == 1 {
				told = append(told, ev.String())
			}
		}
		require.Equal(t, []string{
			`call 1 "report" later: arrives in 1m0s`,
			`call 1 "report" queued: position 1, about 5s to wait`,
			`call 1 "report" succeeded: attempt 1 of 6 after 1m5s (tokens 5s, later 1m0s)`,
		}, told)
		snap = s.Snapshot()
		require.Zero(t, snap.Later)
		require.Zero(t, snap.NextLater)
	})
}

// A call that has not arrived can be canceled, by its context or its handle.
func TestNotBeforeIsCanceled(t *testing.T) {
	bubble(t, scheduler.Config{Limit: oneEach}, func(t *testing.T, s *scheduler.Scheduler) {
		ctx, cancel := context.WithCancel(t.Context())
		done := goDo(ctx, s, nothing, scheduler.Delay(time.Hour))
		h := submit(t, s, nothing, scheduler.Delay(time.Hour))
		r, err := s.Reserve(t.Context(), scheduler.Delay(time.Hour))
		require.NoError(t, err)
		require.Equal(t, time.Hour, r.Estimate().Wait)
		time.Sleep(time.Minute)
		cancel()
		h.Cancel()
		r.Cancel()
		require.Equal(t, outcome{context.Canceled, time.Minute}, <-done)
		require.ErrorIs(t, settled(h), scheduler.ErrCanceled)
		require.Equal(t, events.Times{Later: time.Minute}, h.Times())
		require.Zero(t, s.Snapshot().Later)
		require.EqualValues(t, 10, s.Snapshot().Available)
	})
}

// Shutdown does not wait for calls that have not arrived: it ends them at once, and returns them with
// the others, in the order of their ranks (C6, close; H95).
func TestH95_ShutdownReturnsWorkForTomorrow(t *testing.T) {
	bubble(t, scheduler.Config{Limit: oneEach, Level: empty}, func(t *testing.T, s *scheduler.Scheduler) {
		start := time.Now()
		second := submit(t, s, nothing, scheduler.Name("second"), scheduler.Delay(2*time.Hour))
		first := submit(t, s, nothing, scheduler.Name("first"), scheduler.Delay(time.Hour))
		queued := submit(t, s, nothing)
		left, err := s.Shutdown(t.Context())
		require.ErrorIs(t, err, scheduler.ErrClosed)
		require.Equal(t, time.Second, time.Since(start))
		require.NoError(t, queued.Err())
		require.Same(t, scheduler.ErrClosed, settled(first))
		require.Same(t, scheduler.ErrClosed, settled(second))
		require.Equal(t, []scheduler.Unfinished{
			{Call: 2, Name: "first", State: "later", Rank: start.Add(time.Hour), Cost: 1, Due: start.Add(time.Hour)},
			{Call: 1, Name: "second", State: "later", Rank: start.Add(2 * time.Hour), Cost: 1, Due: start.Add(2 * time.Hour)},
		}, left)
	})
}

// Those that Shutdown hands back at once are in one order with those that are left in the end.
func TestNotBeforeAndShutdownThatEnds(t *testing.T) {
	bubble(t, scheduler.Config{Limit: oneEach, Level: empty, PriorityStep: time.Hour}, func(t *testing.T, s *scheduler.Scheduler) {
		queued := submit(t, s, nothing, scheduler.Cost(10))
		later := submit(t, s, nothing, scheduler.Delay(time.Hour), scheduler.Priority(3))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		left, err := s.Shutdown(ctx)
		require.ErrorIs(t, err, scheduler.ErrClosed)
		require.Len(t, left, 2)
		require.Equal(t, []string{"later", "queued"}, []string{left[0].State, left[1].State})
		require.Zero(t, later.Times().Run+queued.Times().Run)
		require.Equal(t, events.Times{Tokens: time.Second}, queued.Times())
	})
}

// Close ends a call that has not arrived, and WaitIdle waits for it (C11, WaitIdle).
func TestNotBeforeAndClose(t *testing.T) {
	bubble(t, scheduler.Config{Limit: oneEach}, func(t *testing.T, s *scheduler.Scheduler) {
		start := time.Now()
		submit(t, s, nothing, scheduler.Delay(time.Hour))
		require.NoError(t, s.WaitIdle(t.Context()))
		require.Equal(t, time.Hour, time.Since(start))
		h := submit(t, s, nothing, scheduler.Delay(time.Hour))
		s.Close()
		require.Same(t, scheduler.ErrClosed, settled(h))
		require.EqualValues(t, 1, s.Snapshot().Totals.Closed)
	})
}

// Submitted work that has not arrived takes no goroutine, and no room in the queue.
func TestNotBeforeTakesNoGoroutine(t *testing.T) {
	bubble(t, scheduler.Config{Limit: bucket.PerSecond(1_000_000), MaxQueued: 1, Overflow: scheduler.RefuseNew}, func(t *testing.T, s *scheduler.Scheduler) {
		before := runtime.NumGoroutine()
		for range 10_000 {
			submit(t, s, nothing, scheduler.Delay(time.Hour))
		}
		require.Less(t, runtime.NumGoroutine()-before, 100, "other tests' goroutines may come and go")
		require.Equal(t, 10_000, s.Snapshot().Later)
		time.Sleep(time.Hour)
		require.NoError(t, s.WaitIdle(t.Context()))
		require.EqualValues(t, 10_000, s.Snapshot().Totals.Succeeded)
	})
}

// SetPriority of a call that has not arrived counts when it ranks (O8, SetPriority).
func TestNotBeforeAndSetPriority(t *testing.T) {
	bubble(t, scheduler.Config{Limit: oneEach, Level: empty, PriorityStep: time.Second, MaxInFlight: 1}, func(t *testing.T, s *scheduler.Scheduler) {
		var order []string
		add := func(name string, opts ...scheduler.Option) *scheduler.Handle {
			return submit(t, s, func(context.Context) error { order = append(order, name); return nil }, opts...)
		}
		add("a", scheduler.Cost(3))
		later := add("later", scheduler.Delay(1500*time.Millisecond))
		require.NoError(t, later.SetPriority(1))
		time.Sleep(time.Second)
		require.NoError(t, settled(add("b")))
		require.Equal(t, []string{"a", "later", "b"}, order)
	})
}
