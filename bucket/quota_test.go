package bucket_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
)

// evening is four hours before a midnight in Los Angeles, after which comes a day of 23 hours.
func evening(t testing.TB) time.Time {
	return time.Date(2023, 3, 11, 20, 0, 0, 0, zone(t, losAngeles))
}

// githubs returns the limit of a server whose hour begins with the first request.
func githubs(n int64) bucket.Limit {
	return bucket.Quota(n, bucket.Reset{Every: hour, FromFirst: true})
}

// TestQuotaIsFilledAtOnce checks that a reset fills the bucket to its capacity, and that nothing comes in
// between.
func TestQuotaIsFilledAtOnce(t *testing.T) {
	b := drainedAt(t, bucket.Daily(10, losAngeles), evening(t))
	require.False(t, b.Take(4*hour-1, 1))
	require.Equal(t, 4*hour, b.Ready(1))
	require.True(t, b.Take(4*hour, 3))
	require.EqualValues(t, 7, b.Available())
	b.Advance(27 * hour)
	require.EqualValues(t, 10, b.Available(), "what was left is not added")
	require.Equal(t, bucket.Ledger{Initial: 10, Refilled: 13, Spent: 13}, b.Ledger())
	b.Charge(27*hour, 25)
	require.EqualValues(t, -15, b.Available())
	require.Equal(t, 51*hour, b.Ready(0), "in debt not even 0 tokens")
	require.Equal(t, 51*hour, b.Ready(10), "a reset forgives a debt")
	b.Advance(1000 * hour)
	require.EqualValues(t, 10, b.Available(), "many resets don't add up")
	requireBalanced(t, &b)
}

// TestReadyOverPeriods checks Ready for sums that take several periods.
func TestReadyOverPeriods(t *testing.T) {
	for _, c := range []struct {
		name  string
		taken int64 // of 10
		n     int64
		want  time.Duration
	}{
		{"there", 0, 10, 0},
		{"one too many", 0, 11, 4 * hour},
		{"all of the next day", 0, 20, 4 * hour},
		{"the day of 23 hours", 0, 21, 27 * hour},
		{"what is left counts", 4, 16, 4 * hour},
		{"and no more", 4, 17, 27 * hour},
		{"none left", 10, 10, 4 * hour},
		{"a thousand days", 10, 10_000, 4*hour + 999*24*hour},
		{"too far away", 10, 10 * 365 * 300, bucket.Forever},
		{"beyond reckoning", 10, math.MaxInt64, bucket.Forever},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, err := bucket.NewAt(bucket.Daily(10, losAngeles), 0, evening(t))
			require.NoError(t, err)
			require.True(t, b.Take(0, c.taken))
			before := b
			require.Equal(t, c.want, b.Ready(c.n))
			require.Equal(t, before, b, "Ready changes nothing")
		})
	}
}

// TestReadyGrows checks that Ready is later for more tokens, however many they are.
func TestReadyGrows(t *testing.T) {
	for _, r := range []bucket.Reset{{Every: time.Second}, {Every: time.Second, FromFirst: true}, {Days: 1, Zone: losAngeles}, {Days: 30_000}, {Months: 1}, {Months: 700}} {
		b := drainedAt(t, bucket.Quota(1, r), noon)
		before := time.Duration(0)
		for n := int64(2); n > 0; n *= 2 {
			for _, n := range []int64{n, n + n/2} {
				ready := b.Ready(n)
				require.True(t, ready > before || ready == bucket.Forever, "%v: ready for %d at %v", r, n, ready)
				before = ready
			}
		}
		require.Equal(t, bucket.Forever, before)
	}
}

