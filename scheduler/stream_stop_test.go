package scheduler_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

// At the first error a stream with StopOnError reads no more, ends the calls that wait and cancels those that
// run, and each input that was read has its result (C14).
func TestStopOnError(t *testing.T) {
	for name, opts := range map[string][]scheduler.StreamOption{"as finished": nil, "ordered": {scheduler.Ordered()}, "parallel": {scheduler.Parallel(9)}} {
		t.Run(name, func(t *testing.T) {
			bubble(t, scheduler.Config{Limit: oneEach, Retry: exact}, func(t *testing.T, s *scheduler.Scheduler) {
				var read atomic.Int64
				work := func(ctx context.Context, i int) (string, error) {
					select {
					case <-time.After(time.Duration(5+i%2) * time.Second):
					case <-ctx.Done():
						cause := new(scheduler.StoppedError)
						require.ErrorAs(t, context.Cause(ctx), &cause)
						require.Same(t, errBroken, cause.Err)
						if i == 7 {
							return "in spite of it", nil
						}
						return "", ctx.Err()
					}
					if i == 2 {
						return "", errBroken
					}
					return "done", nil
				}
				started := time.Now()
				var results []scheduler.Result[int, string]
				for r := range scheduler.Stream(t.Context(), s, counted(upTo(1000), &read), work, append(opts, scheduler.LookAhead(30), scheduler.StopOnError())...) {
					results = append(results, r)
				}
				require.Equal(t, 5*time.Second, time.Since(started))
				require.EqualValues(t, read.Load(), len(results))
				if name != "ordered" {
					first := slices.IndexFunc(results, func(r scheduler.Result[int, string]) bool { return r.Err != nil })
					require.Equal(t, 2, results[first].Index)
				}
				checkStopped(t, results)
				snap := s.Snapshot()
				require.Zero(t, snap.Queued+snap.Running+snap.BackingOff)
			})
		})
	}
}

// checkStopped checks the results of a stream that input 2 has stopped.
func checkStopped(t *testing.T, results []scheduler.Result[int, string]) {
	t.Helper()
	how := map[string]int{}
	for _, r := range results {
		var stopped *scheduler.StoppedError
		switch {
		case r.Index == 2:
			require.Same(t, errBroken, r.Err)
			how["failed"]++
		case r.Err == nil:
			how[r.Value]++
		default:
			require.ErrorAs(t, r.Err, &stopped, "input %d", r.Index)
			require.Equal(t, scheduler.StoppedError{Index: 2, Err: errBroken}, *stopped)
			require.ErrorIs(t, r.Err, context.Canceled)
			require.ErrorIs(t, r.Err, errBroken)
			text := "scheduler: the stream was stopped by the error of input 2: " + errBroken.Error()
			if r.Attempts > 0 {
				text += " (attempts made: 1, the last failed with: context canceled)"
			}
			require.EqualError(t, r.Err, text)
			how[fmt.Sprint("attempts ", r.Attempts)]++
		}
	}
	require.Equal(t, 1, how["failed"])
	require.Equal(t, 1, how["in spite of it"])
	require.NotZero(t, how["done"])
	require.NotZero(t, how["attempts 0"], "some calls waited")
	require.NotZero(t, how["attempts 1"], "some functions ran")
}

// An attempt that will be repeated stops nothing, and without the option no error does (C14).
func TestStopOnErrorStopsAtFinalErrors(t *testing.T) {
	bubble(t, scheduler.Config{Retry: exact}, func(t *testing.T, s *scheduler.Scheduler) {
		calls := []func(context.Context) error{(&flaky{failures: 2}).run, nothing, (&flaky{failures: 1}).run}
		run := func(ctx context.Context, call func(context.Context) error) (int, error) { return 0, call(ctx) }
		for r := range scheduler.Stream(t.Context(), s, slices.Values(calls), run, scheduler.StopOnError()) {
			require.NoError(t, r.Err)
		}
		calls[1] = failing(errBroken).run
		got := slices.Collect(scheduler.Stream(t.Context(), s, slices.Values(calls), run, scheduler.Ordered()))
		require.Len(t, got, 3)
		require.NoError(t, got[0].Err)
		require.Same(t, errBroken, got[1].Err)
		require.NoError(t, got[2].Err)
	})
}

// Each way to fail stops the stream: a call that is refused, a panic, and retries that are exhausted (C14).
func TestStopOnErrorOfAnyKind(t *testing.T) {
	for name, bad := range map[string]struct {
		call func(context.Context) error
		opts []scheduler.Option
	}{
		"refused":   {nothing, []scheduler.Option{scheduler.Cost(-1)}},
		"panic":     {panics("boom"), nil},
		"exhausted": {failing(nil).run, nil},
		"later":     {failing(errBroken).run, []scheduler.Option{scheduler.Cost(10)}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, scheduler.Config{Limit: oneEach, Retry: exact}, func(t *testing.T, s *scheduler.Scheduler) {
				work := func(ctx context.Context, i int) (int, error) {
					if i == 3 {
						return 0, bad.call(ctx)
					}
					<-ctx.Done()
					return 0, context.Cause(ctx)
				}
				each := scheduler.OptionsFor(func(i int) []scheduler.Option {
					if i == 3 {
						return bad.opts
					}
					return nil
				})
				results := slices.Collect(scheduler.Stream(t.Context(), s, upTo(100), work, each, scheduler.StopOnError()))
				require.Equal(t, 3, results[0].Index)
				require.NotErrorIs(t, results[0].Err, context.Canceled)
				for _, r := range results[1:] {
					var stopped *scheduler.StoppedError
					require.ErrorAs(t, r.Err, &stopped)
					require.Equal(t, 3, stopped.Index)
					require.Equal(t, results[0].Err, stopped.Err)
				}
			})
		})
	}
}

