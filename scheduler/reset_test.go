package scheduler_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/scheduler"
)

// TestResetIsRefused checks that a scheduler refuses a limit that it can't keep.
func TestResetIsRefused(t *testing.T) {
	const want = "the limit is 1000 at once every day at 00:00 UTC: a scheduler can't keep a limit with a Reset yet, only a bucket.Bucket can"
	daily := bucket.Daily(1000, "")
	_, err := scheduler.New(scheduler.Config{Limit: daily})
	require.EqualError(t, err, "scheduler: Config.Limit: "+want)
	_, err = scheduler.New(scheduler.Config{Limits: bucket.Limits{"day": daily}})
	require.EqualError(t, err, `scheduler: Config.Limits["day"]: `+want)
	require.EqualError(t, scheduler.Config{Limit: daily}.Validate(), "scheduler: Config.Limit: "+want)

	s, err := scheduler.New(scheduler.Config{})
	require.NoError(t, err)
	defer s.Close()
	require.EqualError(t, s.SetLimit(daily), want)
	require.EqualError(t, s.Learn("", daily, 5), want)
	require.Equal(t, bucket.Limit{}.WithDefaults(), s.Snapshot().Budgets[0].Limit)
}
