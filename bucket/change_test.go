package bucket_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
)

// TestH43_HoldSpreadsWhatWaits checks that a hold empties the bucket, so that tokens come at the
// refill rate after its end.
func TestH43_HoldSpreadsWhatWaits(t *testing.T) {
	b := newBucket(t, bucket.PerSecond(10), 0)
	b.Hold(0, hour)
	require.Equal(t, bucket.Ledger{Initial: 10, Adjusted: -10}, b.Ledger())
	require.Equal(t, hour, b.HeldUntil())
	require.False(t, b.Take(hour-1, 0), "nothing can be taken before the end")
	require.Equal(t, hour, b.Ready(0))
	for n := range time.Duration(20) {
		ready := hour + (n+1)*100*time.Millisecond
		require.Equal(t, ready, b.Ready(1))
		require.False(t, b.Take(ready-1, 1))
		require.True(t, b.Take(ready, 1))
	}
	requireBalanced(t, &b)
}

func TestHoldIsNeverShortened(t *testing.T) {
	b := drained(t, 0)
	b.Hold(0, 2*hour)
	before := b
	b.Hold(0, hour)
	b.Hold(0, 0)
	b.Hold(0, -hour)
	require.Equal(t, before, b)
	b.Hold(0, 3*hour)
	require.Equal(t, 3*hour, b.HeldUntil())
}

func TestHoldInThePastChangesNothing(t *testing.T) {
	b := newBucket(t, bucket.PerSecond(10), hour)
	before := b
	b.Hold(hour, hour)
	b.Hold(hour, hour-1)
	require.Equal(t, before, b)
}

func TestHoldKeepsDebt(t *testing.T) {
	b := drained(t, 0)
	b.Charge(0, 5)
	b.Hold(0, hour)
	require.Equal(t, int64(-5), b.Available())
	require.Equal(t, hour+600*time.Millisecond, b.Ready(1))
	requireBalanced(t, &b)
}

// TestRefundDuringHold checks that refunded tokens can be taken after the hold.
func TestRefundDuringHold(t *testing.T) {
	b := drained(t, 0)
	b.Hold(0, hour)
	b.Refund(time.Minute, 4)
	require.False(t, b.Take(hour-1, 4))
	require.Equal(t, hour, b.Ready(4))
	require.True(t, b.Take(hour, 4))
}

// TestH42_ClockBackwards checks that an earlier instant counts as the latest one seen, for every
// method and also after a hold (B6).
func TestH42_ClockBackwards(t *testing.T) {
	full := newBucket(t, bucket.PerSecond(10), hour)
	inDebt := drained(t, hour)
	inDebt.Charge(hour, 5)
	begun := drained(t, hour)
	begun.Advance(hour + 123_456_789)
	wasHeld := drained(t, 0)
	wasHeld.Hold(0, hour)
	wasHeld.Refund(hour, 5)
	for name, b := range map[string]bucket.Bucket{"full": full, "in debt": inDebt, "begun": begun, "was held": wasHeld} {
		latest := b.HeldUntil()
		for name, do := range map[string]func(b *bucket.Bucket, at time.Duration) any{
			"advance":   func(b *bucket.Bucket, at time.Duration) any { b.Advance(at); return nil },
			"take":      func(b *bucket.Bucket, at time.Duration) any { return b.Take(at, 1) },
			"refund":    func(b *bucket.Bucket, at time.Duration) any { b.Refund(at, 1); return nil },
			"charge":    func(b *bucket.Bucket, at time.Duration) any { b.Charge(at, 1); return nil },
			"hold":      func(b *bucket.Bucket, at time.Duration) any { b.Hold(at, 2*hour); return nil },
			"skip":      func(b *bucket.Bucket, at time.Duration) any { b.Skip(at); return nil },
			"set limit": func(b *bucket.Bucket, at time.Duration) any { return b.SetLimit(at, bucket.PerMinute(7)) },
		} {
			for _, back := range []time.Duration{1, time.Second, 2 * hour} {
				straight, jumped := b, b
				require.Equal(t, do(&straight, latest), do(&jumped, latest-back), name)
				require.Equal(t, straight, jumped, name)
			}
		}
		require.Equal(t, latest, b.Ready(b.Available()), name)
	}
}

