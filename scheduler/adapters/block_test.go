package adapters_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/clock/clocktest"
	"example.com/fairlead/scheduler"
	"example.com/fairlead/scheduler/adapters"
)

func TestAccept(t *testing.T) {
	bubble(t, scheduler.Config{Limit: oneEach}, func(t *testing.T, l adapters.Limiter) {
		waits(t, func(context.Context) error {
			l.Accept()
			return nil
		})
		require.False(t, l.TryAccept())
		time.Sleep(time.Second)
		require.True(t, l.TryAccept())

		l.Stop()
		require.True(t, l.Scheduler.Snapshot().Closed)
		require.False(t, l.TryAccept())
		require.PanicsWithValue(t, "adapters: Accept got no token: scheduler is closed: stop its callers first, or use Wait, which returns errors", l.Accept)
	})
}

func TestTake(t *testing.T) {
	bubble(t, scheduler.Config{Limit: oneEach}, func(t *testing.T, l adapters.Limiter) {
		waits(t, func(context.Context) error {
			at := l.Take()
			require.Equal(t, time.Now(), at)
			return nil
		})
		l.Scheduler.Close()
		require.Panics(t, func() { l.Take() })
	})
}

func TestTake_TellsTheSchedulersTime(t *testing.T) {
	clocktest.Run(t, func(t *testing.T, mock *clocktest.Mock) {
		l := adapters.Limiter{Scheduler: open(t, scheduler.Config{Clock: mock})}
		mock.Add(time.Hour)
		require.Equal(t, mock.Now(), l.Take())
	})
}

func TestQPS(t *testing.T) {
	one := adapters.Limiter{Scheduler: open(t, scheduler.Config{Limit: bucket.PerMinute(30)})}
	require.EqualValues(t, 0.5, one.QPS())
	require.NoError(t, one.Scheduler.SetLimit(bucket.PerSecond(20)))
	require.EqualValues(t, 20, one.QPS())
	for limit, qps := range map[bucket.Limit]float64{
		bucket.Every(7200, time.Hour): 2, bucket.Daily(86_400, ""): 1, bucket.Monthly(30*86_400, 1, ""): 1,
	} {
		require.NoError(t, one.Scheduler.SetLimit(limit))
		require.EqualValues(t, qps, one.QPS())
	}

	several := adapters.Limiter{Scheduler: open(t, scheduler.Config{Limits: bucket.Limits{
		"requests": bucket.PerSecond(50), "each": bucket.PerSecond(40), "tokens": bucket.PerMinute(120),
	}})}
	require.EqualValues(t, 2, several.QPS())
}
