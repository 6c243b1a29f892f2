package scheduler_test

import (
	"context"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/clock/clocktest"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

// A missing argument is an error at the call, and costs nothing (H06).
func TestH06_NilArguments(t *testing.T) {
	bubble(t, scheduler.Config{}, func(t *testing.T, s *scheduler.Scheduler) {
		var noContext context.Context
		refused := func(ctx context.Context, fn func(context.Context) error, text string, opts ...scheduler.Option) {
			t.Helper()
			require.EqualError(t, s.Do(ctx, fn, opts...), text)
			h, err := s.Submit(ctx, fn, opts...)
			require.EqualError(t, err, text)
			require.Nil(t, h)
		}
		refused(noContext, nothing, "scheduler: nil context: pass context.Background() if there is none")
		refused(t.Context(), nil, "scheduler: nil function: there is nothing to run")
		refused(t.Context(), nothing, "scheduler: option 2 is nil", scheduler.Cost(1), nil)

		_, err := scheduler.Value[int](t.Context(), s, nil)
		require.EqualError(t, err, "scheduler: nil function: there is nothing to run")
		_, err = scheduler.Value(noContext, s, func(context.Context) (int, error) { return 1, nil })
		require.EqualError(t, err, "scheduler: nil context: pass context.Background() if there is none")
		_, err = s.Shutdown(noContext)
		require.EqualError(t, err, "scheduler: nil context: pass context.Background() if there is none")

		require.NoError(t, s.Do(t.Context(), nothing, scheduler.OnProgress(nil)), "a nil function means no progress")
		require.EqualValues(t, 1, s.Snapshot().Ledger.Spent)
	})
}

func TestH06_TypedNilClock(t *testing.T) {
	var mock *clocktest.Mock
	_, err := scheduler.New(scheduler.Config{Clock: mock})
	require.EqualError(t, err, "scheduler: Config.Clock is a nil *clocktest.Mock: leave Clock out for the system clock")
}

// A cost that can never be granted is an error at the call (B3, costs; H27).
func TestH27_ImpossibleCost(t *testing.T) {
	bubble(t, scheduler.Config{Limit: oneEach}, func(t *testing.T, s *scheduler.Scheduler) {
		for _, cost := range []int64{-1, -1 << 63, 11, 1<<63 - 1} {
			var wrong *bucket.CostError
			require.ErrorAs(t, s.Do(t.Context(), nothing, scheduler.Cost(cost)), &wrong)
			require.Equal(t, bucket.CostError{Cost: cost, Capacity: 10}, *wrong)
			_, err := s.Submit(t.Context(), nothing, scheduler.Cost(cost))
			require.ErrorAs(t, err, &wrong)
		}
		require.NoError(t, s.Do(t.Context(), nothing, scheduler.Cost(10)))
		started := time.Now()
		require.NoError(t, s.Do(t.Context(), nothing, scheduler.Cost(0)))
		require.Zero(t, time.Since(started), "a call without a cost does not wait for tokens")
	})
}

func TestWrongOptions(t *testing.T) {
	bubble(t, scheduler.Config{}, func(t *testing.T, s *scheduler.Scheduler) {
		err := s.Do(t.Context(), nothing, scheduler.Retry(retry.Policy{MaxRetries: -2, Jitter: 7}))
		require.ErrorContains(t, err, "Policy.MaxRetries is -2")
		require.ErrorContains(t, err, "Policy.Jitter is 7")
		require.Zero(t, s.Snapshot().Totals)
	})
}

// A single call with an option of Stream does not compile.
func TestOptionsOfStreamAlone(t *testing.T) {
	option := reflect.TypeFor[scheduler.Option]()
	require.True(t, option.AssignableTo(reflect.TypeFor[scheduler.StreamOption]()))
	for _, f := range []any{scheduler.Ordered, scheduler.LookAhead, scheduler.OptionsFor[int]} {
		require.False(t, reflect.TypeOf(f).Out(0).AssignableTo(option))
	}
}