// TestH43_ClockForwards checks that after any jump of the clock a bucket holds its capacity and less
// than one nanosecond's refill more (B6).
func TestH43_ClockForwards(t *testing.T) {
	for _, limit := range []bucket.Limit{
		bucket.PerSecond(10),
		bucket.Per(1, 24*hour),
		bucket.Per(math.MaxInt64, 1),
		{Capacity: 1, Refill: math.MaxInt64, Per: 1},
		{Capacity: 97, Refill: 999_999_937, Per: 1_000_000_007},
	} {
		for name, jump := range map[string][2]time.Duration{
			"ten years":  {0, 87600 * hour},
			"the end":    {0, bucket.Forever},
			"everything": {math.MinInt64, bucket.Forever - 1},
		} {
			t.Run(limit.String()+" "+name, func(t *testing.T) {
				from, to := jump[0], jump[1]
				b := newBucket(t, limit, from)
				require.True(t, b.Take(from, limit.Capacity))
				require.False(t, b.Take(from, 1))
				b.Advance(to)
				require.Equal(t, limit.Capacity, b.Available())
				require.True(t, b.Take(to, limit.Capacity))
				fresh := newBucket(t, limit, to)
				require.True(t, fresh.Take(to, limit.Capacity))
				require.LessOrEqual(t, fresh.Ready(1)-b.Ready(1), time.Nanosecond, "the fraction that was left")
				requireBalanced(t, &b)
			})
		}
	}
}

// TestSetLimit checks that refill up to the change counts at the old rate, and that the level
// carries over.
func TestSetLimit(t *testing.T) {
	const at = 250 * time.Millisecond // 2½ tokens at the old rate
	for _, c := range []struct {
		name   string
		limit  bucket.Limit
		level  int64
		next   time.Duration // until the next token
		ledger bucket.Ledger
	}{
		{"same", bucket.PerSecond(10), 2, 50 * time.Millisecond, bucket.Ledger{}},
		{"faster", bucket.PerSecond(100), 2, 5 * time.Millisecond, bucket.Ledger{}},
		{"slower", bucket.PerMinute(10), 2, 3 * time.Second, bucket.Ledger{}},
		{"higher capacity adds none", bucket.PerSecond(10).Burst(1000), 2, 50 * time.Millisecond, bucket.Ledger{}},
		{"capacity equal to the level drops the half", bucket.PerSecond(10).Burst(2), 2, 100 * time.Millisecond, bucket.Ledger{}},
		{"lower capacity drops a token", bucket.PerSecond(10).Burst(1), 1, 100 * time.Millisecond, bucket.Ledger{Adjusted: -1}},
		{"zero is the default", bucket.Limit{}, 2, 300 * time.Millisecond, bucket.Ledger{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := drained(t, 0)
			require.NoError(t, b.SetLimit(at, c.limit))
			require.Equal(t, c.limit.WithDefaults(), b.Limit())
			require.Equal(t, c.level, b.Available())
			require.Equal(t, at+c.next, b.Ready(c.level+1))
			c.ledger.Initial, c.ledger.Spent, c.ledger.Refilled = 10, 10, 2
			require.Equal(t, c.ledger, b.Ledger())
		})
	}
}

func TestSetLimitKeepsDebtAndHold(t *testing.T) {
	b := drained(t, 0)
	b.Charge(0, 5)
	b.Hold(0, hour)
	require.NoError(t, b.SetLimit(0, bucket.PerSecond(1)))
	require.Equal(t, int64(-5), b.Available())
	require.Equal(t, hour+6*time.Second, b.Ready(1))
	require.False(t, b.Take(hour-1, 0))
}

func TestSetInvalidLimitChangesNothing(t *testing.T) {
	b := drained(t, 0)
	before := b
	require.EqualError(t, b.SetLimit(hour, bucket.PerSecond(10).Burst(-2)), "bucket: limit's Capacity is -2: it must be at least 1")
	require.Equal(t, before, b)
}

