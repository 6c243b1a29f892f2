package core

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry"
)

// TestRankSaturates checks that extreme priorities rank first or last and overflow nothing.
func TestRankSaturates(t *testing.T) {
	for _, step := range []time.Duration{1, time.Minute, bucket.Forever} {
		k, err := New(Config{Limits: bucket.Limits{"": {}}, PriorityStep: step})
		require.NoError(t, err)
		for _, now := range []time.Duration{0, time.Hour, bucket.Forever - 1} {
			k.Now = now
			last := time.Duration(math.MaxInt64)
			for _, priority := range []int{math.MinInt, math.MinInt + 1, -1 << 30, -2, -1, 0, 1, 2, 1 << 30, math.MaxInt} {
				rank := rankOf(k, prior(priority))
				require.LessOrEqual(t, rank, last, "priority %d, step %v, at %v", priority, step, now)
				require.Equal(t, priority > 0, rank < now)
				last = rank
				c := prior(priority)
				c.Deadline = bucket.Forever
				k.Submit(now, c)
				for _, p := range []int{math.MinInt, 7, math.MaxInt, 0} {
					k.SetPriority(now, c, p)
				}
				require.Equal(t, now, c.Rank, "it keeps its arrival: priority %d, step %v, at %v", priority, step, now)
			}
			require.Equal(t, now, rankOf(k, &Call{}))
		}
	}
	k, err := New(Config{Limits: bucket.Limits{"": {}}})
	require.NoError(t, err)
	k.Now = time.Hour
	require.Equal(t, time.Hour-3*time.Minute, rankOf(k, prior(3)))
	require.Equal(t, time.Hour+3*time.Minute, rankOf(k, prior(-3)))
	require.Equal(t, time.Hour-bucket.Forever, rankOf(k, prior(math.MaxInt)))
	require.Equal(t, bucket.Forever, rankOf(k, prior(math.MinInt)))

	k, err = New(Config{Limits: bucket.Limits{"": {}}, PriorityStep: bucket.Forever / 1000})
	require.NoError(t, err)
	require.Equal(t, -1000*(bucket.Forever/1000), rankOf(k, prior(1000)), "the largest without saturation")
	require.Equal(t, 1000*(bucket.Forever/1000), rankOf(k, prior(-1000)))
}

func prior(priority int) *Call {
	return &Call{detail: &detail{options: &Options{Priority: priority}}}
}

// TestSetPriorityOfAnEndedCall checks that it changes nothing.
func TestSetPriorityOfAnEndedCall(t *testing.T) {
	k, err := New(Config{Limits: bucket.Limits{"": {}}})
	require.NoError(t, err)
	c := prior(3)
	k.Submit(0, c)
	k.Finish(0, c, nil, retry.Verdict{})
	require.Equal(t, Ended, c.State)
	k.SetPriority(0, c, 5)
	require.Equal(t, -3*time.Minute, c.Rank)
	require.Equal(t, 3, c.Priority())
}

// rankOf returns the rank of a call that is submitted now.
func rankOf(k *Core, c *Call) time.Duration {
	k.seat(c)
	return c.Rank
}
