package scheduler_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

// Small calls that could be paid at once do not overtake a big one that waits for its tokens (O1,
// FIFO; H33).
func TestH33_BigCallIsNotStarved(t *testing.T) {
	bubble(t, scheduler.Config{Limit: oneEach, Level: empty}, func(t *testing.T, s *scheduler.Scheduler) {
		big := goDo(t.Context(), s, nothing, scheduler.Cost(10))
		var small []<-chan outcome
		for range 10 { // as many as the refill pays for
			time.Sleep(time.Second / 2)
			small = append(small, goDo(t.Context(), s, nothing))
			time.Sleep(time.Second / 2)
		}
		require.Equal(t, 10*time.Second, (<-big).took)
		for _, done := range small {
			require.Equal(t, 10500*time.Millisecond, (<-done).took, "each is granted a second after the one before")
		}
	})
}

// A call that backs off holds up no other, and then goes before all that came after it (O2,
// seniority; H35).
func TestH35_RetriesAndFreshCallsShare(t *testing.T) {
	cfg := scheduler.Config{Limit: oneEach, Level: empty, Retry: retry.Policy{Initial: 1500 * time.Millisecond, Jitter: retry.None}}
	bubble(t, cfg, func(t *testing.T, s *scheduler.Scheduler) {
		var order []string
		f := &flaky{failures: 1}
		retried := goDo(t.Context(), s, func(ctx context.Context) error {
			order = append(order, "retried")
			return f.run(ctx)
		})
		var newCalls []<-chan outcome
		for _, name := range []string{"first", "second", "third"} {
			newCalls = append(newCalls, goDo(t.Context(), s, func(context.Context) error {
				order = append(order, name)
				return nil
			}))
		}
		require.Equal(t, 3*time.Second, (<-retried).took)
		for i, at := range seconds(2, 4, 5) {
			require.Equal(t, at, (<-newCalls[i]).took)
		}
		require.Equal(t, []string{"retried", "first", "retried", "second", "third"}, order)
	})
}