// TestPeriodFromFirst checks a period that begins with its first token.
func TestPeriodFromFirst(t *testing.T) {
	b, err := bucket.NewAt(githubs(5), 0, noon)
	require.NoError(t, err)
	require.Equal(t, bucket.Forever, b.NextReset())
	require.Equal(t, hour, b.Ready(6), "if the first is taken now")
	require.Equal(t, 3*hour, b.Ready(20))
	require.Equal(t, bucket.Forever, b.Ready(math.MaxInt64))

	b.Advance(10 * time.Minute)
	require.Equal(t, 70*time.Minute, b.Ready(6))
	require.True(t, b.Take(20*time.Minute, 0))
	require.Equal(t, bucket.Forever, b.NextReset(), "nothing was taken")
	require.True(t, b.Take(20*time.Minute, 2))
	require.True(t, b.Take(50*time.Minute, 3))
	require.Equal(t, 80*time.Minute, b.NextReset())
	require.Equal(t, 80*time.Minute, b.Ready(1))
	require.Equal(t, 140*time.Minute, b.Ready(6))
	b.Advance(80*time.Minute - 1)
	require.Zero(t, b.Available())
	b.Advance(3 * hour)
	require.EqualValues(t, 5, b.Available())
	require.Equal(t, bucket.Forever, b.NextReset(), "the next one has not begun")
	require.Equal(t, 4*hour, b.Ready(6))

	require.True(t, b.Take(3*hour, 5))
	b.Refund(200*time.Minute, 5)
	require.Equal(t, bucket.Forever, b.NextReset(), "none is taken, so none has begun")
	require.True(t, b.Take(210*time.Minute, 1))
	require.Equal(t, 270*time.Minute, b.NextReset())
	requireBalanced(t, &b)

	for name, take := range map[string]func(b *bucket.Bucket){
		"take":   func(b *bucket.Bucket) { b.Take(time.Minute, 1) },
		"charge": func(b *bucket.Bucket) { b.Charge(time.Minute, 9) },
		"level":  func(b *bucket.Bucket) { b.SetLevel(time.Minute, 4) },
	} {
		b, err := bucket.NewAt(githubs(5), 0, noon)
		require.NoError(t, err)
		take(&b)
		b.Advance(30 * time.Minute)
		require.Equal(t, 61*time.Minute, b.NextReset(), name)
	}
}

// TestHoldAndPauseOfQuota checks that a hold and a pause neither empty a quota nor stop its resets (B13).
func TestHoldAndPauseOfQuota(t *testing.T) {
	b, err := bucket.NewAt(bucket.Daily(10, losAngeles), 0, evening(t))
	require.NoError(t, err)
	require.True(t, b.Take(0, 4))
	b.Hold(0, hour)
	require.EqualValues(t, 6, b.Available())
	require.False(t, b.Take(hour-1, 1))
	require.Equal(t, hour, b.Ready(6))
	require.Equal(t, 4*hour, b.Ready(7))
	require.True(t, b.Take(hour, 6))

	b.Hold(2*hour, 10*hour) // over midnight
	require.Equal(t, 10*hour, b.HeldUntil())
	require.Equal(t, 10*hour, b.Ready(0))
	require.Equal(t, 10*hour, b.Ready(10), "it is filled in the hold")
	require.Equal(t, 27*hour, b.Ready(11))
	b.Advance(4 * hour)
	require.EqualValues(t, 10, b.Available())
	require.False(t, b.Take(4*hour, 1))
	b.Hold(5*hour, 60*hour) // over two
	require.Equal(t, 60*hour, b.Ready(10))
	require.Equal(t, 75*hour, b.Ready(11))

	b, err = bucket.NewAt(bucket.Daily(10, losAngeles), 0, evening(t))
	require.NoError(t, err)
	b.Hold(0, 4*hour)
	require.Equal(t, 4*hour, b.Ready(10))
	require.Equal(t, 27*hour, b.Ready(11), "what is left can't be taken before it is filled")

	b = drainedAt(t, bucket.Daily(10, losAngeles), evening(t))
	b.Skip(3 * hour)
	require.Equal(t, 4*hour, b.Ready(1))
	b.Skip(4 * hour)
	require.EqualValues(t, 10, b.Available())
	require.Equal(t, bucket.Ledger{Initial: 10, Refilled: 10, Spent: 10}, b.Ledger())

	f, err := bucket.NewAt(githubs(5), 0, noon)
	require.NoError(t, err)
	require.True(t, f.Take(0, 5))
	f.Hold(0, 90*time.Minute)
	require.Equal(t, 90*time.Minute, f.Ready(5), "it is filled in the hold")
	require.Equal(t, 150*time.Minute, f.Ready(6), "and the next hour begins after it")
}

