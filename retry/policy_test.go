package retry_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/retry"
)

func TestR1_ZeroPolicyIsTheDefault(t *testing.T) {
	require.Equal(t, retry.Policy{
		MaxRetries:    5,
		Initial:       time.Second,
		Max:           time.Minute,
		Multiplier:    2,
		Jitter:        0.1,
		MaxServerWait: 2 * time.Minute,
	}, retry.Policy{}.WithDefaults())
	require.Equal(t, 6, retry.Policy{}.Attempts())
	require.NoError(t, retry.Policy{}.Validate())
}

func TestWithDefaults_FieldsThatLeanOnEachOther(t *testing.T) {
	tests := []struct {
		name     string
		give     retry.Policy
		initial  time.Duration
		max      time.Duration
		jitter   float64
		attempts int
	}{
		{"long initial lifts max", retry.Policy{Initial: time.Hour}, time.Hour, time.Hour, 0.1, 6},
		{"short initial leaves max", retry.Policy{Initial: time.Nanosecond}, time.Nanosecond, time.Minute, 0.1, 6},
		{"short max lowers initial", retry.Policy{Max: time.Millisecond}, time.Millisecond, time.Millisecond, 0.1, 6},
		{"long max leaves initial", retry.Policy{Max: time.Hour}, time.Second, time.Hour, 0.1, 6},
		{"no jitter", retry.Policy{Jitter: retry.None}, time.Second, time.Minute, retry.None, 6},
		{"full jitter", retry.Policy{FullJitter: true}, time.Second, time.Minute, retry.None, 6},
		{"no retries", retry.Policy{MaxRetries: retry.None}, time.Second, time.Minute, 0.1, 1},
		{"saturating", retry.Policy{MaxRetries: math.MaxInt}, time.Second, time.Minute, 0.1, math.MaxInt},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := tt.give.WithDefaults()
			require.Equal(t, tt.initial, got.Initial)
			require.Equal(t, tt.max, got.Max)
			require.Equal(t, tt.jitter, got.Jitter)
			require.Equal(t, tt.attempts, tt.give.Attempts())
			require.Equal(t, got, got.WithDefaults(), "applied twice")
			require.NoError(t, got.Validate())
		})
	}
}

func TestH28_FaultsNameFieldValueAndRemedy(t *testing.T) {
	tests := []struct {
		give retry.Policy
		want string
	}{
		{retry.Policy{MaxRetries: -2}, "retry: Policy.MaxRetries is -2: give a positive number, 0 for the default of 5 or retry.None for no retries"},
		{retry.Policy{Initial: -1}, "retry: Policy.Initial is -1ns: give a positive duration or 0 for the default of 1s"},
		{retry.Policy{Max: math.MinInt64}, "retry: Policy.Max is -2562047h47m16.854775808s: give a positive duration or 0 for the default of 1m0s"},
		{retry.Policy{Initial: 2, Max: 1}, "retry: Policy.Max is 1ns: it must not be below Policy.Initial, which is 2ns: raise the one or lower the other"},
		{retry.Policy{Multiplier: 0.5}, "retry: Policy.Multiplier is 0.5: give a finite number of 1 or more, or 0 for the default of 2"},
		{retry.Policy{Multiplier: retry.None}, "retry: Policy.Multiplier is -1: give a finite number of 1 or more, or 0 for the default of 2"},
		{retry.Policy{Multiplier: math.NaN()}, "retry: Policy.Multiplier is NaN: give a finite number of 1 or more, or 0 for the default of 2"},
		{retry.Policy{Multiplier: math.Inf(1)}, "retry: Policy.Multiplier is +Inf: give a finite number of 1 or more, or 0 for the default of 2"},
		{retry.Policy{Jitter: 1.01}, "retry: Policy.Jitter is 1.01: give a fraction up to 1, 0 for the default of 0.1 or retry.None for no jitter"},
		{retry.Policy{Jitter: -0.1}, "retry: Policy.Jitter is -0.1: give a fraction up to 1, 0 for the default of 0.1 or retry.None for no jitter"},
		{retry.Policy{Jitter: math.NaN()}, "retry: Policy.Jitter is NaN: give a fraction up to 1, 0 for the default of 0.1 or retry.None for no jitter"},
		{retry.Policy{Jitter: math.Inf(-1)}, "retry: Policy.Jitter is -Inf: give a fraction up to 1, 0 for the default of 0.1 or retry.None for no jitter"},
		{retry.Policy{FullJitter: true, Jitter: 0.2}, "retry: Policy.Jitter is 0.2: Policy.FullJitter takes its place: leave out one of the two"},
		{retry.Policy{MaxServerWait: -2}, "retry: Policy.MaxServerWait is -2ns: give a positive duration, 0 for the default of 2m0s or retry.None to accept no server wait"},
		{retry.Policy{MaxElapsed: retry.None}, "retry: Policy.MaxElapsed is -1ns: give a positive duration or 0 for no limit"},
	}
	for _, tt := range tests {
		require.EqualError(t, tt.give.Validate(), tt.want)
	}
}

func TestValidate_ReportsEveryFaultAtOnce(t *testing.T) {
	err := retry.Policy{
		MaxRetries: -7, Initial: -1, Max: -2, Multiplier: -3, Jitter: 4, FullJitter: true, MaxServerWait: -5, MaxElapsed: -6,
	}.Validate()
	joined, ok := err.(interface{ Unwrap() []error })
	require.True(t, ok)
	require.Len(t, joined.Unwrap(), 8)
}

func TestValidate_AcceptsTheEdges(t *testing.T) {
	for _, p := range []retry.Policy{
		{MaxRetries: retry.None, Jitter: retry.None, MaxServerWait: retry.None},
		{MaxRetries: math.MaxInt, Initial: 1, Max: math.MaxInt64, Multiplier: math.MaxFloat64, Jitter: 1, MaxServerWait: math.MaxInt64, MaxElapsed: math.MaxInt64},
		{Initial: math.MaxInt64, Multiplier: 1, Jitter: math.SmallestNonzeroFloat64},
		{FullJitter: true, Jitter: retry.None},
		{Initial: time.Second, Max: time.Second},
	} {
		require.NoError(t, p.Validate(), "%#v", p)
	}
}

func TestH56_AttemptsSaturate(t *testing.T) {
	p := retry.Policy{MaxRetries: math.MaxInt, Jitter: retry.None}
	require.Equal(t, math.MaxInt, p.Attempts())
	require.Equal(t, retry.Decision{Action: retry.Again, Delay: time.Minute}, p.Decide(1, math.MaxInt, retry.Verdict{Kind: retry.KindTransient}))
}

func TestPolicy_String(t *testing.T) {
	tests := []struct {
		give retry.Policy
		want string
	}{
		{retry.Policy{}, "5 retries, 1s to 1m0s ×2 ±10%, server waits up to 2m0s"},
		{retry.Policy{MaxRetries: retry.None}, "no retries"},
		{retry.Policy{MaxRetries: 1, Jitter: retry.None, MaxServerWait: retry.None, Seed: 3}, "1 retry, 1s to 1m0s ×2, no server waits, seed 3"},
		{retry.Policy{MaxElapsed: time.Hour}, "5 retries, 1s to 1m0s ×2 ±10%, server waits up to 2m0s, the last within 1h0m0s"},
		{retry.Policy{FullJitter: true, Multiplier: 1.5}, "5 retries, 1s to 1m0s ×1.5 with full jitter, server waits up to 2m0s"},
	}
	for _, tt := range tests {
		require.Equal(t, tt.want, tt.give.String())
	}
}
