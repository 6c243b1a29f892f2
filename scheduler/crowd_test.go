package scheduler

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
)

// lateBy returns how much later than the core wants it the owner's timer goes off, while n calls are
// queued.
func lateBy(t *testing.T, l bucket.Limit, n int) time.Duration {
	s, err := New(Config{Limit: l, Level: &bucket.State{}})
	require.NoError(t, err)
	defer s.Close()
	for range n {
		_, err := s.Submit(context.Background(), succeed)
		require.NoError(t, err)
	}
	s.Sync()
	late, ok := ask(s, func(o *owner, _ time.Duration) time.Duration { return o.armed - o.core.wake() })
	require.True(t, ok)
	return late
}

// The timer is exact while few calls are queued, in testing/synctest, and if tokens would be lost.
func TestCrowdSlack(t *testing.T) {
	slow := bucket.Per(1, time.Hour)
	require.Zero(t, lateBy(t, slow, crowd-1))
	require.Equal(t, crowdSlack, lateBy(t, slow, crowd))
	require.Zero(t, lateBy(t, bucket.Window(1, time.Hour, 1), crowd))
	synctest.Test(t, func(t *testing.T) {
		require.Zero(t, lateBy(t, slow, crowd))
	})
}
