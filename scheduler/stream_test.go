package scheduler_test

import (
	"context"
	"errors"
	"iter"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/events"
	"example.com/fairlead/scheduler"
)

// upTo yields 0, 1, ... n-1.
func upTo(n int) iter.Seq[int] {
	return func(yield func(int) bool) {
		for i := range n {
			if !yield(i) {
				return
			}
		}
	}
}

func double(_ context.Context, i int) (int, error) { return 2 * i, nil }

// laterFirst runs longer for earlier inputs.
func laterFirst(ctx context.Context, i int) (int, error) {
	time.Sleep(time.Duration(10-i) * time.Second)
	return 2 * i, nil
}

func TestStreamAsFinished(t *testing.T) {
	bubble(t, scheduler.Config{}, func(t *testing.T, s *scheduler.Scheduler) {
		var got []int
		for r := range scheduler.Stream(t.Context(), s, upTo(10), laterFirst) {
			ran := events.Times{Run: time.Duration(10-r.Input) * time.Second}
			require.Equal(t, scheduler.Result[int, int]{Index: r.Input, Input: r.Input, Value: 2 * r.Input, Call: uint64(r.Input) + 1, Attempts: 1, Times: ran}, r)
			got = append(got, r.Input)
		}
		require.Equal(t, []int{9, 8, 7, 6, 5, 4, 3, 2, 1, 0}, got)
	})
}

func TestStreamOrdered(t *testing.T) {
	bubble(t, scheduler.Config{}, func(t *testing.T, s *scheduler.Scheduler) {
		results := scheduler.Stream(t.Context(), s, upTo(10), laterFirst, scheduler.Ordered())
		for range 2 { // a stream may be ranged over again
			var got []int
			for r := range results {
				got = append(got, r.Value)
			}
			require.Equal(t, []int{0, 2, 4, 6, 8, 10, 12, 14, 16, 18}, got)
		}
	})
}

// Each way for a call to end gives one result.
func TestStreamOutcomes(t *testing.T) {
	bubble(t, scheduler.Config{Limit: oneEach, Retry: exact}, func(t *testing.T, s *scheduler.Scheduler) {
		calls := []func(context.Context) error{nothing, (&flaky{failures: 2}).run, failing(errBroken).run, panics("boom"), goexits, failing(nil).run}
		results := slices.Collect(scheduler.Stream(t.Context(), s, slices.Values(calls), func(ctx context.Context, call func(context.Context) error) (string, error) {
			return "half", call(ctx)
		}, scheduler.Ordered()))
		require.Len(t, results, len(calls))
		attempts := []int{1, 3, 1, 1, 1, 6}
		for i, r := range results {
			require.Equal(t, i, r.Index)
			require.Equal(t, attempts[i], r.Attempts)
		}
		require.NoError(t, results[0].Err)
		require.NoError(t, results[1].Err)
		require.Same(t, errBroken, results[2].Err)
		require.Equal(t, "half", results[2].Value)
		require.ErrorAs(t, results[3].Err, new(*scheduler.PanicError))
		require.Same(t, scheduler.ErrGoexit, results[4].Err)
		require.ErrorIs(t, results[5].Err, errBusy)
	})
}

func TestStreamOfNothing(t *testing.T) {
	bubble(t, scheduler.Config{}, func(t *testing.T, s *scheduler.Scheduler) {
		for _, opts := range [][]scheduler.StreamOption{nil, {scheduler.Ordered()}} {
			require.Empty(t, slices.Collect(scheduler.Stream(t.Context(), s, upTo(0), double, opts...)))
		}
	})
}

// Options may be given for all calls of a stream, or for each.
func TestStreamOptions(t *testing.T) {
	bubble(t, scheduler.Config{Limit: oneEach, Level: empty}, func(t *testing.T, s *scheduler.Scheduler) {
		costs := []int64{1, 2, 3, 4, 11, 0}
		started := time.Now()
		at := map[int64]time.Duration{}
		stream := scheduler.Stream(t.Context(), s, slices.Values(costs), func(context.Context, int64) (time.Duration, error) {
			return time.Since(started), nil
		}, scheduler.Cost(10), scheduler.OptionsFor(func(cost int64) []scheduler.Option {
			if cost == 4 {
				return nil // as the others
			}
			return []scheduler.Option{scheduler.Cost(cost)}
		}))
		for r := range stream {
			if r.Input == 11 {
				require.ErrorAs(t, r.Err, new(*bucket.CostError))
				require.Zero(t, r.Attempts)
				continue
			}
			at[r.Input] = r.Value / time.Second
		}
		require.Equal(t, map[int64]time.Duration{1: 1, 2: 3, 3: 6, 4: 16, 0: 16}, at)
	})
}

