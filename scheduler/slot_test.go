package scheduler_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/scheduler"
)

func TestRetryFreesItsSlot(t *testing.T) {
	bubble(t, oneSlot, func(t *testing.T, s *scheduler.Scheduler) {
		retried := goDo(t.Context(), s, (&flaky{failures: 1}).run) // again at 1 s
		hold := func(d time.Duration) func(context.Context) error {
			return func(context.Context) error { time.Sleep(d); return nil }
		}
		first := goDo(t.Context(), s, hold(3*time.Second))
		second := goDo(t.Context(), s, hold(5*time.Second))
		require.Equal(t, 1, s.Snapshot().Running)
		require.Equal(t, 1, s.Snapshot().BackingOff)
		require.Equal(t, 3*time.Second, (<-first).took, "the first call had the slot at once")
		require.Equal(t, 3*time.Second, (<-retried).took, "the retry is senior and gets the next slot")
		require.Equal(t, 8*time.Second, (<-second).took)
	})
}

func TestNestedCallNeedsASlot(t *testing.T) {
	bubble(t, oneSlot, func(t *testing.T, s *scheduler.Scheduler) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		err := s.Do(ctx, func(ctx context.Context) error { return s.Do(ctx, nothing) })
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
}