// TestRefundFromYesterday checks that what was taken before a reset is not given back to the new period
// (B4, B10).
func TestRefundFromYesterday(t *testing.T) {
	b := drainedAt(t, bucket.Daily(10, losAngeles), evening(t))
	b.RefundFrom(hour, 0, 2)
	require.EqualValues(t, 2, b.Available())
	require.True(t, b.Take(4*hour, 5))
	b.RefundFrom(5*hour, 4*hour-1, 3)
	require.EqualValues(t, 5, b.Available())
	b.RefundFrom(5*hour, 4*hour, 3)
	require.EqualValues(t, 8, b.Available())
	b.RefundFrom(27*hour, 5*hour, 100)
	require.Equal(t, bucket.Ledger{Initial: 10, Refilled: 10, Refunded: 5, Spent: 15}, b.Ledger())

	f, err := bucket.NewAt(githubs(5), 0, noon)
	require.NoError(t, err)
	require.True(t, f.Take(0, 5))
	f.RefundFrom(1, 0, 1)
	require.EqualValues(t, 1, f.Available())
	require.True(t, f.Take(hour, 5))
	f.RefundFrom(hour+1, 0, 1)
	require.Zero(t, f.Available())
	f.RefundFrom(hour+1, hour, 1)
	require.EqualValues(t, 1, f.Available())

	plain := drained(t, 0)
	plain.RefundFrom(0, -hour, 3)
	require.EqualValues(t, 3, plain.Available(), "without resets all is given back")
}

// TestPostponeOverReset checks that tokens that a caller gets after a reset are paid by the new period
// (B7).
func TestPostponeOverReset(t *testing.T) {
	b, err := bucket.NewAt(bucket.Daily(10, losAngeles), 0, evening(t))
	require.NoError(t, err)
	require.True(t, b.Take(0, 6))
	require.True(t, b.Take(4*hour-1, 3))
	b.Postpone(4*hour-1, 3)
	require.EqualValues(t, 1, b.Available())
	b.Postpone(4*hour+1, 3)
	require.EqualValues(t, 7, b.Available())
	requireBalanced(t, &b)

	f, err := bucket.NewAt(githubs(5), 0, noon)
	require.NoError(t, err)
	require.True(t, f.Take(0, 5))
	f.Postpone(time.Minute, 5)
	require.Equal(t, 61*time.Minute, f.NextReset(), "the period begins when they are handed over")
}

// TestSetLimitOfQuota checks that a new limit counts from its instant on, and that the level carries over
// (B14).
func TestSetLimitOfQuota(t *testing.T) {
	b, err := bucket.NewAt(bucket.Daily(10, losAngeles), 0, evening(t))
	require.NoError(t, err)
	require.True(t, b.Take(0, 4))
	require.NoError(t, b.SetLimit(hour, bucket.Daily(20, losAngeles)))
	require.EqualValues(t, 6, b.Available(), "a higher capacity adds none before the reset")
	require.Equal(t, 4*hour, b.Ready(20))
	require.NoError(t, b.SetLimit(hour, bucket.Daily(3, losAngeles)))
	require.EqualValues(t, 3, b.Available())
	require.True(t, b.Take(hour, 3))
	require.NoError(t, b.SetLimit(2*hour, bucket.Every(5, hour)))
	require.Equal(t, bucket.Every(5, hour), b.Limit())
	require.Zero(t, b.Available(), "the start of the hour was before")
	require.Equal(t, 3*hour, b.Ready(5))

	require.NoError(t, b.SetLimit(2*hour, bucket.PerSecond(10)))
	require.Equal(t, bucket.Forever, b.NextReset())
	require.Equal(t, 2*hour+100*time.Millisecond, b.Ready(1), "evenly from now on")
	require.True(t, b.Take(2*hour+150*time.Millisecond, 1))
	require.NoError(t, b.SetLimit(2*hour+150*time.Millisecond, bucket.Daily(10, losAngeles)))
	require.Zero(t, b.Available())
	require.Equal(t, 4*hour, b.Ready(1))
	b.Advance(4 * hour)
	require.NoError(t, b.SetLimit(4*hour, bucket.PerSecond(10)))
	require.True(t, b.Take(4*hour, 10))
	require.Equal(t, 4*hour+100*time.Millisecond, b.Ready(1))

	before := b
	require.Error(t, b.SetLimit(5*hour, bucket.Daily(10, "Mars/Base")))
	require.Equal(t, before, b, "an invalid limit changes nothing")

	f, err := bucket.NewAt(githubs(5), 0, noon)
	require.NoError(t, err)
	require.True(t, f.Take(0, 5))
	require.NoError(t, f.SetLimit(20*time.Minute, githubs(8)))
	require.Equal(t, hour, f.NextReset(), "the period goes on")
	require.True(t, f.Take(hour, 8))
	require.NoError(t, f.SetLimit(hour, bucket.PerSecond(10)))
	require.NoError(t, f.SetLimit(hour, githubs(5)))
	require.Equal(t, 2*hour, f.NextReset(), "the level is below the capacity, so a period has begun")
}

