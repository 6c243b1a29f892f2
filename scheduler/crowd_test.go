package scheduler

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
)

// quick has a token every 0.4 ms, so that several fall due within the slack.
var quick = bucket.Per(1, 400*time.Microsecond)

// withCrowd asks the owner while n calls are queued.
func withCrowd[T any](t *testing.T, l bucket.Limit, n int, question func(*owner) T) T {
	s, err := New(Config{Limit: l, Level: &bucket.State{}})
	require.NoError(t, err)
	defer s.Close()
	for range n {
		_, err := s.Submit(context.Background(), succeed)
		require.NoError(t, err)
	}
	answer, ok := ask(s, func(o *owner, _ time.Duration) T { return question(o) })
	require.True(t, ok)
	return answer
}

// lateBy returns how much later than the core wants it the owner's timer may go off, while n calls
// are queued.
func lateBy(t *testing.T, l bucket.Limit, n int) time.Duration {
	return withCrowd(t, l, n, func(o *owner) time.Duration { return o.latest(o.core.Wake()) - o.core.Wake() })
}

// The timer is exact while few calls are queued, if one token at most falls due within the slack, in
// testing/synctest, and if tokens would be lost.
func TestCrowdSlack(t *testing.T) {
	require.Equal(t, crowdSlack, lateBy(t, quick, 2500))
	require.Zero(t, lateBy(t, quick, crowd-1))
	require.Zero(t, lateBy(t, bucket.Per(1, time.Hour), 2500))
	require.Zero(t, lateBy(t, bucket.Window(1, 400*time.Microsecond, 1), 2500))
	synctest.Test(t, func(t *testing.T) {
		require.Zero(t, lateBy(t, quick, 2500))
	})
}

// A timer that goes off within the slack is not set again, which would be a system call a turn.
func TestCrowdTimerIsKept(t *testing.T) {
	const far = crowdSlack + time.Millisecond
	for armed, want := range map[time.Duration]time.Duration{
		-1: crowdSlack, 0: 0, crowdSlack / 2: crowdSlack / 2, crowdSlack: crowdSlack, far: crowdSlack,
	} {
		got := withCrowd(t, quick, 2500, func(o *owner) time.Duration {
			wake := o.core.Wake()
			o.armed = wake + armed
			o.arm()
			return o.armed - wake
		})
		require.Equal(t, want, got)
	}
}
