package core

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"example.com/fairlead/bucket"
	"example.com/fairlead/events"
)

// TestEstimatesAreExact checks that a call is granted at the estimated nanosecond if no call
// overtakes, fails or leaves and nothing is reconfigured. The rate is at most one token a
// nanosecond, since a small bucket can't hold what a higher one adds in between.
func TestEstimatesAreExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := drawLimit(t)
		limit.Refill = min(limit.Refill, int64(limit.Per))
		k, err := New(Config{Limits: bucket.Limits{"": limit}})
		require.NoError(t, err)
		k.Wanted = events.All
		now, predicted := time.Duration(0), map[uint64]time.Time{}
		for range rapid.IntRange(1, 100).Draw(t, "calls") {
			k.Submit(now, &Call{Cost: rapid.Int64Range(0, limit.Capacity).Draw(t, "cost"), Deadline: bucket.Forever})
			now += time.Duration(rapid.Int64Range(0, 3*int64(limit.Per)).Draw(t, "time"))
		}
		k.Advance(bucket.Forever - 1)
		granted := 0
		for _, ev := range k.Effects.Events {
			switch ev.Kind {
			case events.Queued:
				predicted[ev.Call] = ev.At.Add(ev.Wait)
			case events.Granted:
				granted++
				require.Equal(t, predicted[ev.Call], ev.At)
			}
		}
		require.Len(t, predicted, granted)
	})
}

func drawLimit(t *rapid.T) bucket.Limit {
	return bucket.Limit{
		Capacity: rapid.Int64Range(1, 20).Draw(t, "capacity"),
		Refill:   rapid.SampledFrom([]int64{1, 3, 7, 100}).Draw(t, "refill"),
		Per:      rapid.SampledFrom([]time.Duration{10, 97, time.Second, time.Minute}).Draw(t, "per"),
	}
}
