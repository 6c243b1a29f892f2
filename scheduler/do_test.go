package scheduler_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

// The zero Config grants 1000 tokens at once and then 100 a minute (B1, capacity).
func TestDoWithDefaults(t *testing.T) {
	bubble(t, scheduler.Config{}, func(t *testing.T, s *scheduler.Scheduler) {
		started := time.Now()
		for range 1000 {
			require.NoError(t, s.Do(t.Context(), nothing))
		}
		require.Zero(t, time.Since(started))
		require.NoError(t, s.Do(t.Context(), nothing))
		require.Equal(t, 600*time.Millisecond, time.Since(started))
	})
}

// The zero Config retries after about 1, 2, 4, 8 and 16 s (R1, default policy).
func TestDoRetriesByDefault(t *testing.T) {
	bubble(t, scheduler.Config{}, func(t *testing.T, s *scheduler.Scheduler) {
		f := &flaky{failures: 5}
		started := time.Now()
		require.NoError(t, s.Do(t.Context(), f.run))
		require.Equal(t, 6, f.attempts())
		require.InDelta(t, 31, time.Since(started).Seconds(), 3.1)
	})
}

func TestValue(t *testing.T) {
	bubble(t, scheduler.Config{Retry: exact}, func(t *testing.T, s *scheduler.Scheduler) {
		f := &flaky{failures: 2}
		answer, err := scheduler.Value(t.Context(), s, func(ctx context.Context) (int, error) {
			err := f.run(ctx)
			return f.attempts() * 10, err
		})
		require.NoError(t, err)
		require.Equal(t, 30, answer, "from the last attempt")

		text, err := scheduler.Value(t.Context(), s, func(context.Context) (string, error) { return "half", errBroken })
		require.Same(t, errBroken, err)
		require.Equal(t, "half", text, "the value is returned with an error, too")
	})
}

// Do calls the same function value at every attempt, on the caller's goroutine (C2, caller's
// goroutine).
func TestDoKeepsFunctionAndGoroutine(t *testing.T) {
	bubble(t, scheduler.Config{}, func(t *testing.T, s *scheduler.Scheduler) {
		caller := goroutineID()
		var work []string // a program may resume where it failed
		require.NoError(t, s.Do(t.Context(), func(context.Context) error {
			require.Equal(t, caller, goroutineID())
			work = append(work, fmt.Sprint("part ", len(work)))
			if len(work) < 4 {
				return retry.Transient(errBusy)
			}
			return nil
		}))
		require.Equal(t, []string{"part 0", "part 1", "part 2", "part 3"}, work)
	})
}

func goroutineID() string {
	buf := make([]byte, 64)
	first, _, _ := strings.Cut(string(buf[:runtime.Stack(buf, false)]), " [")
	return first
}

// The function gets the context that Do got.
func TestDoPassesItsContext(t *testing.T) {
	bubble(t, scheduler.Config{}, func(t *testing.T, s *scheduler.Scheduler) {
		type key struct{}
		ctx := context.WithValue(t.Context(), key{}, "value")
		require.NoError(t, s.Do(ctx, func(got context.Context) error {
			require.Equal(t, ctx, got)
			return nil
		}))
	})
}

// Waiting for tokens is no attempt, however long (R7, waiting; H40).
func TestH40_WaitingIsNoAttempt(t *testing.T) {
	cfg := scheduler.Config{Limit: bucket.Per(1, 1000*time.Hour), Level: empty, Retry: retry.Policy{MaxRetries: 1}}
	bubble(t, cfg, func(t *testing.T, s *scheduler.Scheduler) {
		f := failing(nil)
		started := time.Now()
		var out *retry.ExhaustedError
		require.ErrorAs(t, s.Do(t.Context(), f.run), &out)
		require.Equal(t, 2000*time.Hour, time.Since(started))
		require.Equal(t, 2, f.attempts())
		require.Equal(t, 2, out.Attempts)
		require.EqualValues(t, 2, s.Snapshot().Totals.Attempts)
		require.EqualValues(t, 1, s.Snapshot().Totals.Retries)
	})
}

