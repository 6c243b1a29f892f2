package scheduler_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/clock/clocktest"
	"example.com/fairlead/events"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

// After a pause, queued calls come at the rate of the refill, however long it was (B13, pause;
// H43).
func TestPauseResume(t *testing.T) {
	bubble(t, scheduler.Config{Limit: oneEach}, func(t *testing.T, s *scheduler.Scheduler) {
		require.NoError(t, s.Do(t.Context(), nothing, scheduler.Cost(10)))
		time.Sleep(400 * time.Millisecond)
		first, second := goDo(t.Context(), s, nothing), goDo(t.Context(), s, nothing)
		sub := s.Subscribe(events.Of(events.Paused, events.Resumed))
		require.NoError(t, s.Pause())
		require.True(t, s.Snapshot().Paused)
		require.Zero(t, s.Snapshot().PausedUntil)
		require.Zero(t, s.Snapshot().NextGrant, "the end of the pause is unknown")

		time.Sleep(time.Hour)
		require.Equal(t, 2, s.Snapshot().Queued)
		require.Zero(t, s.Snapshot().Available, "a paused budget does not refill")
		require.NoError(t, s.Resume())
		require.NoError(t, s.Resume(), "a second Resume does nothing")
		require.False(t, s.Snapshot().Paused)
		require.Equal(t, time.Hour+600*time.Millisecond, (<-first).took)
		require.Equal(t, time.Hour+1600*time.Millisecond, (<-second).took)
		require.Equal(t, "1 400ms paused\n2 1h0m0.4s resumed\n", eventLines(sub))
	})
}

// During a pause functions run on, and backoffs end and queue.
func TestPauseStopsGrantsAlone(t *testing.T) {
	bubble(t, scheduler.Config{Limit: oneEach, Retry: exact}, func(t *testing.T, s *scheduler.Scheduler) {
		f := &flaky{failures: 1}
		runs := goDo(t.Context(), s, func(ctx context.Context) error {
			time.Sleep(time.Second)
			return f.run(ctx)
		})
		require.NoError(t, s.Pause())
		time.Sleep(time.Second) // the attempt fails
		synctest.Wait()
		require.Equal(t, 1, s.Snapshot().BackingOff)
		time.Sleep(time.Second)
		require.Equal(t, 1, s.Snapshot().Queued)
		require.NoError(t, s.Resume())
		require.NoError(t, (<-runs).err)
	})
}

func TestPauseUntil(t *testing.T) {
	bubble(t, scheduler.Config{Limit: oneEach, Level: empty, MaxInFlight: 2}, func(t *testing.T, s *scheduler.Scheduler) {
		soon, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		inVain, waits := goDo(soon, s, nothing), goDo(t.Context(), s, nothing)
		until := time.Now().Add(time.Minute)
		require.NoError(t, s.PauseUntil(until))

		got := <-inVain
		require.ErrorIs(t, got.err, context.DeadlineExceeded)
		require.Zero(t, got.took, "C4, deadlines: checked again at once")
		snap := s.Snapshot()
		require.True(t, snap.Paused)
		require.True(t, snap.PausedUntil.Equal(until))
		require.True(t, snap.NextGrant.Equal(until.Add(time.Second)), "the end of the pause is known")
		est, err := s.Estimate()
		require.NoError(t, err)
		require.Equal(t, scheduler.Estimate{Position: 2, Wait: time.Minute + 2*time.Second, AtLeast: time.Minute + 2*time.Second, At: until.Add(2 * time.Second)}, est)
		require.Equal(t, time.Minute+time.Second, (<-waits).took)

		require.NoError(t, s.Pause())
		require.NoError(t, s.PauseUntil(time.Now()), "an instant that has passed")
		require.False(t, s.Snapshot().Paused)
	})
}

// While calls wait for a slot, the next grant is unknown.
func TestNextGrantWithoutASlot(t *testing.T) {
	bubble(t, oneSlot, func(t *testing.T, s *scheduler.Scheduler) {
		ctx, cancel := context.WithCancel(t.Context())
		runs, waits := goDo(ctx, s, untilDone), goDo(t.Context(), s, nothing)
		require.Zero(t, s.Snapshot().NextGrant)
		require.NoError(t, s.PauseUntil(time.Now().Add(time.Minute)))
		require.Zero(t, s.Snapshot().NextGrant)
		require.NoError(t, s.Resume())
		cancel()
		<-runs
		require.NoError(t, (<-waits).err)
	})
}

