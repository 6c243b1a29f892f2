package retry_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/retry"
)

func TestR2_DelaysWithoutJitter(t *testing.T) {
	tests := []struct {
		name string
		give retry.Policy
		want []time.Duration // in seconds
	}{
		{"default", retry.Policy{}, []time.Duration{1, 2, 4, 8, 16, 32, 60, 60}},
		{"constant", retry.Policy{Multiplier: 1, Initial: 7 * time.Second}, []time.Duration{7, 7, 7, 7}},
		{"tenfold", retry.Policy{Multiplier: 10, Initial: 2 * time.Second, Max: time.Hour}, []time.Duration{2, 20, 200, 2000, 3600}},
		{"initial above default max", retry.Policy{Initial: 90 * time.Second}, []time.Duration{90, 90, 90}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.give.Jitter = retry.None
			for i, want := range tt.want {
				require.Equal(t, want*time.Second, tt.give.Delay(9, i+1))
			}
			require.Equal(t, tt.want[0]*time.Second, tt.give.Delay(9, 0), "below 1 counts as 1")
			require.Equal(t, tt.want[0]*time.Second, tt.give.Delay(9, math.MinInt), "below 1 counts as 1")
		})
	}
}

// TestH41_NoAttemptOverflows checks large attempts. A delay of 2^63 ns does not fit into a duration,
// 2^128 s into no integer, and 2^1500 s not even into a float64.
func TestH41_NoAttemptOverflows(t *testing.T) {
	plain := retry.Policy{Jitter: retry.None}
	huge := retry.Policy{Jitter: retry.None, Max: math.MaxInt64, Multiplier: math.MaxFloat64}
	jittery := retry.Policy{Jitter: 1, Max: math.MaxInt64}
	slow := retry.Policy{Jitter: retry.None, Multiplier: math.Nextafter(1, 2)}
	for _, attempt := range []int{31, 32, 33, 62, 63, 64, 65, 128, 1023, 1024, 1500, math.MaxInt32, math.MaxInt - 1, math.MaxInt} {
		require.Equal(t, time.Minute, plain.Delay(1, attempt), "attempt %d", attempt)
		require.Equal(t, time.Duration(math.MaxInt64), huge.Delay(1, attempt), "attempt %d", attempt)
		require.GreaterOrEqual(t, jittery.Delay(1, attempt), time.Duration(0), "attempt %d", attempt)
		require.LessOrEqual(t, slow.Delay(1, attempt), time.Minute, "attempt %d", attempt)
		require.GreaterOrEqual(t, slow.Delay(1, attempt), time.Second, "attempt %d", attempt)
	}
}

func TestH46_ServerWaitSaturatesAndIgnoresNonsense(t *testing.T) {
	p := retry.Policy{}
	for call := range uint64(1000) {
		require.Equal(t, time.Duration(math.MaxInt64), p.ServerWait(call, 1, math.MaxInt64))
		require.GreaterOrEqual(t, p.ServerWait(call, 1, math.MaxInt64-1), time.Duration(math.MaxInt64-1))
	}
	require.Zero(t, p.ServerWait(1, 1, 0))
	require.Zero(t, p.ServerWait(1, 1, -1))
	require.Zero(t, p.ServerWait(1, 1, math.MinInt64))
	require.Equal(t, 9*time.Nanosecond, p.ServerWait(1, 1, 9), "a tenth of 9 ns is rounded to 0")
}

func TestH48_CallsToldTheSameComeBackApart(t *testing.T) {
	for _, d := range []time.Duration{time.Second, 10 * time.Minute} {
		seen := map[time.Duration]bool{}
		var low, high time.Duration = math.MaxInt64, 0
		for call := range uint64(1000) {
			w := retry.Policy{}.ServerWait(call, 1, d)
			seen[w] = true
			low, high = min(low, w), max(high, w)
		}
		spread := min(d/10, 5*time.Second)
		require.Len(t, seen, 1000)
		require.Less(t, low, d+spread/50, "the waits begin at d")
		require.Greater(t, high, d+spread-spread/50, "the waits reach d plus the spread")
	}
}

func TestH49_JitterNeverUndercutsTheServer(t *testing.T) {
	for _, p := range []retry.Policy{{}, {Jitter: 1}, {FullJitter: true}, {Jitter: retry.None}, {Max: time.Second}} {
		for call := range uint64(1000) {
			got := p.Decide(call, 1, retry.Verdict{Kind: retry.KindRateLimited, Wait: 90 * time.Second})
			require.Equal(t, retry.Again, got.Action)
			require.GreaterOrEqual(t, got.Delay, 90*time.Second)
			require.LessOrEqual(t, got.Delay, 95*time.Second)
		}
	}
}

func TestTotalWait(t *testing.T) {
	const forever = time.Duration(math.MaxInt64)
	barely := math.Nextafter(1, 2)
	tests := []struct {
		name    string
		give    retry.Policy
		retries int
		want    time.Duration
	}{
		{"default", retry.Policy{}, 5, 31 * time.Second},
		{"past the cap", retry.Policy{}, 10, (1 + 2 + 4 + 8 + 16 + 32 + 4*60) * time.Second},
		{"none", retry.Policy{}, 0, 0},
		{"negative", retry.Policy{}, math.MinInt, 0},
		{"constant", retry.Policy{Multiplier: 1}, 100_000, 100_000 * time.Second},
		{"constant, saturating", retry.Policy{Multiplier: 1, Initial: math.MaxInt64 / 2}, 3, forever},
		{"saturating", retry.Policy{Max: math.MaxInt64}, 40, forever},
		{"largest int of nanoseconds", retry.Policy{Multiplier: 1, Initial: 1}, math.MaxInt, math.MaxInt},
		{"growing for ever", retry.Policy{Multiplier: barely, Max: math.MaxInt64, Initial: time.Hour}, math.MaxInt, forever},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, tt.want, tt.give.TotalWait(tt.retries))
		})
	}
}

// TestTotalWait_SlowGrowth checks the sum of delays that are still below Max after 65,536 retries. After
// that, TotalWait repeats the last delay.
func TestTotalWait_SlowGrowth(t *testing.T) {
	const summed, more = 1 << 16, 1000
	for _, multiplier := range []float64{1 + 1e-5, 1 + 1e-6} {
		p := retry.Policy{Multiplier: multiplier, Jitter: retry.None}
		var sum time.Duration
		for attempt := 1; attempt <= summed; attempt++ {
			sum += p.Delay(0, attempt)
		}
		require.Equal(t, sum, p.TotalWait(summed), "multiplier %v", multiplier)
		last := p.Delay(0, summed)
		require.Less(t, last, time.Minute)
		require.Equal(t, sum+more*last, p.TotalWait(summed+more), "multiplier %v", multiplier)
	}
}
