package core

import (
	"math"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
)

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
	require.Equal(t, n/10, k.queued)
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