// When the caller's context ends, the results have its error, and no call's error is given as the reason (C14).
func TestStopOnErrorAndTheCallersContext(t *testing.T) {
	bubble(t, scheduler.Config{Limit: oneEach}, func(t *testing.T, s *scheduler.Scheduler) {
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(2*time.Second, func() { cancel(errBroken) })
		work := func(ctx context.Context, i int) (int, error) { <-ctx.Done(); return 0, ctx.Err() }
		results := slices.Collect(scheduler.Stream(ctx, s, upTo(20), work, scheduler.StopOnError()))
		require.Len(t, results, 20)
		for _, r := range results {
			require.Error(t, r.Err)
			require.NotErrorAs(t, r.Err, new(*scheduler.StoppedError))
		}
	})
}

// A loop over a stream that has stopped may be left, and a loop may be left while inputs wait for a place (C13, C14).
func TestStopOnErrorLeftEarly(t *testing.T) {
	bubble(t, scheduler.Config{Limit: oneEach}, func(t *testing.T, s *scheduler.Scheduler) {
		var running atomic.Int64
		work := func(ctx context.Context, i int) (int, error) {
			running.Add(1)
			defer running.Add(-1)
			if i == 3 {
				return 0, errBroken
			}
			<-ctx.Done()
			time.Sleep(time.Minute) // the function ignores its context
			return 0, nil
		}
		for r := range scheduler.Stream(t.Context(), s, upTo(100), work, scheduler.StopOnError(), scheduler.Parallel(5)) {
			require.Same(t, errBroken, r.Err)
			break
		}
		require.Zero(t, running.Load())
		for range scheduler.Stream(t.Context(), s, upTo(100), func(_ context.Context, i int) (int, error) {
			time.Sleep(time.Duration(i) * time.Hour)
			return i, nil
		}, scheduler.Parallel(2)) {
			break
		}
		snap := s.Snapshot()
		require.Zero(t, snap.Queued+snap.Running+snap.BackingOff)
	})
}

// An input that blocks does not keep the error from being delivered, and is read no more (C14).
func TestStopOnErrorWhileInputBlocks(t *testing.T) {
	bubble(t, scheduler.Config{}, func(t *testing.T, s *scheduler.Scheduler) {
		inputs := make(chan int)
		go func() {
			inputs <- 0
			time.Sleep(time.Hour)
			inputs <- 1
		}()
		started, read := time.Now(), 0
		for r := range scheduler.Stream(t.Context(), s, func(yield func(int) bool) {
			for i := range inputs {
				if read++; !yield(i) {
					return
				}
			}
		}, func(context.Context, int) (int, error) { return 0, errBroken }, scheduler.StopOnError()) {
			switch r.Index {
			case 0:
				require.Same(t, errBroken, r.Err)
				require.Zero(t, time.Since(started))
			case 1:
				require.ErrorAs(t, r.Err, new(*scheduler.StoppedError), "it was being read, and so has a result")
			}
		}
		synctest.Wait()
		require.Equal(t, 2, read)
	})
}

// Of errors at the same time one is the reason, and it is the first that is delivered (C14).
func TestStopOnErrorsAtOnce(t *testing.T) {
	s := open(t, scheduler.Config{Limit: bucket.Unlimited})
	for round := range 50 {
		work := func(ctx context.Context, i int) (int, error) {
			if i%3 == 0 {
				return 0, fmt.Errorf("error %d of round %d", i, round)
			}
			<-ctx.Done()
			return 0, ctx.Err()
		}
		var reason *scheduler.StoppedError
		for r := range scheduler.Stream(t.Context(), s, upTo(30), work, scheduler.StopOnError()) {
			require.Error(t, r.Err)
			if reason == nil {
				reason = &scheduler.StoppedError{Index: r.Index, Err: r.Err}
				require.NotErrorAs(t, r.Err, new(*scheduler.StoppedError))
			}
			var stopped *scheduler.StoppedError
			if errors.As(r.Err, &stopped) {
				require.Equal(t, reason, stopped)
			} else {
				require.Zero(t, r.Index%3)
			}
		}
	}
}

// The reason of a stop is final, even if the error that has stopped the stream is marked for a retry.
func TestStoppedErrorIsFinal(t *testing.T) {
	err := &scheduler.StoppedError{Index: 7, Err: retry.After(errBusy, time.Minute)}
	require.False(t, retry.Any(err).Retryable())
	require.ErrorIs(t, err, errBusy)
	require.ErrorIs(t, err, context.Canceled)
	require.EqualError(t, err, "scheduler: the stream was stopped by the error of input 7: server is busy (retry after 1m0s)")
}

// The result that has stopped a stream has its call's error, also if that is a cancellation or has methods
// that panic (C14).
func TestStopOnErrorKeepsTheFirstError(t *testing.T) {
	var none *url.Error // its Unwrap panics
	for _, failure := range []error{context.Canceled, none} {
		bubble(t, scheduler.Config{}, func(t *testing.T, s *scheduler.Scheduler) {
			work := func(context.Context, int) (int, error) { return 0, failure }
			for r := range scheduler.Stream(t.Context(), s, slices.Values([]int{1}), work, scheduler.StopOnError()) {
				synctest.Wait()
				if failure == context.Canceled {
					require.Equal(t, failure, r.Err)
				} else {
					require.Error(t, r.Err)
				}
			}
		})
	}
}
