package scheduler_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

// The classifier decides what is retried, and never the text of an error (R4, classification; H50,
// H52).
func TestH50_H52_WhatIsRetried(t *testing.T) {
	eager := func(err error) retry.Verdict { return retry.Verdict{Kind: retry.KindTransient} }
	picky := func(err error) retry.Verdict {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return retry.Verdict{Kind: retry.KindTransient}
		}
		return retry.Classify(err)
	}
	for name, c := range map[string]struct {
		err      error
		classify retry.Classifier
		opts     []scheduler.Option
		attempts int
	}{
		"rate limited":               {err: retry.RateLimited(errBusy), attempts: 6},
		"retry after":                {err: retry.After(errBusy, time.Second), attempts: 6},
		"transient":                  {err: retry.Transient(errBusy), attempts: 6},
		"wrapped":                    {err: fmt.Errorf("asking: %w", retry.RateLimited(errBusy)), attempts: 6},
		"joined":                     {err: errors.Join(errBroken, retry.RateLimited(errBusy)), attempts: 6},
		"permanent wins":             {err: errors.Join(retry.Permanent(errBroken), retry.RateLimited(errBusy)), attempts: 1},
		"unmarked":                   {err: errBroken, attempts: 1},
		"text":                       {err: errors.New("429 too many requests, please retry"), attempts: 1},
		"classifier":                 {err: errBroken, classify: eager, attempts: 6},
		"classifier falls back":      {err: io.ErrUnexpectedEOF, classify: picky, attempts: 6},
		"classifier refuses":         {err: io.EOF, classify: picky, attempts: 1},
		"classifier of the call":     {err: errBroken, opts: []scheduler.Option{scheduler.Classify(eager)}, attempts: 6},
		"nil is the scheduler's":     {err: errBroken, classify: eager, opts: []scheduler.Option{scheduler.Classify(nil)}, attempts: 6},
		"policy of the call":         {err: retry.RateLimited(errBusy), opts: []scheduler.Option{scheduler.Retry(retry.Policy{MaxRetries: 2})}, attempts: 3},
		"no retries":                 {err: retry.RateLimited(errBusy), opts: []scheduler.Option{scheduler.Retry(retry.Policy{MaxRetries: retry.None})}, attempts: 1},
		"the last option of a kind":  {err: retry.RateLimited(errBusy), opts: []scheduler.Option{scheduler.Retry(retry.Policy{MaxRetries: 2}), scheduler.Retry(retry.Policy{MaxRetries: 1})}, attempts: 2},
		"exhausted is not gone into": {err: &retry.ExhaustedError{Attempts: 1, Errors: []error{retry.RateLimited(errBusy)}}, attempts: 1},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, scheduler.Config{Classify: c.classify}, func(t *testing.T, s *scheduler.Scheduler) {
				do, work := failing(c.err), failing(c.err)
				require.ErrorIs(t, s.Do(t.Context(), do.run, c.opts...), c.err)
				require.Equal(t, c.attempts, do.attempts())

				h := submit(t, s, work.run, c.opts...)
				require.ErrorIs(t, settled(h), c.err)
				require.Equal(t, c.attempts, work.attempts())
				require.Equal(t, c.attempts, h.Attempts())
			})
		})
	}
}

// A final error is returned as it is, not wrapped and not copied (R4).
func TestFinalErrorIsUnchanged(t *testing.T) {
	bubble(t, scheduler.Config{Retry: exact}, func(t *testing.T, s *scheduler.Scheduler) {
		final := fmt.Errorf("wrapped: %w", errBroken)
		for failures := range 3 { // also after retries
			made := 0
			fn := func(context.Context) error {
				if made++; made <= failures {
					return retry.RateLimited(errBusy)
				}
				return final
			}
			require.Same(t, final, s.Do(t.Context(), fn))
			made = 0
			require.Same(t, final, settled(submit(t, s, fn)))
		}
		time.Sleep(time.Hour) // no ended call comes back
		snap := s.Snapshot()
		require.EqualValues(t, 6, snap.Totals.Failed)
		require.EqualValues(t, 12, snap.Totals.Attempts)
		require.Zero(t, snap.Running+snap.BackingOff+snap.Queued)
	})
}

