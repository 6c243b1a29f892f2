package bucket_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
)

func TestLimits(t *testing.T) {
	for _, c := range []struct {
		name   string
		got    bucket.Limit
		want   bucket.Limit
		string string
	}{
		{"zero is the default", bucket.Limit{}.WithDefaults(), bucket.Limit{Capacity: 1000, Refill: 100, Per: time.Minute}, "100 per 1m0s, capacity 1000"},
		{"zero prints as the default", bucket.Limit{}, bucket.Limit{}, "100 per 1m0s, capacity 1000"},
		{"others stay as they are", bucket.PerSecond(3).WithDefaults(), bucket.PerSecond(3), "3 per 1s, capacity 3"},
		{"PerSecond", bucket.PerSecond(5), bucket.Limit{Capacity: 5, Refill: 5, Per: time.Second}, "5 per 1s, capacity 5"},
		{"PerMinute", bucket.PerMinute(60), bucket.Limit{Capacity: 60, Refill: 60, Per: time.Minute}, "60 per 1m0s, capacity 60"},
		{"Per", bucket.Per(7, time.Hour), bucket.Limit{Capacity: 7, Refill: 7, Per: time.Hour}, "7 per 1h0m0s, capacity 7"},
		{"Burst", bucket.PerSecond(5).Burst(50), bucket.Limit{Capacity: 50, Refill: 5, Per: time.Second}, "5 per 1s, capacity 50"},
		{"Window", bucket.Window(100, time.Minute, 10), bucket.Limit{Capacity: 10, Refill: 91, Per: time.Minute + 1, Strict: true}, "91 per 1m0.000000001s, capacity 10, strict"},
		{"Window all at once", bucket.Window(100, time.Minute, 100), bucket.Limit{Capacity: 100, Refill: 1, Per: time.Minute + 1, Strict: true}, "1 per 1m0.000000001s, capacity 100, strict"},
		{"Window of the longest duration", bucket.Window(2, bucket.Forever, 1), bucket.Limit{Capacity: 1, Refill: 2, Per: bucket.Forever, Strict: true}, "2 per 2562047h47m16.854775807s, capacity 1, strict"},
		{"largest", bucket.Per(math.MaxInt64, bucket.Forever), bucket.Limit{Capacity: math.MaxInt64, Refill: math.MaxInt64, Per: bucket.Forever}, "9223372036854775807 per 2562047h47m16.854775807s, capacity 9223372036854775807"},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Equal(t, c.want, c.got)
			require.Equal(t, c.string, c.got.String())
			require.NoError(t, c.got.Validate())
		})
	}
}

// TestH28_InvalidLimits checks that the error names every fault with its field and value (B3, H31).
func TestH28_InvalidLimits(t *testing.T) {
	const (
		capacity = "bucket: limit's Capacity is %s: it must be at least 1"
		refill   = "bucket: limit's Refill is %s: it must be at least 1 token every Per (a Window needs a burst from 1 to n)"
		per      = "bucket: limit's Per is %s: it must be a positive duration"
		lowest   = "-9223372036854775808"
	)
	for _, c := range []struct {
		name                  string
		limit                 bucket.Limit
		capacity, refill, per string // the value in the error; "" if the field is valid
	}{
		{"no capacity", bucket.PerSecond(5).Burst(0), "0", "", ""},
		{"negative capacity", bucket.PerSecond(5).Burst(-3), "-3", "", ""},
		{"no refill", bucket.Limit{Capacity: 1, Per: time.Second}, "", "0", ""},
		{"no per", bucket.Per(5, 0), "", "", "0s"},
		{"negative per", bucket.Per(5, -time.Second), "", "", "-1s"},
		{"nothing a second", bucket.PerSecond(0), "0", "0", ""},
		{"all negative", bucket.Per(-1, -1), "-1", "-1", "-1ns"},
		{"all lowest", bucket.Per(math.MinInt64, math.MinInt64), lowest, lowest, "-2562047h47m16.854775808s"},
		{"window without a burst", bucket.Window(10, time.Second, 0), "0", "", ""},
		{"window's burst above n", bucket.Window(10, time.Second, 11), "", "-1", ""},
		{"window's burst far above n", bucket.Window(math.MinInt64, time.Second, math.MaxInt64), "", "-1", ""},
		{"window of no length", bucket.Window(10, 0, 1), "", "", "0s"},
		{"window of negative length", bucket.Window(10, -1, 1), "", "", "-1ns"},
		{"window that might look like the zero Limit", bucket.Window(-1, 0, 0), "0", "-1", "0s"},
		{"window of negatives that might look like the zero Limit", bucket.Window(-1, -1, 0), "0", "-1", "-1ns"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var faults []string
			for _, f := range [][2]string{{capacity, c.capacity}, {refill, c.refill}, {per, c.per}} {
				if format, value := f[0], f[1]; value != "" {
					faults = append(faults, fmt.Sprintf(format, value))
				}
			}
			want := strings.Join(faults, "\n")
			require.EqualError(t, c.limit.Validate(), want)

			_, err := bucket.New(c.limit, 0)
			require.EqualError(t, err, want)
		})
	}
}

