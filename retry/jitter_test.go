package retry_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/retry"
)

// TestR3_PinnedDelays checks that no change of the hash, the compiler or the machine changes a replay.
func TestR3_PinnedDelays(t *testing.T) {
	p := retry.Policy{Seed: 7}
	var got []time.Duration
	for attempt := 1; attempt <= 5; attempt++ {
		got = append(got, p.Delay(42, attempt))
	}
	got = append(got,
		p.ServerWait(42, 1, 30*time.Second),
		retry.Policy{FullJitter: true}.Delay(1, 1),
		retry.Policy{Multiplier: 1.7, Jitter: 0.3}.Delay(1, 4),
	)
	require.Equal(t, []time.Duration{
		999_539_333, 2_164_018_065, 4_263_749_772, 7_708_893_880, 17_158_545_126,
		31_778_673_217, 971_102_083, 3_949_018_336,
	}, got)
}

func TestR3_OrderOfQuestionsChangesNothing(t *testing.T) {
	p := retry.Policy{Seed: 3}
	var forwards, backwards []time.Duration
	for call := range uint64(100) {
		forwards = append(forwards, p.Delay(call, 2))
	}
	for call := range uint64(100) {
		backwards = append(backwards, p.Delay(99-call, 2))
	}
	slices.Reverse(backwards)
	require.Equal(t, forwards, backwards)
}

// TestR2_JitterIsReflectedAtMax checks the jitter of a delay at Max. Half of the results of ±50% would be
// above Max. Reflected, they fill the range below evenly.
func TestR2_JitterIsReflectedAtMax(t *testing.T) {
	const calls, bins = 20_000, 10
	p := retry.Policy{Jitter: 0.5, Initial: time.Minute, Max: time.Minute}
	var histogram [bins]int
	atMax := 0
	for call := range uint64(calls) {
		d := p.Delay(call, 1)
		require.GreaterOrEqual(t, d, 30*time.Second)
		require.LessOrEqual(t, d, time.Minute)
		if d == time.Minute {
			atMax++
			continue
		}
		histogram[(d-30*time.Second)*bins/(30*time.Second)]++
	}
	require.LessOrEqual(t, atMax, 1)
	for _, n := range histogram {
		require.InEpsilon(t, calls/bins, n, 0.1)
	}
}

func TestR2_JitterFillsItsRange(t *testing.T) {
	tests := []struct {
		name      string
		give      retry.Policy
		low, high time.Duration // of the first delay
	}{
		{"default", retry.Policy{}, 900 * time.Millisecond, 1100 * time.Millisecond},
		{"whole", retry.Policy{Jitter: 1}, 0, 2 * time.Second},
		{"full", retry.Policy{FullJitter: true}, 0, time.Second},
		{"full at the cap", retry.Policy{FullJitter: true, Initial: time.Hour}, 0, time.Hour},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			const calls = 20_000
			var low, high time.Duration = math.MaxInt64, 0
			var sum float64
			for call := range uint64(calls) {
				d := tt.give.Delay(call, 1)
				low, high = min(low, d), max(high, d)
				sum += float64(d)
			}
			width := tt.high - tt.low
			require.GreaterOrEqual(t, low, tt.low)
			require.LessOrEqual(t, high, tt.high)
			require.Less(t, low, tt.low+width/100)
			require.Greater(t, high, tt.high-width/100)
			require.InDelta(t, float64(tt.low+tt.high)/2, sum/calls, float64(width)/100)
		})
	}
}

// TestR3_NeighboursAreUncorrelated checks that delays of neighboring calls, attempts and seeds, and of the
// two purposes of one attempt, are unrelated. Otherwise calls that fail together would retry together.
func TestR3_NeighboursAreUncorrelated(t *testing.T) {
	p := retry.Policy{FullJitter: true, Multiplier: 1}
	q := retry.Policy{FullJitter: true, Multiplier: 1, Seed: 1}
	tests := []struct {
		name string
		pair func(i int) (a, b time.Duration)
	}{
		{"calls", func(i int) (a, b time.Duration) { return p.Delay(uint64(i), 1), p.Delay(uint64(i+1), 1) }},
		{"attempts", func(i int) (a, b time.Duration) { return p.Delay(5, i), p.Delay(5, i+1) }},
		{"attempts of all calls", func(i int) (a, b time.Duration) { return p.Delay(uint64(i), 1), p.Delay(uint64(i), 2) }},
		{"call and attempt swapped", func(i int) (a, b time.Duration) { return p.Delay(uint64(i+2), 1), p.Delay(1, i+2) }},
		{"seeds", func(i int) (a, b time.Duration) { return p.Delay(uint64(i), 1), q.Delay(uint64(i), 1) }},
		{"purposes", func(i int) (a, b time.Duration) {
			return p.Delay(uint64(i), 1), p.ServerWait(uint64(i), 1, 10*time.Second)
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			const n = 20_000
			var a, b [n]float64
			for i := range n {
				x, y := tt.pair(i + 1)
				a[i], b[i] = x.Seconds(), y.Seconds()
			}
			require.Less(t, math.Abs(correlation(a[:], b[:])), 0.035, "five sigma of chance")
		})
	}
}

// correlation returns Pearson's coefficient.
func correlation(a, b []float64) float64 {
	mean := func(v []float64) (m float64) {
		for _, x := range v {
			m += x / float64(len(v))
		}
		return m
	}
	ma, mb := mean(a), mean(b)
	var ab, aa, bb float64
	for i := range a {
		ab += (a[i] - ma) * (b[i] - mb)
		aa += (a[i] - ma) * (a[i] - ma)
		bb += (b[i] - mb) * (b[i] - mb)
	}
	return ab / math.Sqrt(aa*bb)
}