// Wrong options panic at the call of Stream (H06).
func TestH06_WrongStreamOptions(t *testing.T) {
	bubble(t, scheduler.Config{}, func(t *testing.T, s *scheduler.Scheduler) {
		stream := func(opts ...scheduler.StreamOption) func() {
			return func() { scheduler.Stream(t.Context(), s, upTo(3), double, opts...) }
		}
		require.PanicsWithValue(t, "scheduler: LookAhead(0): it must be from 1 to 16777216", stream(scheduler.LookAhead(0)))
		require.PanicsWithValue(t, "scheduler: LookAhead(-1): it must be from 1 to 16777216", stream(scheduler.LookAhead(-1)))
		require.PanicsWithValue(t, "scheduler: Parallel(0): it must be at least 1", stream(scheduler.Parallel(0)))
		require.PanicsWithValue(t, "scheduler: Parallel(-1): it must be at least 1", stream(scheduler.Parallel(-1)))
		require.PanicsWithValue(t, "scheduler: option 2 is nil", stream(scheduler.Ordered(), nil))
		require.PanicsWithValue(t, "scheduler: option 1 is nil", stream(scheduler.Option(nil)))
		require.PanicsWithValue(t, "scheduler: OptionsFor has a func(string) []scheduler.Option, but the inputs of this Stream want a func(int) []scheduler.Option",
			stream(scheduler.OptionsFor(func(string) []scheduler.Option { return nil })))

		var noContext context.Context
		require.PanicsWithValue(t, "scheduler: nil context: pass context.Background() if there is none", func() {
			scheduler.Stream(noContext, s, upTo(3), double)
		})
		require.PanicsWithValue(t, "scheduler: nil function: there is nothing to run", func() {
			scheduler.Stream[int, int](t.Context(), s, upTo(3), nil)
		})
		require.PanicsWithValue(t, "scheduler: nil inputs: there is nothing to read", func() {
			scheduler.Stream(t.Context(), s, nil, double)
		})
		// Wrong options of one input are an error in that input's result.
		for r := range scheduler.Stream(t.Context(), s, upTo(3), double, scheduler.OptionsFor(func(i int) []scheduler.Option {
			return [][]scheduler.Option{{scheduler.Cost(-1)}, {nil}, {scheduler.CostOf("none", 1)}}[i]
		})) {
			require.Error(t, r.Err)
		}
	})
}

// Results don't wait for the next input.
func TestStreamSlowInput(t *testing.T) {
	bubble(t, scheduler.Config{}, func(t *testing.T, s *scheduler.Scheduler) {
		slow := func(yield func(int) bool) {
			for i := range 5 {
				time.Sleep(time.Hour)
				if !yield(i) {
					return
				}
			}
		}
		for _, opts := range [][]scheduler.StreamOption{nil, {scheduler.Ordered()}, {scheduler.LookAhead(1)}} {
			started := time.Now()
			for r := range scheduler.Stream(t.Context(), s, slow, double, opts...) {
				require.Equal(t, time.Duration(r.Index+1)*time.Hour, time.Since(started))
			}
		}
	})
}

// A panic of the input comes out of the loop, after the results of what was read (H01).
func TestH01_InputPanics(t *testing.T) {
	bubble(t, scheduler.Config{}, func(t *testing.T, s *scheduler.Scheduler) {
		bad := func(yield func(int) bool) {
			yield(1)
			panic(errBroken)
		}
		got, p := rangeOver(scheduler.Stream(t.Context(), s, bad, double))
		require.Len(t, got, 1)
		err, ok := p.(*scheduler.PanicError)
		require.True(t, ok)
		require.Equal(t, "input", err.In)
		require.Same(t, errBroken, errors.Unwrap(err))
		require.Contains(t, string(err.Stack), "stream_test.go:")

		got, p = rangeOver(scheduler.Stream(t.Context(), s, func(yield func(int) bool) { yield(1); _ = goexits(t.Context()) }, double))
		require.Len(t, got, 1)
		require.ErrorIs(t, p.(*scheduler.PanicError), scheduler.ErrGoexit)
	})
}

// A function of OptionsFor that panics fails one input (H03).
func TestH03_OptionsForPanics(t *testing.T) {
	bubble(t, scheduler.Config{}, func(t *testing.T, s *scheduler.Scheduler) {
		results := slices.Collect(scheduler.Stream(t.Context(), s, upTo(5), double, scheduler.Ordered(), scheduler.OptionsFor(func(i int) []scheduler.Option {
			if i == 3 {
				panic("three")
			}
			return nil
		})))
		require.Len(t, results, 5)
		for i, r := range results {
			if i != 3 {
				require.NoError(t, r.Err)
				continue
			}
			var p *scheduler.PanicError
			require.ErrorAs(t, r.Err, &p)
			require.Equal(t, "three", p.Value)
			require.Equal(t, "OptionsFor", p.In)
			require.Zero(t, r.Attempts)
		}
		got, p := rangeOver(scheduler.Stream(t.Context(), s, upTo(5), double, scheduler.OptionsFor(func(i int) []scheduler.Option {
			if i == 3 {
				_ = goexits(t.Context())
			}
			return nil
		})))
		require.Len(t, got, 3)
		require.ErrorIs(t, p.(*scheduler.PanicError), scheduler.ErrGoexit, "a Goexit ends the input")
	})
}

// rangeOver returns what a loop yields, and what it panics with.
func rangeOver[T any](seq iter.Seq[T]) (got []T, panicked any) {
	defer func() { panicked = recover() }()
	for v := range seq {
		got = append(got, v)
	}
	synctest.Wait()
	return got, nil
}