// TestH27_CheckCost checks B3 for costs.
func TestH27_CheckCost(t *testing.T) {
	for _, c := range []struct {
		name  string
		limit bucket.Limit
		cost  int64
		want  string
	}{
		{"nothing", bucket.PerSecond(5), 0, ""},
		{"all", bucket.PerSecond(5), 5, ""},
		{"all of the default", bucket.Limit{}, 1000, ""},
		{"one too many", bucket.PerSecond(5), 6, "bucket: cost 6 is above the capacity of 5 tokens and could never be granted: split the call or raise the limit's Capacity"},
		{"above the default", bucket.Limit{}, 1001, "bucket: cost 1001 is above the capacity of 1000 tokens and could never be granted: split the call or raise the limit's Capacity"},
		{"negative", bucket.PerSecond(5), -1, "bucket: cost -1 is negative: a call costs 0 tokens or more"},
		{"most negative", bucket.PerSecond(5), math.MinInt64, "bucket: cost -9223372036854775808 is negative: a call costs 0 tokens or more"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := c.limit.CheckCost(c.cost)
			if c.want == "" {
				require.NoError(t, err)
				return
			}
			var costErr *bucket.CostError
			require.ErrorAs(t, err, &costErr)
			require.Equal(t, &bucket.CostError{Cost: c.cost, Capacity: c.limit.WithDefaults().Capacity}, costErr)
			require.EqualError(t, err, c.want)
		})
	}
}

// TestUnlimited checks that a bucket of the limit Unlimited makes no call wait.
func TestUnlimited(t *testing.T) {
	require.NoError(t, bucket.Unlimited.Validate())
	require.Equal(t, "unlimited", bucket.Unlimited.String())
	b, now := newBucket(t, bucket.Unlimited, 0), time.Duration(0)
	for range 1000 {
		require.Equal(t, now, b.Ready(1e12))
		require.True(t, b.Take(now, 1e12), "all at one instant")
	}
	for range 1000 {
		now++
		require.True(t, b.Take(now, 1e15), "the next nanosecond has them all again")
	}
	b.Charge(now, 1e15)
	require.Equal(t, now+1, b.Ready(0), "a debt is gone as fast")
	b.Hold(now, now+time.Hour)
	require.Equal(t, now+time.Hour+2, b.Ready(1), "and a hold ends with as many")
	requireBalanced(t, &b)
}

// With several budgets, the error of a Cost that one of them can't pay names CostOf.
func TestCostErrorOfABudgetNamesCostOf(t *testing.T) {
	require.EqualError(t, &bucket.CostError{Budget: "requests", Cost: 1200, Capacity: 500},
		`bucket: cost 1200 of "requests" is above the capacity of 500 tokens and could never be granted: split the call or raise the limit's Capacity, or give each budget a cost of its own by CostOf, since a Cost is paid from all of them`)
}
