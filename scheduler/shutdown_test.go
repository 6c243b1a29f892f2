package scheduler_test

import (
	"context"
	"encoding/json"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/events"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

// Shutdown accepts no more calls, and returns when all accepted calls have ended (C6, close).
func TestShutdownDrains(t *testing.T) {
	bubble(t, scheduler.Config{Limit: oneEach, Level: empty, Retry: exact}, func(t *testing.T, s *scheduler.Scheduler) {
		retried := goDo(t.Context(), s, (&flaky{failures: 2}).run) // at 1, 2 and 4 s
		queued := submit(t, s, nothing, scheduler.Cost(10))        // at 14 s, behind it

		type report struct {
			left []scheduler.Unfinished
			err  error
			took time.Duration
		}
		down := make(chan report, 1)
		started := time.Now()
		go func() {
			left, err := s.Shutdown(t.Context())
			down <- report{left, err, time.Since(started)}
		}()
		synctest.Wait()
		require.Same(t, scheduler.ErrClosed, s.Do(t.Context(), nothing), "no new call is accepted")
		h, err := s.Submit(t.Context(), nothing)
		require.NoError(t, err)
		require.Same(t, scheduler.ErrClosed, settled(h))
		require.False(t, s.Snapshot().Closed)

		require.NoError(t, (<-retried).err)
		require.NoError(t, settled(queued))
		require.Equal(t, report{took: time.Since(started)}, <-down)
		require.True(t, s.Snapshot().Closed)
		totals := s.Snapshot().Totals
		require.EqualValues(t, 2, totals.Succeeded)
		require.EqualValues(t, 2, totals.Refused)
	})
}

func TestShutdownOfNothing(t *testing.T) {
	bubble(t, scheduler.Config{}, func(t *testing.T, s *scheduler.Scheduler) {
		left, err := s.Shutdown(context.Background())
		require.NoError(t, err)
		require.Nil(t, left)
	})
}

// Calls that have not ended when the context is done are reported, so that they can be submitted
// again.
func TestShutdownReport(t *testing.T) {
	cfg := scheduler.Config{Limit: oneEach, Retry: exact}
	bubble(t, cfg, func(t *testing.T, s *scheduler.Scheduler) {
		hour := func(context.Context) error { time.Sleep(time.Hour); return nil }
		runs := goDo(t.Context(), s, hour, scheduler.Name("runs"), scheduler.Cost(2))
		backsOff := submit(t, s, failing(nil).run, scheduler.Name("backs off"), scheduler.Cost(3))
		synctest.Wait()
		later := submit(t, s, nothing, scheduler.Cost(10), scheduler.Priority(-1))
		queued := goDo(t.Context(), s, nothing, scheduler.Cost(9))

		ctx, cancel := context.WithTimeout(t.Context(), time.Second/2)
		defer cancel()
		started := time.Now()
		left, err := s.Shutdown(ctx)
		require.Equal(t, time.Second/2, time.Since(started))
		require.ErrorIs(t, err, scheduler.ErrClosed)
		require.EqualError(t, err, "scheduler is closed; calls not finished: 4")
		text, err := json.MarshalIndent(left, "", " ")
		require.NoError(t, err)
		require.JSONEq(t, `[
			{"call": 1, "name": "runs", "state": "running", "rank": "2000-01-01T00:00:00Z", "cost": 2, "attempts": 1, "began": "2000-01-01T00:00:00Z", "paid": 2},
			{"call": 2, "name": "backs off", "state": "backing off", "rank": "2000-01-01T00:00:00Z", "cost": 3, "attempts": 1, "began": "2000-01-01T00:00:00Z", "paid": 3,
			 "due": "2000-01-01T00:00:01Z", "err": "server is busy (rate limited)"},
			{"call": 4, "state": "queued", "rank": "2000-01-01T00:00:00Z", "cost": 9, "attempts": 0, "paid": 0},
			{"call": 3, "state": "queued", "priority": -1, "rank": "2000-01-01T00:01:00Z", "cost": 10, "attempts": 0, "paid": 0}
		]`, string(text))
		again, err := s.Shutdown(t.Context())
		require.Error(t, err)
		require.Equal(t, left, again, "every Shutdown returns the same report")

		require.ErrorIs(t, settled(backsOff), scheduler.ErrClosed)
		require.ErrorIs(t, settled(later), scheduler.ErrClosed)
		require.ErrorIs(t, (<-queued).err, scheduler.ErrClosed)
		require.NoError(t, (<-runs).err)
	})
}

// With several budgets, the report has a call's cost in each.
func TestShutdownReportOfSeveralBudgets(t *testing.T) {
	bubble(t, scheduler.Config{Limits: llm, MaxInFlight: 1}, func(t *testing.T, s *scheduler.Scheduler) {
		plain := goDo(t.Context(), s, func(context.Context) error { time.Sleep(time.Hour); return nil })
		synctest.Wait()
		submit(t, s, nothing, scheduler.CostOf("tokens", 850))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		left, err := s.Shutdown(ctx)
		require.ErrorIs(t, err, scheduler.ErrClosed)
		require.Len(t, left, 2)
		require.Equal(t, map[string]int64{"requests": 1, "tokens": 1}, left[0].Costs)
		require.Equal(t, map[string]int64{"requests": 1, "tokens": 850}, left[1].Costs)
		require.NoError(t, (<-plain).err)
	})
}

// A Shutdown that waits ends with Close.
func TestCloseDuringShutdown(t *testing.T) {
	bubble(t, scheduler.Config{}, func(t *testing.T, s *scheduler.Scheduler) {
		runs := submit(t, s, untilDone, scheduler.Name("runs"))
		started := time.Now()
		down := make(chan []scheduler.Unfinished, 2)
		for range 2 {
			go func() {
				left, err := s.Shutdown(context.Background())
				require.ErrorIs(t, err, scheduler.ErrClosed)
				down <- left
			}()
		}
		time.Sleep(time.Second)
		s.Close()
		for range 2 {
			require.Equal(t, []scheduler.Unfinished{{Call: 1, Name: "runs", State: "running", Rank: started, Began: started, Cost: 1, Attempts: 1, Paid: 1}}, <-down)
		}
		require.Same(t, scheduler.ErrClosed, settled(runs))
	})
}

// The context of running submitted work is canceled, with ErrClosed as its cause.
func TestCloseCancelsSubmittedWork(t *testing.T) {
	bubble(t, scheduler.Config{Retry: exact}, func(t *testing.T, s *scheduler.Scheduler) {
		told := func(ctx context.Context) error {
			<-ctx.Done()
			require.ErrorIs(t, ctx.Err(), context.Canceled)
			require.Same(t, scheduler.ErrClosed, context.Cause(ctx))
			return retry.RateLimited(errBusy) // as interrupted work may return
		}
		plain := submit(t, s, told)
		watched := submit(t, s, told, scheduler.OnProgress(func(scheduler.Progress) {}))
		succeeds := submit(t, s, func(ctx context.Context) error { <-ctx.Done(); return nil })
		sub := s.Subscribe(events.Of(events.ShutDown))
		synctest.Wait() // until they run
		s.Close()
		require.Equal(t, events.ShutDown, (<-sub.C).Kind)
		for _, h := range []*scheduler.Handle{plain, watched} {
			require.ErrorIs(t, settled(h), scheduler.ErrClosed, "interrupted work is not retried")
			require.ErrorIs(t, h.Err(), errBusy)
			require.Equal(t, 1, h.Attempts())
		}
		require.NoError(t, settled(succeeds), "a success still counts")
	})
}
