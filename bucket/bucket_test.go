package bucket_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
)

const hour = time.Hour

func newBucket(t testing.TB, l bucket.Limit, at time.Duration) bucket.Bucket {
	t.Helper()
	b, err := bucket.New(l, at)
	require.NoError(t, err)
	return b
}

// drained returns an empty bucket of 10 tokens that gets one every 100 ms.
func drained(t testing.TB, at time.Duration) bucket.Bucket {
	t.Helper()
	b := newBucket(t, bucket.PerSecond(10), at)
	require.True(t, b.Take(at, 10))
	return b
}

// TestStartsFull checks B1 with the default limit.
func TestStartsFull(t *testing.T) {
	b := newBucket(t, bucket.Limit{}, 5*time.Second)
	require.Equal(t, int64(1000), b.Available())
	require.Equal(t, bucket.Limit{}.WithDefaults(), b.Limit())
	require.Equal(t, bucket.Ledger{Initial: 1000}, b.Ledger())
	require.Equal(t, 5*time.Second, b.Ready(1000))
	require.Equal(t, 5*time.Second, b.HeldUntil())

	require.True(t, b.Take(5*time.Second, 1000))
	require.False(t, b.Take(5*time.Second, 1))
	require.Equal(t, bucket.Ledger{Initial: 1000, Spent: 1000}, b.Ledger())
}

func TestTakeRefuses(t *testing.T) {
	b := newBucket(t, bucket.PerSecond(10), 0)
	before := b
	require.False(t, b.Take(0, -1), "negative")
	require.False(t, b.Take(0, 11), "more than is available")
	require.False(t, b.Take(0, math.MaxInt64))
	require.Equal(t, before, b, "a refusal changes nothing")
	require.True(t, b.Take(0, 0))
}

// TestReadyToTheNanosecond checks that tokens are available at the promised instant and not a
// nanosecond before (B2).
func TestReadyToTheNanosecond(t *testing.T) {
	for _, c := range []struct {
		name  string
		limit bucket.Limit
		n     int64
		want  time.Duration
	}{
		{"nothing", bucket.PerSecond(10), 0, 0},
		{"one of ten a second", bucket.PerSecond(10), 1, 100 * time.Millisecond},
		{"all of ten a second", bucket.PerSecond(10), 10, time.Second},
		{"one of three a second, rounded up", bucket.PerSecond(3), 1, 333_333_334},
		{"two of three a second, rounded up", bucket.PerSecond(3), 2, 666_666_667},
		{"three of three a second, not rounded twice", bucket.PerSecond(3), 3, time.Second},
		{"one a day", bucket.Per(1, 24*hour), 1, 24 * hour},
		{"one a nanosecond", bucket.PerSecond(1_000_000_000), 17, 17},
		{"many a nanosecond", bucket.Per(1000, 1), 1, 1},
		{"the last instant before Forever", bucket.Limit{Capacity: 1, Refill: 1, Per: bucket.Forever - 1}, 1, bucket.Forever - 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBucket(t, c.limit, 0)
			require.True(t, b.Take(0, c.limit.Capacity))
			require.Equal(t, c.want, b.Ready(c.n))
			if c.want > 0 {
				require.False(t, b.Take(c.want-1, c.n))
				require.Equal(t, c.want, b.Ready(c.n), "Ready changes nothing")
			}
			require.True(t, b.Take(c.want, c.n))
		})
	}
}

// TestH29_RoundingDoesNotAddUp takes tokens one by one, each at the first nanosecond at which it is
// available. None is later than if the caller had waited once for the sum (B2).
func TestH29_RoundingDoesNotAddUp(t *testing.T) {
	for _, limit := range []bucket.Limit{
		bucket.PerSecond(3).Burst(1),
		bucket.PerSecond(999_999_937).Burst(1),
		bucket.Per(7, 24*hour+1).Burst(1),
	} {
		b := newBucket(t, limit, 0)
		require.True(t, b.Take(0, 1))
		for n := range int64(100_000) {
			b.Take(b.Ready(1), 1)
			if n%10_007 == 0 {
				alone := newBucket(t, limit.Burst(2_000_000), 0)
				require.True(t, alone.Take(0, 2_000_000))
				require.Equal(t, alone.Ready(n+1), b.HeldUntil(), "token %d of %v", n+1, limit)
			}
		}
	}
}

// TestReadyForSeveralCosts checks that a sum of several costs may exceed the capacity.
func TestReadyForSeveralCosts(t *testing.T) {
	b := drained(t, 0)
	require.Equal(t, 100*time.Second, b.Ready(1000))
	require.Equal(t, bucket.Forever, b.Ready(math.MaxInt64))
}