// ExhaustedError has every attempt's error (R6, errors).
func TestExhaustedTellsEverything(t *testing.T) {
	bubble(t, scheduler.Config{Retry: exact}, func(t *testing.T, s *scheduler.Scheduler) {
		var errs []error
		err := s.Do(t.Context(), func(context.Context) error {
			errs = append(errs, retry.Transient(fmt.Errorf("failure %d", len(errs)+1)))
			return errs[len(errs)-1]
		})
		var out *retry.ExhaustedError
		require.ErrorAs(t, err, &out)
		require.ErrorIs(t, err, retry.ErrExhausted)
		require.Equal(t, 6, out.Attempts)
		require.Equal(t, 31*time.Second, out.Waited)
		require.Equal(t, errs, out.Errors)
		require.Same(t, errs[5], errors.Unwrap(err))
		require.NotErrorIs(t, err, errs[4])
		require.EqualError(t, err, "retry: retries exhausted: 6 attempts failed, 31s waited in between, the last with: failure 6")
		require.EqualValues(t, 1, s.Snapshot().Totals.Exhausted)
	})
}

// A server's wait is never undercut and holds all calls (R5, server's wait). A wait that is too
// long ends the call with the time at which to try again.
func TestServerWait(t *testing.T) {
	bubble(t, scheduler.Config{Retry: exact}, func(t *testing.T, s *scheduler.Scheduler) {
		started := time.Now()
		f := &flaky{failures: 1, err: retry.After(errBusy, 30*time.Second)}
		first := goDo(t.Context(), s, f.run)
		require.False(t, s.Snapshot().HeldUntil.IsZero())
		require.NoError(t, s.Do(t.Context(), nothing))
		require.GreaterOrEqual(t, time.Since(started), 30*time.Second, "the others were held")
		got := <-first
		require.NoError(t, got.err)
		require.GreaterOrEqual(t, got.took, 30*time.Second)
		require.LessOrEqual(t, got.took, 34*time.Second)

		var asked time.Time
		err := s.Do(t.Context(), func(context.Context) error {
			asked = time.Now()
			return retry.After(errBusy, time.Hour)
		})
		var long *retry.WaitTooLongError
		require.ErrorAs(t, err, &long)
		require.ErrorIs(t, err, errBusy)
		require.Equal(t, time.Hour, long.Wait)
		require.Equal(t, 2*time.Minute, long.Max)
		require.True(t, asked.Add(time.Hour).Equal(long.RetryAt), "%v", long.RetryAt)
		require.Equal(t, asked, time.Now(), "at once")
	})
}

// A refusal that names a budget empties only that budget (R5; H60). A wait for one call alone
// neither holds nor slows down others.
func TestH60_OneRefusalOneBudget(t *testing.T) {
	limits := bucket.Limits{"requests": bucket.PerMinute(60), "tokens": bucket.PerMinute(6000)}
	bubble(t, scheduler.Config{Limits: limits, Retry: exact, Adaptive: true}, func(t *testing.T, s *scheduler.Scheduler) {
		level := func(budget string) int64 { return s.Snapshot().Levels()[budget].Tokens }
		once := scheduler.Retry(retry.Policy{MaxRetries: retry.None})
		usedUp := retry.Verdict{Kind: retry.KindRateLimited, Wait: 10 * time.Second, Budget: "requests"}
		require.Error(t, s.Do(t.Context(), failing(usedUp.Mark(errBusy)).run, once, scheduler.CostOf("tokens", 1000)))
		require.Zero(t, level("requests"))
		require.EqualValues(t, 5000, level("tokens"))
		started := time.Now()
		require.NoError(t, s.Do(t.Context(), nothing))
		require.Greater(t, time.Since(started), 10*time.Second)

		time.Sleep(time.Hour)
		require.InDelta(t, 1, s.Snapshot().Rate, 0, "the rate has recovered")
		started = time.Now()
		f := &flaky{failures: 1, err: retry.AfterAlone(errBusy, 30*time.Second)}
		alone := goDo(t.Context(), s, f.run)
		require.NoError(t, s.Do(t.Context(), nothing))
		require.Zero(t, time.Since(started), "no other call waits")
		require.InDelta(t, 1, s.Snapshot().Rate, 0)
		got := <-alone
		require.NoError(t, got.err)
		require.GreaterOrEqual(t, got.took, 30*time.Second)
	})
}

