package retry_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/retry"
)

// TestH65_NothingOfAVerdictIsLost checks that classifiers find the whole verdict of Mark, through any
// wrapping.
func TestH65_NothingOfAVerdictIsLost(t *testing.T) {
	for _, kind := range []retry.Kind{retry.KindFinal, retry.KindTransient, retry.KindRateLimited, 9} {
		for _, alone := range []bool{false, true} {
			for _, wait := range []time.Duration{-1, 0, 2 * time.Second} {
				for _, budget := range []string{"", "tokens"} {
					give := retry.Verdict{Kind: kind, Alone: alone, Wait: wait, Budget: budget}
					want := give
					want.Wait = max(0, wait)
					if !give.Retryable() {
						want = retry.Verdict{}
					}
					for _, err := range []error{give.Mark(errPlain), wrap(give.Mark(wrap(errPlain))), errors.Join(errPlain, give.Mark(errPlain))} {
						got, ok := retry.Marked(err)
						require.True(t, ok, "%#v", give)
						require.Equal(t, want, got)
						require.Equal(t, want, retry.Classify(err))
						require.Equal(t, want, retry.Network(err))
						require.ErrorIs(t, err, errPlain)
					}
					require.NoError(t, give.Mark(nil))
				}
			}
		}
	}
}

func TestMarked_SaysNothing(t *testing.T) {
	for _, err := range []error{nil, errPlain, wrap(throttled{}), &retry.ExhaustedError{Errors: []error{retry.After(errPlain, 3)}}} {
		v, ok := retry.Marked(err)
		require.False(t, ok)
		require.Zero(t, v)
	}
}

func TestMarked_Several(t *testing.T) {
	alone := func(d time.Duration) error { return retry.AfterAlone(errPlain, d) }
	of := func(budget string, d time.Duration) error {
		return retry.Verdict{Kind: retry.KindRateLimited, Wait: d, Budget: budget}.Mark(errPlain)
	}
	limited := func(d time.Duration, alone bool, budget string) retry.Verdict {
		return retry.Verdict{Kind: retry.KindRateLimited, Wait: d, Alone: alone, Budget: budget}
	}
	tests := []struct {
		name string
		give error
		want retry.Verdict
	}{
		{"both alone", errors.Join(alone(1), alone(3)), limited(3, true, "")},
		{"one for all", errors.Join(alone(3), retry.After(errPlain, 1)), limited(3, false, "")},
		{"one for all, around", retry.After(alone(3), 1), limited(3, false, "")},
		{"one for all, inside", retry.AfterAlone(retry.After(errPlain, 1), 3), limited(3, false, "")},
		{"transient around", retry.Transient(alone(3)), limited(3, true, "")},
		{"rate limited without a wait, around", retry.RateLimited(alone(3)), limited(3, true, "")},
		{"a transient wait is a wait", errors.Join(alone(1), retry.Verdict{Kind: retry.KindTransient, Wait: 3}.Mark(errPlain)), limited(3, false, "")},
		{"without any wait, both", errors.Join(alone(0), retry.RateLimited(errPlain)), limited(0, false, "")},
		{"without any wait, transient", errors.Join(alone(0), retry.Transient(errPlain)), limited(0, true, "")},
		{"one budget", errors.Join(of("tokens", 1), of("tokens", 3)), limited(3, false, "tokens")},
		{"two budgets", errors.Join(of("tokens", 1), of("requests", 3)), limited(3, false, "")},
		{"a budget and any", errors.Join(of("tokens", 1), retry.After(errPlain, 3)), limited(3, false, "")},
		{"three", errors.Join(of("tokens", 1), of("requests", 1), of("requests", 1)), limited(1, false, "")},
		{"a method inside", retry.AfterAlone(throttled{true, 5}, 3), limited(5, true, "")},
		{"a method beside", errors.Join(alone(3), throttled{after: 5}), limited(5, false, "")},
		{"a method after one inside", errors.Join(retry.AfterAlone(throttled{after: 5}, 3), throttled{after: 4}), limited(5, false, "")},
		{"permanent", retry.Permanent(alone(3)), final},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v, ok := retry.Marked(tt.give)
			require.True(t, ok)
			require.Equal(t, tt.want, v)
		})
	}
}

func TestVerdict_String(t *testing.T) {
	v := retry.Verdict{Kind: retry.KindRateLimited, Alone: true, Wait: 30 * time.Second, Budget: "tokens"}
	require.Equal(t, `rate limited, retry after 30s, this call alone, budget "tokens"`, v.String())
	v.Kind = retry.KindFinal
	require.Equal(t, "final", v.String(), "a final verdict has no details")
	require.EqualError(t, v.Mark(errPlain), "plain")
}
