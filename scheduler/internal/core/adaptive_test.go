package core

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
)

// TestShared checks that a share of a limit has that share of its rate. If the rate is no integer,
// it is rounded, but never to zero.
func TestShared(t *testing.T) {
	for _, c := range []struct {
		limit, half bucket.Limit
	}{
		{bucket.PerMinute(100), bucket.Limit{Capacity: 100, Refill: 3200, Per: 64 * time.Minute}},
		{bucket.Limit{Capacity: 1, Refill: 1 << 56, Per: 1}, bucket.Limit{Capacity: 1, Refill: 1 << 61, Per: 64}},
		{bucket.Limit{Capacity: 1, Refill: 3, Per: bucket.Forever / 64}, bucket.Limit{Capacity: 1, Refill: 96, Per: bucket.Forever / 64 * 64}},
		{bucket.Limit{Capacity: 1, Refill: math.MaxInt64, Per: 1}, bucket.Limit{Capacity: 1, Refill: math.MaxInt64 / 64 * 32, Per: 1}},
		{bucket.Limit{Capacity: 1, Refill: 1, Per: bucket.Forever}, bucket.Limit{Capacity: 1, Refill: 1, Per: bucket.Forever}},
		{bucket.Limit{Capacity: 1, Refill: 640, Per: bucket.Forever}, bucket.Limit{Capacity: 1, Refill: 320, Per: bucket.Forever}},
	} {
		require.Equal(t, c.limit, limitAtShare(c.limit, fullShare))
		require.Equal(t, c.half, limitAtShare(c.limit, fullShare/2))
		require.NoError(t, limitAtShare(c.limit, 1).Validate())
	}
}

// TestBudgetsLeast checks that a lease has tokens in every budget, and that it is renewed before
// the first budget is full.
func TestBudgetsLeast(t *testing.T) {
	k, err := New(Config{Limits: bucket.Limits{"a": bucket.PerSecond(50), "b": bucket.PerSecond(10), "c": bucket.PerSecond(20)}})
	require.NoError(t, err)
	b := k.Budgets
	require.EqualValues(t, 10, b.Least())
	for i := range b {
		require.True(t, b[i].Take(0, 10))
	}
	require.EqualValues(t, 0, b.Least())
	require.Equal(t, 200*time.Millisecond, b.FullAt())
}
