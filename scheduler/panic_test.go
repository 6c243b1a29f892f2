package scheduler_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/events"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

// oneSlot lets one call run at a time, so that a lost slot shows.
var oneSlot = scheduler.Config{MaxInFlight: 1, Retry: exact}

func panics(v any) func(context.Context) error {
	return func(context.Context) error { panic(v) }
}

func goexits(context.Context) error { runtime.Goexit(); return nil }

// stillWorks checks that no slot is held and that later calls run.
func stillWorks(t *testing.T, s *scheduler.Scheduler) {
	t.Helper()
	require.NoError(t, s.Do(t.Context(), nothing))
	require.NoError(t, settled(submit(t, s, nothing)))
	synctest.Wait()
	snap := s.Snapshot()
	require.Zero(t, snap.Running+snap.Queued+snap.BackingOff)
}

// A panic passes through Do, at a first attempt and at a later one (C3, panics; H01).
func TestH01_PanicPassesThroughDo(t *testing.T) {
	bubble(t, oneSlot, func(t *testing.T, s *scheduler.Scheduler) {
		sub := s.Subscribe(events.Of(events.Failed))
		require.PanicsWithValue(t, "boom", func() { _ = s.Do(t.Context(), panics("boom")) })
		stillWorks(t, s)
		attempts := 0
		require.PanicsWithValue(t, errBroken, func() {
			_ = s.Do(t.Context(), func(context.Context) error {
				if attempts++; attempts == 3 {
					panic(errBroken)
				}
				return retry.RateLimited(errBusy)
			})
		})
		require.PanicsWithValue(t, 7, func() {
			_, _ = scheduler.Value(t.Context(), s, func(context.Context) (int, error) { panic(7) })
		})
		time.Sleep(time.Hour) // none of them is tried again
		require.Equal(t, 3, attempts)
		stillWorks(t, s)
		snap := s.Snapshot()
		require.EqualValues(t, 3, snap.Totals.Failed)
		require.EqualValues(t, snap.Totals.Attempts, snap.Ledger.Spent, "a started attempt is paid for")
		require.EqualError(t, (<-sub.C).Err, "scheduler: the function panicked or called runtime.Goexit")
	})
}

// In submitted work a panic is the result, with its stack, and is not retried (H01).
func TestH01_PanicEndsSubmittedWork(t *testing.T) {
	bubble(t, oneSlot, func(t *testing.T, s *scheduler.Scheduler) {
		watched := scheduler.OnProgress(func(scheduler.Progress) {})
		eager := scheduler.Classify(func(error) retry.Verdict { return retry.Verdict{Kind: retry.KindTransient} })
		for _, opts := range [][]scheduler.Option{nil, {eager}, {watched}, {eager, watched}} {
			h := submit(t, s, panics("boom"), opts...)
			var p *scheduler.PanicError
			require.ErrorAs(t, settled(h), &p)
			require.Equal(t, "boom", p.Value)
			require.Equal(t, "function", p.In)
			require.Contains(t, string(p.Stack), "panic_test.go:", "the stack is that of the panic")
			require.ErrorContains(t, p, "panic in function: boom\n\n")
			require.NoError(t, p.Unwrap())
			require.Equal(t, 1, h.Attempts())
			stillWorks(t, s)
		}
		require.ErrorIs(t, settled(submit(t, s, panics(errBroken))), errBroken, "a PanicError unwraps the value if that is an error")
		require.ErrorAs(t, settled(submit(t, s, panics(nil))), new(*runtime.PanicNilError))
		require.ErrorAs(t, settled(submit(t, s, panics(retry.RateLimited(errBusy)))), new(*scheduler.PanicError), "the wrapped error does not make it retryable")
		require.EqualValues(t, 7, s.Snapshot().Totals.Failed)
	})
}

// Goexit ends the goroutine of Do and nothing else (H02).
func TestH02_GoexitInDo(t *testing.T) {
	bubble(t, oneSlot, func(t *testing.T, s *scheduler.Scheduler) {
		require.False(t, inGoroutine(func() { _ = s.Do(t.Context(), goexits) }))
		stillWorks(t, s)
		require.EqualValues(t, 1, s.Snapshot().Totals.Failed)
	})
}

// In submitted work Goexit is an outcome of its own (H02).
func TestH02_GoexitInSubmittedWork(t *testing.T) {
	bubble(t, oneSlot, func(t *testing.T, s *scheduler.Scheduler) {
		for _, opts := range [][]scheduler.Option{nil, {scheduler.OnProgress(func(scheduler.Progress) {})}} {
			h := submit(t, s, goexits, opts...)
			require.Same(t, scheduler.ErrGoexit, settled(h))
			require.Equal(t, 1, h.Attempts())
			stillWorks(t, s)
		}
		require.EqualValues(t, 2, s.Snapshot().Totals.Failed)
	})
}