// When a pause of unknown length ends, calls that are too late end (C4).
func TestResumeEndsThoseThatAreTooLate(t *testing.T) {
	bubble(t, scheduler.Config{Limit: oneEach, Level: empty}, func(t *testing.T, s *scheduler.Scheduler) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		late, waits := goDo(ctx, s, nothing, scheduler.Cost(3)), goDo(ctx, s, nothing)
		require.NoError(t, s.Pause())
		time.Sleep(8 * time.Second)
		require.NoError(t, s.Resume())
		got := <-late
		require.ErrorAs(t, got.err, new(*scheduler.DeadlineError))
		require.Equal(t, 8*time.Second, got.took)
		require.Equal(t, 9*time.Second, (<-waits).took, "the calls behind it move up")
	})
}

// With WaitUntilDeadline a call waits even if its deadline comes before its turn.
func TestWaitUntilDeadline(t *testing.T) {
	bubble(t, scheduler.Config{Limit: oneEach, Level: empty}, func(t *testing.T, s *scheduler.Scheduler) {
		ahead, leave := context.WithCancel(t.Context())
		gone := goDo(ahead, s, nothing, scheduler.Cost(10))
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		hopes, fails := goDo(ctx, s, nothing, scheduler.WaitUntilDeadline()), goDo(ctx, s, nothing, scheduler.WaitUntilDeadline(), scheduler.Cost(9))
		time.Sleep(2 * time.Second)
		leave()
		require.ErrorIs(t, (<-gone).err, context.Canceled)
		require.NoError(t, (<-hopes).err)
		got := <-fails
		require.Equal(t, context.DeadlineExceeded, got.err)
		require.Equal(t, 5*time.Second, got.took)
	})
}

// SetLimit counts at once for queued calls, with a higher rate and a lower one (B14, new limit).
func TestSetLimitWhileThousandsWait(t *testing.T) {
	const calls = 2000
	bubble(t, scheduler.Config{Limit: bucket.PerSecond(100), Level: empty}, func(t *testing.T, s *scheduler.Scheduler) {
		handles := make([]*scheduler.Handle, calls)
		started := time.Now()
		for i := range handles {
			handles[i] = submit(t, s, nothing)
		}
		time.Sleep(time.Second)
		require.Equal(t, calls-100, s.Snapshot().Queued)
		require.NoError(t, s.SetLimit(bucket.PerSecond(10_000)))
		require.NoError(t, settled(handles[1099]))
		require.Equal(t, 1100*time.Millisecond, time.Since(started), "a thousand in a tenth of a second")

		require.NoError(t, s.SetLimit(bucket.PerSecond(10)))
		time.Sleep(time.Second)
		require.Equal(t, calls-1110, s.Snapshot().Queued, "ten in a second")
		require.Equal(t, bucket.PerSecond(10), s.Snapshot().Limit)
		for _, h := range handles {
			h.Cancel()
		}
	})
}

// A call that costs more than the new capacity ends with a CostError, and the level is cut (H27).
func TestH27_SetLimitLowersTheCapacity(t *testing.T) {
	bubble(t, scheduler.Config{Limit: oneEach, Retry: exact}, func(t *testing.T, s *scheduler.Scheduler) {
		f := &flaky{failures: 1}
		backsOff := goDo(t.Context(), s, f.run, scheduler.Cost(6))
		big, small := goDo(t.Context(), s, nothing, scheduler.Cost(8)), goDo(t.Context(), s, nothing, scheduler.Cost(5))
		require.NoError(t, s.SetLimit(oneEach.Burst(5)))
		var cost *bucket.CostError
		require.ErrorAs(t, (<-big).err, &cost)
		require.Equal(t, bucket.CostError{Cost: 8, Capacity: 5}, *cost)
		require.ErrorAs(t, s.Do(t.Context(), nothing, scheduler.Cost(6)), &cost)
		require.Equal(t, bucket.CostError{Cost: 6, Capacity: 5}, *cost)
		_, err := s.Estimate(scheduler.Cost(6))
		require.ErrorAs(t, err, &cost)
		require.Equal(t, time.Second, (<-small).took)

		got := <-backsOff
		require.ErrorAs(t, got.err, &cost)
		require.ErrorIs(t, got.err, errBusy, "with the error of its last attempt")
		require.Equal(t, time.Second, got.took)
		require.Equal(t, 1, f.attempts())
		require.EqualValues(t, 2, s.Snapshot().Totals.Failed)

		require.ErrorContains(t, s.SetLimit(bucket.PerSecond(-1)), "Capacity is -1")
		require.Equal(t, oneEach.Burst(5), s.Snapshot().Limit, "the limit is unchanged")
	})
}