// TestH31_ReadyBeyondReckoning checks that Ready returns Forever for a wait that is too long for a
// duration. In one case only the rounding up would overflow.
func TestH31_ReadyBeyondReckoning(t *testing.T) {
	b := newBucket(t, bucket.Limit{Capacity: math.MaxInt64, Refill: math.MaxInt64 / 2, Per: bucket.Forever}, 0)
	require.True(t, b.Take(0, math.MaxInt64))
	require.True(t, b.Take(3, 1))
	require.Equal(t, bucket.Forever, b.Ready(math.MaxInt64))

	b = newBucket(t, bucket.Per(1, bucket.Forever), math.MinInt64)
	require.True(t, b.Take(math.MinInt64, 1))
	require.Equal(t, time.Duration(-1), b.Ready(1))
	require.Equal(t, bucket.Forever-1, b.Ready(2))
	require.Equal(t, bucket.Forever, b.Ready(3))
}

// TestDebtIsWaitedOut checks that no token can be taken until the debt is paid.
func TestDebtIsWaitedOut(t *testing.T) {
	b := drained(t, 0)
	b.Charge(0, 20)
	require.Equal(t, int64(-20), b.Available())
	require.False(t, b.Take(0, 0), "not even 0 tokens")
	require.Equal(t, 2*time.Second, b.Ready(0))
	require.Equal(t, 2100*time.Millisecond, b.Ready(1))
	require.False(t, b.Take(2100*time.Millisecond-1, 1))
	require.True(t, b.Take(2100*time.Millisecond, 1))
	require.Equal(t, bucket.Ledger{Initial: 10, Refilled: 21, Spent: 31}, b.Ledger())
}

// TestH31_DebtIsBounded checks that no charge overflows the level.
func TestH31_DebtIsBounded(t *testing.T) {
	b := drained(t, 0)
	for range 3 {
		b.Charge(0, math.MaxInt64)
		require.Equal(t, int64(-math.MaxInt64/2), b.Available())
	}
	require.Equal(t, bucket.Forever, b.Ready(math.MaxInt64))
	requireBalanced(t, &b)
}

// TestRefund checks that refunded tokens count as never taken (B4, B5).
func TestRefund(t *testing.T) {
	t.Run("at once", func(t *testing.T) {
		b, other := drained(t, 0), drained(t, 0)
		require.True(t, b.Take(510*time.Millisecond, 5))
		b.Refund(510*time.Millisecond, 5)
		for n := range int64(10) {
			other.Advance(510 * time.Millisecond)
			require.Equal(t, other.Ready(n), b.Ready(n))
		}
		require.Equal(t, bucket.Ledger{Initial: 10, Refilled: 5, Refunded: 5, Spent: 15}, b.Ledger())
	})
	t.Run("tokens that do not fit are dropped", func(t *testing.T) {
		b := newBucket(t, bucket.PerSecond(10), 0)
		require.True(t, b.Take(0, 5))
		b.Refund(250*time.Millisecond, 5) // 2½ tokens came meanwhile, and the half is dropped too
		require.Equal(t, int64(10), b.Available())
		require.Equal(t, bucket.Ledger{Initial: 10, Refilled: 2, Refunded: 3, Spent: 5}, b.Ledger())
		require.True(t, b.Take(250*time.Millisecond, 10))
		require.Equal(t, 350*time.Millisecond, b.Ready(1))
	})
	t.Run("more than was ever taken", func(t *testing.T) {
		b := drained(t, 0)
		b.Charge(0, 5)
		b.Refund(0, math.MaxInt64)
		require.Equal(t, int64(10), b.Available())
		requireBalanced(t, &b)
	})
}

func TestNothingOrLessChangesNothing(t *testing.T) {
	b := drained(t, 0)
	before := b
	for _, n := range []int64{0, -1, math.MinInt64} {
		b.Refund(0, n)
		b.Charge(0, n)
	}
	require.Equal(t, before, b)
}

// TestAllocatesNothing checks the methods that a scheduler uses for every call.
func TestAllocatesNothing(t *testing.T) {
	b, now := drained(t, 0), time.Duration(0)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		now += 150 * time.Millisecond
		b.Advance(now)
		if b.Take(now, 1) {
			b.Refund(now, 1)
		}
		b.Charge(now, 1)
		b.Hold(now, b.Ready(2))
		b.Unpack(b.Pack())
	}))
}

func requireBalanced(t require.TestingT, b *bucket.Bucket) {
	l := b.Ledger()
	require.Equal(t, l.Initial+l.Refilled+l.Refunded+l.Adjusted, l.Spent+b.Available(), "ledger %+v", l)
}

func BenchmarkTake(b *testing.B) {
	bkt, now := newBucket(b, bucket.PerSecond(1009), 0), time.Duration(0)
	b.ReportAllocs()
	for b.Loop() {
		now += 991_081 // a little more than one token needs
		bkt.Take(now, 1)
	}
}

func BenchmarkReady(b *testing.B) {
	bkt := newBucket(b, bucket.PerSecond(1009), 0)
	bkt.Take(0, 1009)
	bkt.Advance(1)
	b.ReportAllocs()
	for b.Loop() {
		bkt.Ready(1)
	}
}
