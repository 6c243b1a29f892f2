package clocktest_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/clock/clocktest"
	"example.com/fairlead/scheduler"
)

// TestAdvanceWaitsForCallsWithTimeouts checks that Advance does not take the timer of an AttemptTimeout
// for one for which the function waits.
func TestAdvanceWaitsForCallsWithTimeouts(t *testing.T) {
	mock := clocktest.NewMock()
	s := newScheduler(t, mock, scheduler.Config{AttemptTimeout: time.Second})
	var ended time.Duration
	h := submit(t, s, func(ctx context.Context) error {
		time.Sleep(20 * time.Millisecond) // real work, during which the mock must not move
		ended = mock.Now().Sub(epoch)
		return ctx.Err()
	})
	clocktest.Advance(s, mock, time.Minute)
	require.NoError(t, h.Err())
	require.Zero(t, ended)

	// A function that sleeps on the mock past its timeout.
	var cause error
	h = submit(t, s, func(ctx context.Context) error {
		mock.Sleep(5 * time.Second)
		cause = context.Cause(ctx)
		return nil
	})
	clocktest.Advance(s, mock, time.Minute)
	require.NoError(t, h.Err())
	require.Equal(t, 5*time.Second, h.Times().Run)
	require.ErrorAs(t, cause, new(*scheduler.AttemptTimeoutError))
}