func TestSetMaxInFlight(t *testing.T) {
	bubble(t, oneSlot, func(t *testing.T, s *scheduler.Scheduler) {
		ctx, cancel := context.WithCancel(t.Context())
		for range 5 {
			_, err := s.Submit(ctx, untilDone)
			require.NoError(t, err)
		}
		synctest.Wait()
		require.Equal(t, 1, s.Snapshot().Running)
		require.NoError(t, s.SetMaxInFlight(3))
		require.Equal(t, 3, s.Snapshot().Running)
		require.Equal(t, 3, s.Snapshot().MaxInFlight)
		require.NoError(t, s.SetMaxInFlight(2))
		require.Equal(t, 3, s.Snapshot().Running, "running functions go on")
		require.ErrorContains(t, s.SetMaxInFlight(-1), "SetMaxInFlight(-1)")
		require.NoError(t, s.SetMaxInFlight(0))
		require.Equal(t, 5, s.Snapshot().Running)
		cancel()
	})
}

// After Close, control methods return ErrClosed and do not block (H19).
func TestH19_ControlAfterClose(t *testing.T) {
	bubble(t, scheduler.Config{}, func(t *testing.T, s *scheduler.Scheduler) {
		h := submit(t, s, nothing)
		s.Close()
		for _, err := range []error{
			s.Pause(), s.Resume(), s.PauseUntil(time.Now()), s.SetLimit(oneEach), s.SetMaxInFlight(1), s.SetMaxQueued(1), h.SetPriority(1),
		} {
			require.Equal(t, scheduler.ErrClosed, err)
		}
		_, err := s.Estimate()
		require.Equal(t, scheduler.ErrClosed, err)
		_, err = s.Reserve(t.Context())
		require.Equal(t, scheduler.ErrClosed, err)
		require.Zero(t, h.Estimate())
	})
}

// PauseUntil takes an instant of the scheduler's clock (D1, one clock).
func TestPauseUntilOnAMockClock(t *testing.T) {
	clocktest.Run(t, func(t *testing.T, mock *clocktest.Mock) {
		s := open(t, scheduler.Config{Clock: mock, Limit: oneEach, Level: empty})
		require.NoError(t, s.PauseUntil(mock.Now().Add(time.Minute)))
		done := make(chan time.Time, 1)
		go func() {
			_ = s.Do(t.Context(), nothing)
			done <- mock.Now()
		}()
		started := mock.Now()
		mock.Add(2 * time.Minute)
		require.Equal(t, time.Minute+time.Second, (<-done).Sub(started))
	})
}

// Urgent calls without end hold up a plain one for no longer than a step (O5, priority; H34).
func TestH34_PriorityCannotStarve(t *testing.T) {
	cfg := scheduler.Config{Limit: bucket.PerSecond(1).Burst(1), Level: empty, PriorityStep: 10 * time.Second}
	bubble(t, cfg, func(t *testing.T, s *scheduler.Scheduler) {
		ctx, cancel := context.WithCancel(t.Context())
		plain := submit(t, s, nothing)
		for range 30 { // as many as are granted
			_, err := s.Submit(ctx, nothing, scheduler.Priority(1))
			require.NoError(t, err)
			time.Sleep(time.Second)
		}
		require.NoError(t, settled(plain))
		require.Equal(t, events.Times{Queue: 10 * time.Second, Tokens: time.Second}, plain.Times(), "overtaken only by calls of its first ten seconds")
		cancel()
	})
}

// A retry keeps its priority as well as its seniority (O2, seniority).
func TestRetryKeepsItsPriority(t *testing.T) {
	cfg := scheduler.Config{Limit: oneEach, Level: empty, Retry: retry.Policy{Initial: time.Second, Jitter: retry.None}}
	bubble(t, cfg, func(t *testing.T, s *scheduler.Scheduler) {
		first := submit(t, s, nothing, scheduler.Cost(3))
		urgent := submit(t, s, (&flaky{failures: 1}).run, scheduler.Priority(1))
		require.NoError(t, settled(first))
		require.NoError(t, settled(urgent))
		require.Equal(t, 2, urgent.Attempts())
		require.Equal(t, events.Times{Tokens: time.Second, Backoff: time.Second}, urgent.Times(), "no token is kept for a call that backs off")
		require.Equal(t, 5*time.Second, first.Times().Total())
	})
}
