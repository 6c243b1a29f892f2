package core

import (
	"math"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
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
				rank := k.rank(prior(priority))
				require.LessOrEqual(t, rank, last, "priority %d, step %v, at %v", priority, step, now)
				require.Equal(t, priority > 0, rank < now)
				last = rank
			}
			require.Equal(t, now, k.rank(&Call{}))
		}
	}
	k, err := New(Config{Limits: bucket.Limits{"": {}}})
	require.NoError(t, err)
	k.Now = time.Hour
	require.Equal(t, time.Hour-3*time.Minute, k.rank(prior(3)))
	require.Equal(t, time.Hour+3*time.Minute, k.rank(prior(-3)))
	require.Equal(t, time.Hour-bucket.Forever, k.rank(prior(math.MaxInt)))
	require.Equal(t, bucket.Forever, k.rank(prior(math.MinInt)))

	k, err = New(Config{Limits: bucket.Limits{"": {}}, PriorityStep: bucket.Forever / 1000})
	require.NoError(t, err)
	require.Equal(t, -1000*(bucket.Forever/1000), k.rank(prior(1000)), "the largest without saturation")
	require.Equal(t, 1000*(bucket.Forever/1000), k.rank(prior(-1000)))
}

func prior(priority int) *Call {
	return &Call{detail: &detail{options: &Options{Priority: priority}}}
}

// TestH37_CanceledGiveTheirMemoryBack cancels 900,000 of a million waiting calls, and checks that
// the core's memory for them is free at once.
func TestH37_CanceledGiveTheirMemoryBack(t *testing.T) {
	const n = 1_000_000
	k, err := New(Config{Limits: bucket.Limits{"": bucket.PerSecond(1)}, Levels: map[string]bucket.State{"": {}}})
	require.NoError(t, err)
	before := heapInUse()
	calls := make([]*Call, n)
	for i := range calls {
		calls[i] = &Call{Cost: 1, Deadline: bucket.Forever}
		k.Submit(0, calls[i])
	}
	full := heapInUse() - before
	for i := range calls {
		if i%10 != 0 {
			k.Cancel(0, calls[i], errGaveUp)
			k.Effects.Clear()
			calls[i] = nil
		}
	}
	left := heapInUse() - before - 8*n // without the slice of this test
	t.Logf("%d MB for a million calls, %d MB for the remaining hundred thousand", full>>20, left>>20)
	require.Equal(t, n/10, k.queue.len())
	require.Less(t, left, full/8)
	runtime.KeepAlive(calls)
}

// heapInUse returns how many bytes are in use.
func heapInUse() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// At the largest instant, where times saturate, a token that never comes is not granted.
func TestEndOfTime(t *testing.T) {
	k, err := New(Config{Limits: bucket.Limits{"": bucket.PerSecond(1)}})
	require.NoError(t, err)
	submit := func(now time.Duration) *Call {
		c := &Call{Cost: 1, Deadline: bucket.Forever}
		k.Submit(now, c)
		return c
	}
	require.Equal(t, Running, submit(bucket.Forever-1).State)
	require.Equal(t, Queued, submit(bucket.Forever).State)
}

// Learn subtracts what calls of the fast path have paid, since the server may not know of them
// (B11, Observe and Learn).
func TestLearnSubtractsFastCalls(t *testing.T) {
	k, err := New(Config{Limits: bucket.Limits{"": bucket.PerSecond(10)}})
	require.NoError(t, err)
	k.InFast = 2
	require.NoError(t, k.Learn(0, 0, bucket.PerSecond(10), 10))
	require.EqualValues(t, 8, k.Budgets[0].Available())
}

// An attempt's actual cost is charged with the largest capacity, too (B10, Settle).
func TestSettleAtTheLargestCapacity(t *testing.T) {
	k, err := New(Config{Limits: bucket.Limits{"": bucket.PerSecond(1).Burst(math.MaxInt64)}})
	require.NoError(t, err)
	c := &Call{Cost: 1, Deadline: bucket.Forever}
	k.Submit(0, c)
	k.SettleCost(0, c, 1, 0, 100)
	require.Equal(t, int64(math.MaxInt64-100), k.Budgets[0].Available())
}
