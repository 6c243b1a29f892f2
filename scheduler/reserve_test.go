package scheduler_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
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

// A reservation takes its turn like any call, and keeps its tokens and slot until it is done.
func TestReserve(t *testing.T) {
	cfg := scheduler.Config{Limit: oneEach, Level: empty, MaxInFlight: 1}
	bubble(t, cfg, func(t *testing.T, s *scheduler.Scheduler) {
		sub := s.Subscribe(events.Of(events.Granted, events.Succeeded))
		r := reserve(t, s, scheduler.Cost(4), scheduler.Name("mine"))
		next := goDo(t.Context(), s, nothing)
		require.Equal(t, scheduler.ErrPending, r.Err())
		require.Equal(t, scheduler.Estimate{Position: 1, Wait: 4 * time.Second, AtLeast: 4 * time.Second, At: time.Now().Add(4 * time.Second)}, r.Estimate())

		started := time.Now()
		<-r.Ready()
		require.Equal(t, 4*time.Second, time.Since(started))
		require.NoError(t, r.Err())
		require.Zero(t, r.Estimate())
		time.Sleep(10 * time.Second)
		require.Equal(t, 1, s.Snapshot().Queued, "the slot is taken")
		r.Done(nil)
		r.Done(errBroken) // ignored
		r.Cancel()        // ignored
		require.Equal(t, 14*time.Second, (<-next).took)
		require.NoError(t, r.Err())
		require.Equal(t, lines(
			`1 4s call 1 "mine" granted: attempt 1 of 6 for 4 tokens, 0 tokens left`,
			`2 14s call 1 "mine" succeeded: attempt 1 of 6 after 14s (tokens 4s, run 10s)`,
			"3 14s call 2 granted: attempt 1 of 6 for 1 token, 9 tokens left",
			"4 14s call 2 succeeded: attempt 1 of 6 after 14s (queue 4s, tokens 1s, slot 9s)",
		), eventLines(sub))
	})
}

// Cancel gives back exactly what was taken, before the grant and after it (B4, paid attempts; H10,
// H12).
func TestReservationCanceled(t *testing.T) {
	bubble(t, scheduler.Config{Limit: oneEach, MaxInFlight: 1}, func(t *testing.T, s *scheduler.Scheduler) {
		granted, queued := reserve(t, s, scheduler.Cost(7)), reserve(t, s, scheduler.Cost(9))
		require.NoError(t, granted.Err())
		require.EqualValues(t, 3, s.Snapshot().Available)
		queued.Cancel()
		<-queued.Ready()
		require.Equal(t, scheduler.ErrCanceled, queued.Err())
		granted.Cancel()
		granted.Cancel()
		snap := s.Snapshot()
		require.EqualValues(t, 10, snap.Available)
		require.EqualValues(t, 7, snap.Ledger.Refunded)
		require.Zero(t, snap.Queued+snap.Running)
		require.EqualValues(t, 2, snap.Totals.Canceled)
		require.Zero(t, snap.Totals.Attempts)
		granted.Done(nil) // too late
		require.EqualValues(t, 2, s.Snapshot().Totals.Canceled)
	})
}

// Done before the grant cancels the reservation.
func TestReservationDoneTooEarly(t *testing.T) {
	bubble(t, scheduler.Config{Limit: oneEach, Level: empty}, func(t *testing.T, s *scheduler.Scheduler) {
		r := reserve(t, s)
		r.Done(nil)
		<-r.Ready()
		require.Equal(t, scheduler.ErrCanceled, r.Err())
		require.Zero(t, s.Snapshot().Queued)
	})
}

// A waiting reservation ends with its context, its deadline or the scheduler.
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

// A reservation that fails is not retried. A server's wait in its error holds all calls.
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

// A classifier that panics is contained (H03).
func TestReservationWithAPanickingClassifier(t *testing.T) {
	bubble(t, scheduler.Config{}, func(t *testing.T, s *scheduler.Scheduler) {
		sub := s.Subscribe(events.Of(events.Failed))
		reserve(t, s, scheduler.Classify(func(error) retry.Verdict { panic("oops") })).Done(errBroken)
		ev := <-sub.C
		require.ErrorIs(t, ev.Err, errBroken)
		require.ErrorAs(t, ev.Err, new(*scheduler.PanicError))
		require.True(t, errors.Is(ev.Err, errBroken))
	})
}

// retried fails a reservation's attempt and returns the next one.
func retried(t *testing.T, r *scheduler.Reservation, err error) *scheduler.Reservation {
	t.Helper()
	next, err := r.Retry(err)
	require.NoError(t, err)
	return next
}

