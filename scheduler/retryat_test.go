package scheduler_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

// once allows no retry.
var once = retry.Policy{MaxRetries: retry.None}

// refusals are the ways in which a call can be refused while it would have to wait.
var refusals = map[string]func(s *scheduler.Scheduler) error{
	"NoWait":  func(s *scheduler.Scheduler) error { return s.Do(context.Background(), nothing, scheduler.NoWait()) },
	"MaxWait": func(s *scheduler.Scheduler) error { return s.Do(context.Background(), nothing, scheduler.MaxWait(1)) },
	"deadline": func(s *scheduler.Scheduler) error {
		ctx, cancel := context.WithTimeout(context.Background(), 1)
		defer cancel()
		return s.Do(ctx, nothing)
	},
	"full": func(s *scheduler.Scheduler) error { return s.Do(context.Background(), nothing) },
}

// RetryAt is the instant at which a call that is not refused has its turn, to the nanosecond, after a hold with
// jitter, a pause or a queue (C17, RetryAt).
func TestRetryAt(t *testing.T) {
	for name, delay := range map[string]func(s *scheduler.Scheduler) error{
		"queue": func(s *scheduler.Scheduler) error { return nil },
		"pause": func(s *scheduler.Scheduler) error { return s.PauseUntil(s.Now().Add(12345678901)) },
		"hold": func(s *scheduler.Scheduler) error {
			return s.Do(context.Background(), failing(retry.After(errBusy, 30*time.Second)).run, scheduler.Cost(0), scheduler.Priority(9), scheduler.Retry(once))
		},
	} {
		for how, refused := range refusals {
			t.Run(name+" "+how, func(t *testing.T) {
				cfg := scheduler.Config{Limit: oneEach, Level: empty, MaxQueued: 1, Overflow: scheduler.RefuseNew}
				bubble(t, cfg, func(t *testing.T, s *scheduler.Scheduler) {
					submit(t, s, nothing, scheduler.Cost(3))
					_ = delay(s)
					at, known := scheduler.RetryAt(refused(s))
					require.True(t, known)
					if name == "hold" {
						require.True(t, at.After(s.Snapshot().HeldUntil))
						require.Greater(t, at.Sub(s.Now()), 34*time.Second, "30 s, the jitter and four tokens")
					}
					require.NoError(t, s.SetMaxQueued(9))
					require.NoError(t, s.Do(t.Context(), nothing))
					require.True(t, at.Equal(s.Now()), "%v and %v", at, s.Now())
				})
			})
		}
	}
}

// A call that a server told to wait and that has no retries left, or for which the wait is too long, has its turn after
// that wait with its jitter, or after a longer one of others (C17, RetryAt).
func TestRetryAtAfterAServersWait(t *testing.T) {
	bubble(t, scheduler.Config{Limit: oneEach}, func(t *testing.T, s *scheduler.Scheduler) {
		err := s.Do(t.Context(), failing(retry.After(errBusy, 30*time.Second)).run, scheduler.Retry(once))
		require.ErrorIs(t, err, retry.ErrExhausted)
		at, known := scheduler.RetryAt(fmt.Errorf("wrapped: %w", err))
		require.True(t, known)
		held := s.Snapshot().HeldUntil
		require.Greater(t, held.Sub(s.Now()), 30*time.Second, "the jitter")
		require.Equal(t, held.Add(time.Second), at, "the first token comes a second after the end of the hold")
		require.NoError(t, s.Do(t.Context(), nothing))
		require.Equal(t, at, s.Now())

		err = s.Do(t.Context(), failing(retry.AfterAlone(errBusy, 30*time.Second)).run, scheduler.Retry(once))
		at, known = scheduler.RetryAt(err)
		require.True(t, known)
		require.Greater(t, at.Sub(s.Now()), 30*time.Second, "the jitter, although no other call is held")
		require.LessOrEqual(t, at.Sub(s.Now()), 33*time.Second)

		err = s.Do(t.Context(), failing(retry.After(errBusy, time.Hour)).run)
		require.ErrorIs(t, err, retry.ErrWaitTooLong)
		at, known = scheduler.RetryAt(err)
		require.True(t, known)
		require.Equal(t, s.Now().Add(time.Hour), at)

		require.NoError(t, s.PauseUntil(s.Now().Add(2*time.Hour)))
		at, _ = scheduler.RetryAt(s.Do(t.Context(), nothing, scheduler.NoWait()))
		require.Greater(t, at.Sub(s.Now()), 2*time.Hour)

		err = s.Do(t.Context(), failing(errBroken).run, scheduler.NoWait())
		require.ErrorIs(t, err, scheduler.ErrWouldWait)
	})
	bubble(t, scheduler.Config{Limit: bucket.PerSecond(1).Burst(100), Retry: everySecond}, func(t *testing.T, s *scheduler.Scheduler) {
		err := s.Do(t.Context(), failing(nil).run)
		at, known := scheduler.RetryAt(err)
		require.True(t, known, "its MaxElapsed has ended it")
		require.Equal(t, s.Now().Add(time.Second), at)
		_, known = scheduler.RetryAt(s.Do(t.Context(), failing(nil).run, scheduler.Retry(once)))
		require.False(t, known, "no server has said how long to wait")
	})
}

