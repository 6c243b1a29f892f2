package clocktest_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/clock/clocktest"
	"example.com/fairlead/scheduler"
)

// TestAdvanceMovesForCallsInsideCalls checks that a function counts as waiting for time if a call made
// inside it does.
func TestAdvanceMovesForCallsInsideCalls(t *testing.T) {
	inside := map[string]func(context.Context, *scheduler.Scheduler) error{
		"Do": func(ctx context.Context, s *scheduler.Scheduler) error {
			return s.Do(ctx, func(context.Context) error { return nil })
		},
		"Reserve": func(ctx context.Context, s *scheduler.Scheduler) error {
			r, err := s.Reserve(ctx)
			if err != nil {
				return err
			}
			<-r.Ready()
			time.Sleep(20 * time.Millisecond) // real work, during which the mock must not move
			r.Done(nil)
			return r.Err()
		},
	}
	for name, call := range inside {
		for _, slots := range []int{0, 2} {
			t.Run(name, func(t *testing.T) {
				mock := clocktest.NewMock()
				s, err := scheduler.New(scheduler.Config{Clock: mock, Limit: bucket.PerSecond(1).Burst(1), MaxInFlight: slots})
				require.NoError(t, err)
				defer s.Close()
				var ended time.Time
				h, err := s.Submit(t.Context(), func(ctx context.Context) error {
					err := call(ctx, s)
					ended = mock.Now()
					return err
				})
				require.NoError(t, err)
				clocktest.Advance(s, mock, 3*time.Second)
				<-h.Done()
				require.NoError(t, h.Err())
				require.Equal(t, time.Second, ended.Sub(epoch), "when the token was available")
			})
		}
	}
}

// TestAdvanceLooksTwice checks that Advance looks twice before it moves the mock, because a function
// may be about to set another timer.
func TestAdvanceLooksTwice(t *testing.T) {
	mock := clocktest.NewMock()
	looks := 0
	p := &pool{mock: mock, next: epoch.Add(4 * time.Second)}
	p.running = func() (int, int) {
		if looks++; looks <= 2 { // the function sets its first timer, and a moment later its second
			mock.NewTimer(time.Duration(looks) * time.Second)
		}
		return 1, 0
	}
	clocktest.Advance(p, mock, 500*time.Millisecond)
	require.Equal(t, []time.Duration{0, 0, 0, 0}, p.asked[:4], "one new timer, a second new one, two timers, and the same two")
}