// Without keys, a wait of any scope but ScopeCall holds all calls and slows them down.
func TestScopesOfAWait(t *testing.T) {
	for _, scope := range []retry.Scope{retry.ScopeDefault, retry.ScopeKey, retry.ScopeAll} {
		bubble(t, scheduler.Config{Retry: exact, Adaptive: true}, func(t *testing.T, s *scheduler.Scheduler) {
			refused := retry.Verdict{Kind: retry.KindRateLimited, Scope: scope, Wait: 10 * time.Second}
			once := scheduler.Retry(retry.Policy{MaxRetries: retry.None})
			require.Error(t, s.Do(t.Context(), failing(refused.Mark(errBusy)).run, once))
			require.Less(t, s.Snapshot().Rate, 1.0, scope)
			started := time.Now()
			require.NoError(t, s.Do(t.Context(), nothing))
			require.Greater(t, time.Since(started), 10*time.Second, scope)
		})
	}
}

// A time in seconds since 1970 that is taken for a number of seconds is a wait of 57 years (H47).
// It ends the call at once, and holds the others for at most MaxServerWait.
func TestH47_EpochTakenForSeconds(t *testing.T) {
	bubble(t, scheduler.Config{Retry: exact}, func(t *testing.T, s *scheduler.Scheduler) {
		started := time.Now()
		f := failing(retry.After(errBusy, 1_792_152_901*time.Second))
		once := scheduler.Retry(retry.Policy{MaxRetries: 1}) // a bubble's time ends in 2262
		require.ErrorIs(t, s.Do(t.Context(), f.run, once), retry.ErrWaitTooLong)
		require.Zero(t, time.Since(started))
		require.Equal(t, 1, f.attempts())
		require.NoError(t, s.Do(t.Context(), nothing))
		require.Equal(t, 2*time.Minute+600*time.Millisecond, time.Since(started), "the refill starts from an empty budget")
	})
}

// Cancellation keeps the last attempt's error and the context's cause (R6, errors; H13).
func TestH13_LastErrorIsJoined(t *testing.T) {
	errEnough := errors.New("enough")
	cancelIn := func(t *testing.T, d time.Duration) context.Context {
		ctx, cancel := context.WithCancelCause(t.Context())
		t.Cleanup(func() { cancel(nil) })
		time.AfterFunc(d, func() { cancel(errEnough) })
		return ctx
	}
	bubble(t, scheduler.Config{Retry: exact}, func(t *testing.T, s *scheduler.Scheduler) {
		check := func(err error) {
			t.Helper()
			require.ErrorIs(t, err, context.Canceled)
			require.ErrorIs(t, err, errEnough)
			require.ErrorIs(t, err, errBusy)
			require.EqualError(t, err, "context canceled: enough (attempts made: 2, the last failed with: server is busy (rate limited))")
		}
		check(s.Do(cancelIn(t, 2*time.Second), failing(nil).run)) // fails at 0 s and 1 s, would again at 3 s
		h, err := s.Submit(cancelIn(t, 2*time.Second), failing(nil).run)
		require.NoError(t, err)
		check(settled(h))
		require.Equal(t, 2, h.Attempts())
		h, err = s.Submit(cancelIn(t, 2*time.Second), failing(nil).run, scheduler.OnProgress(func(scheduler.Progress) {}))
		require.NoError(t, err)
		check(settled(h))
		require.EqualValues(t, 3, s.Snapshot().Totals.Canceled)
	})
}
