package scheduler_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/events"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

func reserve(t *testing.T, s *scheduler.Scheduler, opts ...scheduler.Option) *scheduler.Reservation {
	t.Helper()
	r, err := s.Reserve(t.Context(), opts...)
	require.NoError(t, err)
	synctest.Wait()
	return r
}

// A reservation takes its turn as any call, and keeps tokens and slot until it is done.
func TestReserve(t *testing.T) {
	cfg := scheduler.Config{Limit: oneEach, Level: empty, MaxInFlight: 1}
	bubble(t, cfg, func(t *testing.T, s *scheduler.Scheduler) {
		sub := s.Subscribe(events.Granted, events.Succeeded)
		r := reserve(t, s, scheduler.Cost(4), scheduler.Name("mine"))
		next := goDo(t.Context(), s, nothing)
		require.Equal(t, scheduler.ErrPending, r.Err())
		require.Equal(t, scheduler.Estimate{Position: 1, Wait: 4 * time.Second, At: time.Now().Add(4 * time.Second)}, r.Estimate())

		started := time.Now()
		<-r.Ready()
		require.Equal(t, 4*time.Second, time.Since(started))
		require.NoError(t, r.Err())
		require.Zero(t, r.Estimate())
		time.Sleep(10 * time.Second)
		require.Equal(t, 1, s.Snapshot().Queued, "the slot is taken")
		r.Done(nil)
		r.Done(errBroken) // as nothing
		r.Cancel()        // as nothing
		require.Equal(t, 14*time.Second, (<-next).took)
		require.NoError(t, r.Err())
		require.Equal(t, lines(
			`1 4s call 1 "mine" granted: attempt 1 of 1 for 4 tokens, 0 tokens left`,
			`2 14s call 1 "mine" succeeded: attempt 1 of 1 after 14s (tokens 4s, run 10s)`,
			"3 14s call 2 granted: attempt 1 of 6 for 1 token, 9 tokens left",
			"4 14s call 2 succeeded: attempt 1 of 6 after 14s (queue 4s, tokens 1s, slot 9s)",
		), story(sub))
	})
}

// H10, H12: cancelling gives back exactly what was taken, before the grant and after.
func TestReservationCancelled(t *testing.T) {
	bubble(t, scheduler.Config{Limit: oneEach, MaxInFlight: 1}, func(t *testing.T, s *scheduler.Scheduler) {
		granted, queued := reserve(t, s, scheduler.Cost(7)), reserve(t, s, scheduler.Cost(9))
		require.NoError(t, granted.Err())
		require.EqualValues(t, 3, s.Snapshot().Available)
		queued.Cancel()
		<-queued.Ready()
		require.Equal(t, scheduler.ErrCancelled, queued.Err())
		granted.Cancel()
		granted.Cancel()
		snap := s.Snapshot()
		require.EqualValues(t, 10, snap.Available)
		require.EqualValues(t, 7, snap.Ledger.Refunded)
		require.Zero(t, snap.Queued+snap.Running)
		require.EqualValues(t, 2, snap.Totals.Cancelled)
		require.Zero(t, snap.Totals.Attempts)
		granted.Done(nil) // too late
		require.EqualValues(t, 2, s.Snapshot().Totals.Cancelled)
	})
}

// Whoever says Done before the grant has no use for it.
func TestReservationDoneTooEarly(t *testing.T) {
	bubble(t, scheduler.Config{Limit: oneEach, Level: empty}, func(t *testing.T, s *scheduler.Scheduler) {
		r := reserve(t, s)
		r.Done(nil)
		<-r.Ready()
		require.Equal(t, scheduler.ErrCancelled, r.Err())
		require.Zero(t, s.Snapshot().Queued)
	})
}

// A reservation that waits ends with its context, its deadline, or the scheduler.
func TestReservationEnds(t *testing.T) {
	bubble(t, scheduler.Config{Limit: oneEach, Level: empty}, func(t *testing.T, s *scheduler.Scheduler) {
		ctx, cancel := context.WithCancel(t.Context())
		r, err := s.Reserve(ctx)
		require.NoError(t, err)
		cancel()
		<-r.Ready()
		require.Equal(t, context.Canceled, r.Err())

		soon, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		r, err = s.Reserve(soon, scheduler.Cost(2))
		require.NoError(t, err)
		<-r.Ready()
		require.ErrorAs(t, r.Err(), new(*scheduler.DeadlineError))

		_, err = s.Reserve(t.Context(), scheduler.NoWait())
		require.ErrorIs(t, err, scheduler.ErrWouldWait)
		_, err = s.Reserve(t.Context(), scheduler.Cost(11))
		require.Error(t, err)
		_, err = s.Reserve(t.Context(), scheduler.OnProgress(func(scheduler.Progress) {}))
		require.ErrorContains(t, err, "OnProgress")
		_, err = s.Reserve(context.Context(nil))
		require.ErrorContains(t, err, "nil context")

		last := reserve(t, s, scheduler.Cost(10))
		s.Close()
		<-last.Ready()
		require.Equal(t, scheduler.ErrClosed, last.Err())
		last.Cancel()
		last.Done(nil)
	})
}

// What the work has learned of the server counts for all; it is not retried.
func TestReservationFails(t *testing.T) {
	bubble(t, scheduler.Config{Limit: oneEach}, func(t *testing.T, s *scheduler.Scheduler) {
		reserve(t, s).Done(errBroken)
		reserve(t, s).Done(retry.After(errBusy, time.Minute))
		snap := s.Snapshot()
		require.GreaterOrEqual(t, snap.HeldUntil.Sub(snap.At), time.Minute)
		require.EqualValues(t, 1, snap.Totals.Failed)
		require.EqualValues(t, 1, snap.Totals.Exhausted)
		require.EqualValues(t, 1, snap.Totals.RateLimited)
		require.Zero(t, snap.BackingOff)
	})
}

// H03: a classifier that panics is contained here, too.
func TestReservationWithAPanickingClassifier(t *testing.T) {
	bubble(t, scheduler.Config{}, func(t *testing.T, s *scheduler.Scheduler) {
		sub := s.Subscribe(events.Failed)
		reserve(t, s, scheduler.Classify(func(error) retry.Verdict { panic("oops") })).Done(errBroken)
		ev := <-sub.C
		require.ErrorIs(t, ev.Err, errBroken)
		require.ErrorAs(t, ev.Err, new(*scheduler.PanicError))
		require.True(t, errors.Is(ev.Err, errBroken))
	})
}