// A retry pays like a first attempt and waits for its tokens (B4, paid attempts; H39).
func TestH39_EveryAttemptPays(t *testing.T) {
	cfg := scheduler.Config{Limit: oneEach, Retry: exact}
	bubble(t, cfg, func(t *testing.T, s *scheduler.Scheduler) {
		started := time.Now()
		f := &flaky{failures: 2}
		require.NoError(t, s.Do(t.Context(), f.run, scheduler.Cost(10)))
		require.Equal(t, 20*time.Second, time.Since(started), "the tokens come later than the backoff of 1 s and 2 s ends")
		snap := s.Snapshot()
		require.EqualValues(t, 30, snap.Ledger.Spent)
		require.EqualValues(t, 3, snap.Totals.Attempts)
		require.EqualValues(t, 2, snap.Totals.Retries)
		require.EqualValues(t, 2, snap.Totals.RateLimited)
	})
}

// Calls share no count of retries (H53).
func TestH53_NothingIsSharedBetweenCalls(t *testing.T) {
	bubble(t, scheduler.Config{}, func(t *testing.T, s *scheduler.Scheduler) {
		for range 3 {
			f := failing(nil)
			require.ErrorIs(t, s.Do(t.Context(), f.run), retry.ErrExhausted)
			require.Equal(t, 6, f.attempts())
			f = &flaky{failures: 5}
			require.NoError(t, s.Do(t.Context(), f.run))
			require.Equal(t, 6, f.attempts())
		}
	})
}

// An Option may be used by many calls and schedulers at once (H53).
func TestH53_OptionsAreReusable(t *testing.T) {
	delay := func(t *testing.T, seed uint64, opt scheduler.Option) (waited time.Duration) {
		synctest.Test(t, func(t *testing.T) {
			s := open(t, scheduler.Config{Retry: retry.Policy{Seed: seed}})
			started := time.Now()
			require.NoError(t, s.Do(t.Context(), (&flaky{failures: 1}).run, opt))
			waited = time.Since(started)
		})
		return waited
	}
	policy := retry.Policy{Jitter: 1}
	shared := scheduler.Retry(policy)
	for seed := range uint64(4) {
		seed++
		require.Equal(t, delay(t, seed, scheduler.Retry(policy)), delay(t, seed, shared), "seed %d", seed)
	}
	bubble(t, scheduler.Config{}, func(t *testing.T, s *scheduler.Scheduler) {
		var running []<-chan outcome
		for range 50 {
			running = append(running, goDo(t.Context(), s, (&flaky{failures: 3}).run, shared))
		}
		for _, done := range running {
			require.NoError(t, (<-done).err)
		}
	})
}

// A call that runs or backs off blocks no other (H54).
func TestH54_OthersRunMeanwhile(t *testing.T) {
	bubble(t, scheduler.Config{}, func(t *testing.T, s *scheduler.Scheduler) {
		backsOff := goDo(t.Context(), s, (&flaky{failures: 1}).run)
		runs := goDo(t.Context(), s, func(context.Context) error { time.Sleep(time.Hour); return nil })
		started := time.Now()
		for range 100 {
			require.NoError(t, s.Do(t.Context(), nothing))
		}
		require.Zero(t, time.Since(started))
		require.NoError(t, (<-backsOff).err)
		require.NoError(t, (<-runs).err)
	})
}

// A function that ignores its context is waited for before the next attempt (H04).
func TestH04_AttemptsNeverOverlap(t *testing.T) {
	bubble(t, scheduler.Config{Retry: exact}, func(t *testing.T, s *scheduler.Scheduler) {
		running, attempts := 0, 0
		slow := func(context.Context) error {
			running++
			attempts++
			require.Equal(t, 1, running)
			time.Sleep(time.Minute)
			running--
			if attempts%3 != 0 {
				return retry.RateLimited(errBusy)
			}
			return nil
		}
		started := time.Now()
		require.NoError(t, s.Do(t.Context(), slow))
		require.NoError(t, settled(submit(t, s, slow)))
		require.Equal(t, 6, attempts)
		require.Equal(t, 2*(3*time.Minute+3*time.Second), time.Since(started))

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		started = time.Now()
		err := s.Do(ctx, slow)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.True(t, errors.Is(err, errBusy))
		require.Equal(t, time.Minute, time.Since(started))
	})
}