// TestResetsAllocateNothing checks the methods that a scheduler uses for every call.
func TestResetsAllocateNothing(t *testing.T) {
	origin, now := evening(t), time.Duration(0)
	b := drainedAt(t, bucket.Daily(10, losAngeles), origin)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		now += 5 * hour
		b.Advance(now)
		if b.Take(now, 1) {
			b.RefundFrom(now, now, 1)
		}
		b.Charge(now, 1)
		b.Hold(now, b.Ready(25))
		b.SetWall(now, origin)
	}))
}

// TestOriginFarAway checks that a bucket knows the time of day at any instant.
func TestOriginFarAway(t *testing.T) {
	for _, now := range []time.Duration{math.MinInt64, math.MinInt64 + 1, -1, bucket.Forever - 25*hour} {
		b, err := bucket.NewAt(bucket.Daily(1, ""), now, time.Unix(0, 0))
		require.NoError(t, err)
		require.Equal(t, now+24*hour, b.NextReset())
	}
}

// TestResetsAtTheEndsOfTime checks that nothing overflows or loops, whatever the instants and dates.
func TestResetsAtTheEndsOfTime(t *testing.T) {
	for _, wall := range []time.Time{time.Unix(-62_135_596_799, 0), time.Unix(0, 0), time.Unix(253_402_300_799, 999_999_999)} {
		for _, now := range []time.Duration{math.MinInt64, -1, 0, bucket.Forever - 1, bucket.Forever} {
			for _, r := range []bucket.Reset{
				{Every: time.Second}, {Every: bucket.Forever / time.Second * time.Second}, {Every: bucket.Forever / time.Second * time.Second, FromFirst: true},
				{Days: 1, Zone: losAngeles}, {Days: 36_525, From: 253_402_300_799}, {Months: 1, From: -62_135_596_800}, {Months: 1_200, Zone: losAngeles},
			} {
				b, err := bucket.NewAt(bucket.Quota(5, r), now, wall)
				require.NoError(t, err)
				require.True(t, b.Take(now, 5))
				next := b.Ready(1)
				require.Equal(t, next, b.NextReset())
				require.True(t, next > now || next == bucket.Forever)
				require.GreaterOrEqual(t, b.Ready(6), next)
				require.GreaterOrEqual(t, b.Ready(math.MaxInt64), b.Ready(6))
				b.Hold(now, bucket.Forever-1)
				b.SetWall(now, wall.Add(hour))
				b.Ready(1)
				b.Advance(bucket.Forever - 1)
				require.GreaterOrEqual(t, b.Ready(6), bucket.Forever-1)
				b.Charge(bucket.Forever, math.MaxInt64)
				b.Ready(0)
				requireBalanced(t, &b)
			}
		}
	}
}