// A retry of a reservation frees the slot, keeps its place (O2, seniority) and pays again (B4, paid
// attempts).
func TestReservationRetry(t *testing.T) {
	cfg := scheduler.Config{Limit: oneEach, MaxInFlight: 1, Retry: retry.Policy{Jitter: retry.None}}
	bubble(t, cfg, func(t *testing.T, s *scheduler.Scheduler) {
		sub := s.Subscribe(events.Of(events.Granted, events.Retrying, events.Succeeded))
		first := reserve(t, s, scheduler.Cost(4))
		other := reserve(t, s)
		second := retried(t, first, retry.Transient(errBroken))
		<-other.Ready()
		require.NoError(t, other.Err(), "it has the slot while the first one backs off")
		last := reserve(t, s)
		time.Sleep(2 * time.Second) // the backoff of 1 s is over
		require.Equal(t, scheduler.ErrPending, second.Err())
		require.Equal(t, 1, second.Estimate().Position, "it keeps the place of its arrival")
		other.Done(nil)
		<-second.Ready()
		require.NoError(t, second.Err())
		require.Equal(t, scheduler.ErrPending, last.Err())

		first.Done(nil) // all ignored, since another attempt has begun
		first.Cancel()
		require.NoError(t, first.Settle("", 0))
		_, err := first.Retry(retry.Transient(errBroken))
		require.ErrorContains(t, err, "nothing to retry")
		_, err = second.Retry(nil)
		require.ErrorContains(t, err, "nil")
		require.NoError(t, second.Settle("", 1))
		second.Done(nil)
		_, err = second.Retry(retry.Transient(errBroken))
		require.ErrorContains(t, err, "nothing to retry", "it is done")
		<-last.Ready()
		last.Done(nil)
		require.EqualValues(t, 3, s.Snapshot().Ledger.Refunded)
		require.EqualValues(t, 4+1+4+1, s.Snapshot().Ledger.Spent)
		require.Equal(t, lines(
			"1 0s call 1 granted: attempt 1 of 6 for 4 tokens, 6 tokens left",
			"2 0s call 1 retrying: attempt 1 of 6 failed, next in 1s, 6 tokens left: request is malformed",
			"3 0s call 2 granted: attempt 1 of 6 for 1 token, 5 tokens left",
			"4 2s call 2 succeeded: attempt 1 of 6 after 2s (run 2s)",
			"5 2s call 1 granted: attempt 2 of 6 for 4 tokens, 3 tokens left",
			"6 2s call 1 succeeded: attempt 2 of 6 after 2s (slot 1s, backoff 1s)",
			"7 2s call 3 granted: attempt 1 of 6 for 1 token, 5 tokens left",
			"8 2s call 3 succeeded: attempt 1 of 6 after 2s (queue 1s, slot 1s)",
		), eventLines(sub))
	})
}

// A reservation that gets no other attempt returns the reason at once.
func TestReservationRetryEnds(t *testing.T) {
	cfg := scheduler.Config{Limit: oneEach, Retry: retry.Policy{MaxRetries: 1}}
	bubble(t, cfg, func(t *testing.T, s *scheduler.Scheduler) {
		_, err := reserve(t, s).Retry(errBroken)
		require.Equal(t, errBroken, err, "the error is not retryable")

		r := retried(t, reserve(t, s), retry.Transient(errBusy))
		<-r.Ready()
		_, err = r.Retry(retry.Transient(errBroken))
		var exhausted *retry.ExhaustedError
		require.ErrorAs(t, err, &exhausted)
		require.Equal(t, 2, exhausted.Attempts)
		require.ErrorIs(t, err, errBroken)

		soon, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		r, err = s.Reserve(soon)
		require.NoError(t, err)
		<-r.Ready()
		_, err = r.Retry(retry.Transient(errBroken))
		require.ErrorAs(t, err, new(*scheduler.DeadlineError))
		require.ErrorIs(t, err, errBroken)
		require.Zero(t, s.Snapshot().Running)

		_, err = reserve(t, s).Retry(retry.After(errBusy, time.Hour))
		require.ErrorIs(t, err, retry.ErrWaitTooLong)
	})
}

// While it backs off, a reservation ends with its context, by Cancel or with the scheduler (H08,
// H13, H18).
func TestReservationEndsInBackoff(t *testing.T) {
	bubble(t, scheduler.Config{Limit: oneEach}, func(t *testing.T, s *scheduler.Scheduler) {
		ctx, cancel := context.WithCancel(t.Context())
		r, err := s.Reserve(ctx)
		require.NoError(t, err)
		<-r.Ready()
		r = retried(t, r, retry.Transient(errBroken))
		cancel()
		<-r.Ready()
		require.ErrorIs(t, r.Err(), context.Canceled)
		require.ErrorIs(t, r.Err(), errBroken)

		r = retried(t, reserve(t, s), retry.Transient(errBroken))
		r.Cancel()
		<-r.Ready()
		require.ErrorIs(t, r.Err(), scheduler.ErrCanceled)

		waits, runs := retried(t, reserve(t, s), retry.Transient(errBroken)), reserve(t, s)
		s.Close()
		<-waits.Ready()
		require.ErrorIs(t, waits.Err(), scheduler.ErrClosed)
		require.ErrorIs(t, waits.Err(), errBroken)
		_, err = runs.Retry(retry.Transient(errBroken))
		require.ErrorIs(t, err, scheduler.ErrClosed)
		require.ErrorIs(t, err, errBroken)
	})
}

func TestHasBudget(t *testing.T) {
	bubble(t, scheduler.Config{}, func(t *testing.T, s *scheduler.Scheduler) {
		require.True(t, s.HasBudget(""))
		require.False(t, s.HasBudget("tokens"))
	})
	bubble(t, scheduler.Config{Limits: bucket.Limits{"tokens": oneEach}}, func(t *testing.T, s *scheduler.Scheduler) {
		require.True(t, s.HasBudget("tokens"))
		require.False(t, s.HasBudget(""))
	})
}