// A classifier that panics makes the error final. Both the error and the panic are returned (H03).
func TestH03_ClassifierPanics(t *testing.T) {
	bubble(t, oneSlot, func(t *testing.T, s *scheduler.Scheduler) {
		bad := scheduler.Classify(func(error) retry.Verdict { panic("no idea") })
		check := func(err error) {
			t.Helper()
			var p *scheduler.PanicError
			require.ErrorAs(t, err, &p)
			require.ErrorIs(t, err, errBusy)
			require.Equal(t, "no idea", p.Value)
			require.Equal(t, "classifier", p.In)
			stillWorks(t, s)
		}
		f := failing(nil)
		check(s.Do(t.Context(), f.run, bad))
		check(settled(submit(t, s, f.run, bad)))
		require.Equal(t, 2, f.attempts())
		require.NoError(t, s.Do(t.Context(), nothing, bad), "a classifier is not asked about success")
	})
}

// treacherous is an error with a method that panics. The default classifier calls it.
type treacherous struct{}

func (treacherous) Error() string             { return "treacherous" }
func (treacherous) RetryAfter() time.Duration { panic("gotcha") }

func TestH03_ErrorPanics(t *testing.T) {
	bubble(t, oneSlot, func(t *testing.T, s *scheduler.Scheduler) {
		err := s.Do(t.Context(), failing(treacherous{}).run)
		require.ErrorAs(t, err, new(*scheduler.PanicError))
		require.ErrorIs(t, err, treacherous{})
		stillWorks(t, s)
	})
}

func TestH03_ClassifierGoexits(t *testing.T) {
	bubble(t, oneSlot, func(t *testing.T, s *scheduler.Scheduler) {
		bad := scheduler.Classify(func(error) retry.Verdict { runtime.Goexit(); return retry.Verdict{} })
		require.False(t, inGoroutine(func() { _ = s.Do(t.Context(), failing(nil).run, bad) }))
		stillWorks(t, s)
		require.ErrorIs(t, settled(submit(t, s, failing(nil).run, bad)), scheduler.ErrGoexit)
		stillWorks(t, s)
	})
}

// A progress function that panics changes nothing (H03).
func TestH03_ProgressPanics(t *testing.T) {
	bubble(t, oneSlot, func(t *testing.T, s *scheduler.Scheduler) {
		told := 0
		bad := scheduler.OnProgress(func(scheduler.Progress) { told++; panic("oops") })
		require.NoError(t, s.Do(t.Context(), (&flaky{failures: 3}).run, bad))
		require.Equal(t, 3, told)
		require.NoError(t, settled(submit(t, s, (&flaky{failures: 3}).run, bad)))
		require.Equal(t, 6, told)
		stillWorks(t, s)
	})
}

// A progress function that calls Goexit ends its call, which leaves the queue at once (H03).
func TestH03_ProgressGoexits(t *testing.T) {
	bubble(t, scheduler.Config{Limit: oneEach, Level: empty, Retry: exact}, func(t *testing.T, s *scheduler.Scheduler) {
		bad := scheduler.OnProgress(func(scheduler.Progress) { runtime.Goexit() })
		require.False(t, inGoroutine(func() { _ = s.Do(t.Context(), nothing, bad) }), "while it waits for tokens")
		require.Zero(t, s.Snapshot().Queued)
		require.ErrorIs(t, settled(submit(t, s, nothing, bad)), scheduler.ErrGoexit)
		require.Zero(t, s.Snapshot().Queued)

		time.Sleep(10 * time.Second)
		require.False(t, inGoroutine(func() { _ = s.Do(t.Context(), failing(nil).run, bad) }), "while it backs off")
		require.Zero(t, s.Snapshot().BackingOff)
		stillWorks(t, s)
		require.EqualValues(t, 3, s.Snapshot().Totals.Canceled)
	})
}

// A caller that recovers from its own panic finds everything in order (H01).
func TestH01_RecoveredCallerGoesOn(t *testing.T) {
	bubble(t, oneSlot, func(t *testing.T, s *scheduler.Scheduler) {
		for range 100 {
			func() {
				defer func() { require.NotNil(t, recover()) }()
				_ = s.Do(t.Context(), func(ctx context.Context) error {
					return errors.New((*flaky)(nil).err.Error()) // a nil dereference
				})
			}()
		}
		stillWorks(t, s)
		require.EqualValues(t, 100, s.Snapshot().Totals.Failed)
	})
}