// TestSkip checks that skipped time adds and removes nothing, not even a fraction of a token, and
// that a hold still ends at its instant.
func TestSkip(t *testing.T) {
	b, err := bucket.New(bucket.PerSecond(1).Burst(5), 0)
	require.NoError(t, err)
	require.True(t, b.Take(0, 5))
	b.Advance(600 * time.Millisecond)
	b.Skip(time.Hour)
	require.Equal(t, time.Hour+400*time.Millisecond, b.Ready(1), "the refill goes on where it was")
	b.Skip(time.Minute)
	require.Equal(t, time.Hour+400*time.Millisecond, b.Ready(1), "an earlier instant changes nothing")
	require.True(t, b.Take(time.Minute, 0), "an earlier instant makes no hold")

	b.Hold(time.Hour, 2*time.Hour)
	b.Skip(90 * time.Minute)
	require.Equal(t, 2*time.Hour, b.HeldUntil())
	b.Skip(3 * time.Hour)
	require.True(t, b.Take(0, 0), "an earlier instant counts as the latest one, so the hold is over")
	require.Equal(t, 3*time.Hour, b.HeldUntil(), "the hold is over, and no token has come since")
	require.False(t, b.Take(3*time.Hour, 1))
	require.True(t, b.Take(3*time.Hour+time.Second, 1))

	b.Charge(3*time.Hour, 2)
	b.Skip(bucket.Forever - 1)
	require.EqualValues(t, -2, b.Available(), "skipped time pays no debt")
	require.Equal(t, bucket.Forever, b.Ready(1))
	requireBalanced(t, &b)
}

// TestH30_LongIdleOverflowsNothing checks the refill of an idle time when 64 bits are too few for
// the product of time and rate, or even for the tokens.
func TestH30_LongIdleOverflowsNothing(t *testing.T) {
	for _, c := range []struct {
		name  string
		limit bucket.Limit
		idle  time.Duration
		want  int64
	}{
		// 2^40 ns · 2^40 units is 2^80. Divided by 2^50+1 ns, it is a little less than 2^30 tokens.
		{"product", bucket.Limit{Capacity: 1 << 40, Refill: 1 << 40, Per: 1<<50 + 1}, 1 << 40, 1<<30 - 1},
		// 2^40 ns · 2^30 tokens/ns is 2^70 tokens.
		{"tokens", bucket.Limit{Capacity: 1 << 40, Refill: 1 << 30, Per: 1}, 1 << 40, 1 << 40},
		// Exactly 2^64 tokens, which would be 0 in 64 bits.
		{"tokens, wrapping to 0", bucket.Limit{Capacity: 1 << 40, Refill: 1 << 24, Per: 1}, 1 << 40, 1 << 40},
		// 2^63 tokens, which would be negative in a signed integer.
		{"tokens, turning negative", bucket.Limit{Capacity: 1 << 40, Refill: 1 << 23, Per: 1}, 1 << 40, 1 << 40},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBucket(t, c.limit, 0)
			require.True(t, b.Take(0, c.limit.Capacity))
			b.Advance(c.idle)
			require.Equal(t, c.want, b.Available())
			requireBalanced(t, &b)
		})
	}
}

// TestH30_FractionOverflows checks a refill that just fits into 64 bits, and no longer does when the
// earlier fraction of a token is added.
func TestH30_FractionOverflows(t *testing.T) {
	b := newBucket(t, bucket.Limit{Capacity: 1 << 40, Refill: 1<<32 - 1, Per: 1 << 33}, 0)
	require.True(t, b.Take(0, 1<<40))
	b.Advance(1)
	b.Advance(1 + 1<<32 + 1) // (2^32 + 1) ns · (2^32 - 1) units is 2^64 - 1
	require.Equal(t, int64(1<<31), b.Available())
	requireBalanced(t, &b)
}

// TestH32_IdleCreditIsAtMostTheCapacity checks that after any idle time a caller gets one burst and
// then the rate, and that no more is saved up.
func TestH32_IdleCreditIsAtMostTheCapacity(t *testing.T) {
	b, now := newBucket(t, bucket.PerSecond(10).Burst(3), 0), time.Duration(0)
	for range 3 {
		for range 1000 {
			now += 7 * time.Minute
			b.Advance(now)
			require.EqualValues(t, 3, b.Available())
		}
		require.True(t, b.Take(now, 3))
		for range 20 {
			require.False(t, b.Take(now+100*time.Millisecond-1, 1))
			now += 100 * time.Millisecond
			require.True(t, b.Take(now, 1))
		}
	}
	require.Equal(t, bucket.Ledger{Initial: 3, Refilled: 66, Spent: 69}, b.Ledger())
}
