package scheduler_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/clock/clocktest"
	"example.com/fairlead/scheduler"
)

// A deadline before the call's turn is an error at once, which has the wait (C4, deadlines; H14).
func TestH14_DeadlineBeforeItsTurn(t *testing.T) {
	bubble(t, scheduler.Config{Limit: oneEach, Level: empty}, func(t *testing.T, s *scheduler.Scheduler) {
		ahead := goDo(t.Context(), s, nothing, scheduler.Cost(4))
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		check := func(err error) {
			t.Helper()
			var late *scheduler.DeadlineError
			require.ErrorAs(t, err, &late)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.NotErrorIs(t, err, context.Canceled)
			require.Equal(t, scheduler.DeadlineError{Wait: 6 * time.Second, Left: 5 * time.Second, RetryAt: s.Now().Add(6 * time.Second)}, *late)
			require.EqualError(t, err, "scheduler: the call would have to wait 6s, but the context's deadline is in 5s: allow more time or call later")
			require.NoError(t, late.Unwrap())
		}
		got := <-goDo(ctx, s, nothing, scheduler.Cost(2))
		check(got.err)
		require.Zero(t, got.took)
		h, err := s.Submit(ctx, nothing, scheduler.Cost(2))
		require.NoError(t, err)
		check(settled(h))
		require.Zero(t, h.Attempts())
		require.EqualValues(t, 2, s.Snapshot().Totals.Refused)

		ctx, cancel = context.WithTimeout(t.Context(), 5*time.Second+1)
		defer cancel()
		require.NoError(t, s.Do(ctx, nothing), "a call that is granted in its last nanosecond is not refused")
		require.Equal(t, 4*time.Second, (<-ahead).took)
	})
}

// A refusal changes neither the queue nor the budget (H14).
func TestH14_RefusalChangesNothing(t *testing.T) {
	bubble(t, scheduler.Config{Limit: oneEach, Level: empty}, func(t *testing.T, s *scheduler.Scheduler) {
		ahead := goDo(t.Context(), s, nothing, scheduler.Cost(10))
		for range 100 {
			ctx, cancel := context.WithTimeout(t.Context(), 9*time.Second)
			require.ErrorIs(t, s.Do(ctx, nothing, scheduler.Cost(10)), context.DeadlineExceeded)
			cancel()
		}
		behind := goDo(t.Context(), s, nothing)
		require.Equal(t, 10*time.Second, (<-ahead).took)
		require.Equal(t, 11*time.Second, (<-behind).took)
		require.EqualValues(t, 11, s.Snapshot().Ledger.Spent)
	})
}

// A backoff that would end after the deadline ends the call (C4; H14).
func TestH14_DeadlineBeforeTheRetry(t *testing.T) {
	bubble(t, scheduler.Config{Retry: exact}, func(t *testing.T, s *scheduler.Scheduler) {
		check := func(err error, took time.Duration) {
			t.Helper()
			require.Equal(t, 3*time.Second, took, "after the third attempt; the fourth would be at 7 s")
			var late *scheduler.DeadlineError
			require.ErrorAs(t, err, &late)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.ErrorIs(t, err, errBusy)
			require.Equal(t, 4*time.Second, late.Wait)
			require.Equal(t, 2*time.Second, late.Left)
			require.EqualError(t, err, "scheduler: the call would have to wait 4s, but the context's deadline is in 2s: allow more time or call later (last attempt: server is busy (rate limited))")
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		got := <-goDo(ctx, s, failing(nil).run)
		check(got.err, got.took)
		cancel()

		ctx, cancel = context.WithTimeout(t.Context(), 5*time.Second)
		started := time.Now()
		h, err := s.Submit(ctx, failing(nil).run)
		require.NoError(t, err)
		check(settled(h), time.Since(started))
		cancel()
		require.EqualValues(t, 2, s.Snapshot().Totals.Canceled)
	})
}

// No estimate knows when a slot is free, so the context itself ends the call.
func TestDeadlineDuringTheWait(t *testing.T) {
	cfg := scheduler.Config{MaxInFlight: 1}
	bubble(t, cfg, func(t *testing.T, s *scheduler.Scheduler) {
		block := submit(t, s, func(context.Context) error { time.Sleep(time.Hour); return nil })
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		got := <-goDo(ctx, s, nothing)
		require.Equal(t, time.Minute, got.took)
		require.Equal(t, context.DeadlineExceeded, got.err)
		require.NoError(t, settled(block))
	})
}

// On a mock clock, deadlines are those of the mock (H14).
func TestH14_DeadlineOnAMockClock(t *testing.T) {
	clocktest.Run(t, func(t *testing.T, mock *clocktest.Mock) {
		s := open(t, scheduler.Config{Clock: mock, Limit: oneEach, Level: empty})
		ctx, cancel := mock.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		var late *scheduler.DeadlineError
		require.ErrorAs(t, s.Do(ctx, nothing, scheduler.Cost(6)), &late)
		require.Equal(t, scheduler.DeadlineError{Wait: 6 * time.Second, Left: 5 * time.Second, RetryAt: s.Now().Add(6 * time.Second)}, *late)
		waits := make(chan error, 1)
		go func() { waits <- s.Do(ctx, nothing, scheduler.Cost(4)) }()
		mock.Add(4 * time.Second)
		require.NoError(t, <-waits)
	})
}

// A wait that is just too long never reads as if it were not.
func TestDeadlineErrorReads(t *testing.T) {
	err := &scheduler.DeadlineError{Wait: 3118976958, Left: 3118976957}
	require.EqualError(t, err, "scheduler: the call would have to wait 3.2s, but the context's deadline is in 3.1s: allow more time or call later")
}
