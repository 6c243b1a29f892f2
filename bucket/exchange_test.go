package bucket_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
)

const maxExact = 1 << 52

// TestNormalize: an ask of any numbers becomes one that a store counts exactly, or is refused.
func TestNormalize(t *testing.T) {
	limit := bucket.PerSecond(10)
	low := bucket.Ask{Process: "a", Seq: 1, Want: -1, Least: math.MinInt64, Ahead: -1, Back: -1, Charge: -5, Mine: -1, Hold: -time.Hour, Remaining: -3, Limit: limit, Version: -9}
	got, err := low.Normalize()
	require.NoError(t, err)
	require.Equal(t, bucket.Ask{Process: "a", Seq: 1, Limit: limit, Version: 1}, got)

	const most = math.MaxInt64
	high := bucket.Ask{Process: "a", Seq: maxExact, Want: most, Least: most, Ahead: most, Back: most, Charge: most, Mine: most, Hold: most, Remaining: most, HasRemaining: true, Limit: limit, Version: most}
	got, err = high.Normalize()
	require.NoError(t, err)
	require.Equal(t, bucket.Ask{
		Process: "a", Seq: maxExact, Want: maxExact, Least: maxExact, Ahead: bucket.MaxAhead, Back: maxExact, Charge: maxExact, Mine: maxExact,
		Hold: 1 << 50 * time.Microsecond, Remaining: maxExact, HasRemaining: true, Limit: limit, Version: maxExact,
	}, got)

	usual := bucket.Ask{Process: "a", Seq: 7, Want: 5, Least: 2, Ahead: 1500, Back: 3, Charge: 4, Epoch: "e", Mine: 6, Hold: time.Millisecond + 1, Leave: true}
	got, err = usual.Normalize()
	require.NoError(t, err)
	usual.Ahead, usual.Hold = 2*time.Microsecond, 1001*time.Microsecond
	usual.Limit, usual.Version = bucket.Limit{}.WithDefaults(), 1
	require.Equal(t, usual, got)
	again, err := got.Normalize()
	require.NoError(t, err)
	require.Equal(t, got, again)
}

// TestNormalizeRefuses: an ask without a name or a number, or with a limit that can't be shared, has no effect.
func TestNormalizeRefuses(t *testing.T) {
	good := bucket.Ask{Process: "a", Seq: 1, Want: 1, Limit: bucket.PerSecond(10), Version: 1}
	var s bucket.Shared
	first := s.Exchange("run", 0, good)
	for text, spoil := range map[string]func(*bucket.Ask){
		`bucket: ask has Process "" and Seq 1: a Process needs a name, and Seq counts from 1 to at most 2^52`:                 func(a *bucket.Ask) { a.Process = "" },
		`bucket: ask has Process "a" and Seq 0: a Process needs a name, and Seq counts from 1 to at most 2^52`:                func(a *bucket.Ask) { a.Seq = 0 },
		`bucket: ask has Process "a" and Seq 4503599627370497: a Process needs a name, and Seq counts from 1 to at most 2^52`: func(a *bucket.Ask) { a.Seq = maxExact + 1 },
		"bucket: limit has a Reset: a shared budget can't have one yet, so use a rate, such as PerMinute":                     func(a *bucket.Ask) { a.Limit = bucket.Daily(5, "") },
	} {
		bad := good
		spoil(&bad)
		_, err := bad.Normalize()
		require.EqualError(t, err, text)
		before := s.Clone()
		require.Zero(t, s.Exchange("another run", 5, bad))
		require.Equal(t, before, &s)
	}
	require.Equal(t, first, s.Exchange("run", 1, good))
}

// TestMicroRate: a store counts the rate of a limit in whole microseconds, reduced, and never higher.
func TestMicroRate(t *testing.T) {
	for _, is := range []struct {
		limit       bucket.Limit
		refill, per int64
	}{
		{bucket.PerSecond(10), 1, 100_000},
		{bucket.PerMinute(90), 3, 2_000_000},
		{bucket.Limit{Capacity: 1, Refill: 7, Per: time.Nanosecond}, 7, 1},
		{bucket.Limit{Capacity: 1, Refill: 7, Per: time.Microsecond}, 7, 1},
		{bucket.Limit{Capacity: 1, Refill: 3, Per: time.Microsecond + time.Nanosecond}, 3, 2},
		{bucket.Limit{Capacity: 1, Refill: 4, Per: 5999 * time.Nanosecond}, 2, 3},
		{bucket.Limit{Capacity: 1, Refill: math.MaxInt64, Per: math.MaxInt64}, math.MaxInt64, math.MaxInt64/1000 + 1},
		{bucket.Limit{}, 1, 600_000}, // 100 a minute
	} {
		refill, per := is.limit.MicroRate()
		require.Equal(t, []int64{is.refill, is.per}, []int64{refill, per}, "%+v", is.limit)
	}
}

// TestValidateShared: a limit can be shared up to the bound that keeps float64 exact, and errors say what to do.
func TestValidateShared(t *testing.T) {
	const micro = time.Microsecond
	for _, good := range []bucket.Limit{
		{},
		bucket.PerMinute(500).Burst(10),
		{Capacity: 1 << 50, Refill: 1, Per: micro},
		{Capacity: 1, Refill: 1, Per: 1 << 50 * micro},
		{Capacity: 1 << 20, Refill: 1, Per: 1 << 30 * micro},
		{Capacity: 1, Refill: maxExact / 1_000_000, Per: micro},
		{Capacity: 1 << 50, Refill: 1 << 40, Per: 1 << 40 * micro}, // reduced
	} {
		require.NoError(t, good.ValidateShared(), "%+v", good)
	}
	for _, bad := range []bucket.Limit{
		{Capacity: 1<<50 + 1, Refill: 1, Per: micro},
		{Capacity: 1, Refill: 1, Per: 1<<50*micro + 1},
		{Capacity: 1<<20 + 1, Refill: 1, Per: 1 << 30 * micro},
		{Capacity: 1, Refill: maxExact/1_000_000 + 1, Per: micro},
		bucket.Unlimited,
	} {
		require.ErrorContains(t, bad.ValidateShared(), "too large to be counted exactly in a store", "%+v", bad)
	}
	for text, bad := range map[string]bucket.Limit{
		"bucket: limit has a Reset: a shared budget can't have one yet, so use a rate, such as PerMinute":                                                                                                                                                                                               bucket.Daily(5, ""),
		"bucket: limit is Strict, as a Window is: processes that share a budget spend some tokens later than they came, so use a rate with a small burst, such as PerMinute(n).Burst(10)":                                                                                                               bucket.Window(5, time.Minute, 1),
		"bucket: limit has Capacity 1125899906842625 and Refill 1 in 1µs, which is too large to be counted exactly in a store: use a smaller Capacity, or a Refill and Per with a common divisor (4·Capacity·Per in microseconds, and Refill·10^6, both reduced by that divisor, must be at most 2^52)": {Capacity: 1<<50 + 1, Refill: 1, Per: micro},
	} {
		require.EqualError(t, bad.ValidateShared(), text)
	}
	require.Equal(t, bucket.Limit{Capacity: -1}.Validate(), bucket.Limit{Capacity: -1}.ValidateShared())
	require.Error(t, bucket.Limit{Capacity: -1}.ValidateShared())
}
