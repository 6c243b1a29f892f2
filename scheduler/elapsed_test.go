package scheduler_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

// everySecond retries after each second, for ten seconds.
var everySecond = retry.Policy{MaxRetries: 100, Multiplier: 1, Jitter: retry.None, MaxElapsed: 10 * time.Second}

// No retry begins later than MaxElapsed after the first attempt, and the error says so (R8, MaxElapsed).
func TestMaxElapsed(t *testing.T) {
	for name, call := range map[string]func(ctx context.Context, s *scheduler.Scheduler, fn func(context.Context) error) error{
		"Do": func(ctx context.Context, s *scheduler.Scheduler, fn func(context.Context) error) error {
			return s.Do(ctx, fn)
		},
		"Submit": func(ctx context.Context, s *scheduler.Scheduler, fn func(context.Context) error) error {
			h, err := s.Submit(ctx, fn)
			if err != nil {
				return err
			}
			return settled(h)
		},
		"Reserve": func(ctx context.Context, s *scheduler.Scheduler, fn func(context.Context) error) error {
			r, err := s.Reserve(ctx)
			for err == nil {
				<-r.Ready()
				r, err = r.Retry(fn(ctx))
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, scheduler.Config{Limit: bucket.PerSecond(1).Burst(100), Retry: everySecond}, func(t *testing.T, s *scheduler.Scheduler) {
				f, started := failing(nil), time.Now()
				err := call(t.Context(), s, f.run)
				var out *retry.ExhaustedError
				require.ErrorAs(t, err, &out)
				require.Equal(t, 11, f.attempts(), "at 0, 1, … 10 s")
				require.Equal(t, 10*time.Second, time.Since(started), "it ends when the last has failed")
				require.Equal(t, 10*time.Second, out.MaxElapsed)
				require.Equal(t, 11*time.Second, out.Elapsed)
				require.ErrorIs(t, err, errBusy)
				require.ErrorContains(t, err, "the next would begin 11s after the first and Policy.MaxElapsed is 10s")
			})
		})
	}
}

// The queue in front of the first attempt does not count, and that in front of a retry does.
func TestMaxElapsedAndTheQueue(t *testing.T) {
	bubble(t, scheduler.Config{Limit: oneEach, Level: empty}, func(t *testing.T, s *scheduler.Scheduler) {
		submit(t, s, nothing, scheduler.Cost(10))
		f := &flaky{failures: 1}
		h := submit(t, s, f.run, scheduler.Retry(everySecond))
		time.Sleep(11*time.Second + 500*time.Millisecond) // it backs off
		require.Equal(t, 1, f.attempts())
		submit(t, s, nothing, scheduler.Cost(9), scheduler.Priority(1))
		require.NoError(t, settled(h), "its retry begins just in time")
		require.Equal(t, 21*time.Second, h.Times().Total())

		h = submit(t, s, (&flaky{failures: 1}).run, scheduler.Retry(everySecond))
		time.Sleep(1500 * time.Millisecond)
		for range 2 {
			submit(t, s, nothing, scheduler.Cost(6), scheduler.Priority(1))
		}
		started := time.Now()
		var out *retry.ExhaustedError
		require.ErrorAs(t, settled(h), &out)
		require.Equal(t, 500*time.Millisecond, time.Since(started), "when it came back, and not when its turn came")
		require.Equal(t, 13*time.Second, out.Elapsed)
		require.Equal(t, 1, out.Attempts)
	})
}

// A slot that becomes free too late is no use to a retry. No estimate knows of it.
func TestMaxElapsedAndSlots(t *testing.T) {
	bubble(t, scheduler.Config{MaxInFlight: 1, Retry: everySecond}, func(t *testing.T, s *scheduler.Scheduler) {
		h := submit(t, s, failing(nil).run)
		time.Sleep(500 * time.Millisecond)
		blocker := submit(t, s, func(context.Context) error { time.Sleep(time.Minute); return nil })
		var out *retry.ExhaustedError
		require.ErrorAs(t, settled(h), &out)
		require.Equal(t, 60500*time.Millisecond, out.Elapsed)
		require.Equal(t, 1, out.Attempts)
		require.NoError(t, settled(blocker))
	})
}

// A context's deadline that comes first is the reason, and a success in time stays one.
func TestMaxElapsedAndDeadline(t *testing.T) {
	bubble(t, scheduler.Config{Retry: everySecond}, func(t *testing.T, s *scheduler.Scheduler) {
		ctx, cancel := context.WithTimeout(t.Context(), 2500*time.Millisecond)
		defer cancel()
		var late *scheduler.DeadlineError
		require.ErrorAs(t, s.Do(ctx, failing(nil).run), &late)
		ctx, cancel = context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		require.ErrorIs(t, s.Do(ctx, failing(nil).run), retry.ErrExhausted)

		slow := &flaky{failures: 1}
		require.NoError(t, s.Do(t.Context(), func(ctx context.Context) error {
			time.Sleep(9 * time.Second)
			return slow.run(ctx)
		}), "an attempt that began in time is not cut short")
	})
}