// A call that has waited in vain is told its turn, too, and so is one that gave way (C17, RetryAt).
func TestRetryAtOfAQueuedCall(t *testing.T) {
	bubble(t, scheduler.Config{Limit: oneEach, Level: empty, MaxQueued: 1, Overflow: scheduler.DropLowest}, func(t *testing.T, s *scheduler.Scheduler) {
		h := submit(t, s, nothing, scheduler.MaxWait(time.Minute))
		require.NoError(t, s.PauseUntil(s.Now().Add(time.Hour)))
		at, known := scheduler.RetryAt(settled(h))
		require.True(t, known)
		require.Equal(t, s.Now().Add(time.Hour+time.Second), at)
		h = submit(t, s, nothing)
		submit(t, s, nothing, scheduler.Priority(1))
		at, known = scheduler.RetryAt(settled(h))
		require.True(t, known)
		require.Equal(t, s.Now().Add(time.Hour+time.Second), at)
	})
}

// RetryAt is not known during a pause without an end, for want of a slot, while a store is away, and for other
// errors (C17, RetryAt).
func TestRetryAtIsNotKnown(t *testing.T) {
	unknown := func(t *testing.T, err error) {
		t.Helper()
		require.Error(t, err)
		at, known := scheduler.RetryAt(err)
		require.False(t, known, "%v", err)
		require.Zero(t, at)
	}
	for how, refused := range refusals {
		t.Run(how, func(t *testing.T) {
			cfg := scheduler.Config{Limit: oneEach, Level: empty, MaxQueued: 1, Overflow: scheduler.RefuseNew}
			bubble(t, cfg, func(t *testing.T, s *scheduler.Scheduler) {
				submit(t, s, nothing)
				require.NoError(t, s.Pause())
				unknown(t, refused(s))
			})
		})
	}
	bubble(t, scheduler.Config{Limit: bucket.Unlimited, MaxInFlight: 1}, func(t *testing.T, s *scheduler.Scheduler) {
		ctx, cancel := context.WithCancel(t.Context())
		busy := goDo(ctx, s, untilDone)
		unknown(t, s.Do(t.Context(), nothing, scheduler.NoWait()))
		unknown(t, s.Do(t.Context(), nothing, scheduler.MaxWait(time.Second)))
		cancel()
		unknown(t, (<-busy).err)
	})
	bubble(t, scheduler.Config{Limit: oneEach, Retry: exact}, func(t *testing.T, s *scheduler.Scheduler) {
		require.NoError(t, s.PauseKey("a", time.Time{}))
		submit(t, s, nothing, scheduler.Key("a"), scheduler.Cost(10))
		unknown(t, s.Do(t.Context(), nothing, scheduler.Key("a"), scheduler.NoWait()))
		unknown(t, s.Do(t.Context(), failing(errBroken).run))
		unknown(t, errors.Join(errBroken, scheduler.ErrClosed))
	})
	_, known := scheduler.RetryAt(nil)
	require.False(t, known)
	at := time.Now()
	got, known := scheduler.RetryAt(errors.Join(errBroken, &scheduler.DeadlineError{RetryAt: at, Err: &scheduler.WouldWaitError{RetryAt: at.Add(1)}}))
	require.True(t, known)
	require.Equal(t, at, got, "the outermost counts")
}

// While a store is away, no error says when a call would have its turn (C17, RetryAt).
func TestRetryAtInAFleet(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFleet(t, 1, scheduler.Config{Limit: bucket.PerSecond(10)})
		time.Sleep(10 * time.Second)
		refused := func() error {
			return f.members[0].Do(t.Context(), noop, scheduler.MaxWait(time.Millisecond), scheduler.Cost(10))
		}
		f.flood(0, 10)
		time.Sleep(time.Second)
		at, known := scheduler.RetryAt(refused())
		require.True(t, known)
		require.True(t, at.After(f.members[0].Now()))
		f.store.setAway(true)
		time.Sleep(5 * time.Second)
		err := refused()
		require.ErrorIs(t, err, scheduler.ErrWouldWait)
		_, known = scheduler.RetryAt(err)
		require.False(t, known)
	})
}
