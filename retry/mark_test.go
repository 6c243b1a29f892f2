package retry_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/retry"
)

// scopes are all scopes, from narrow to wide.
var scopes = []retry.Scope{retry.ScopeCall, retry.ScopeKey, retry.ScopeDefault, retry.ScopeAll}

// TestH65_NothingOfAVerdictIsLost checks that classifiers find the whole verdict of Mark, through any
// wrapping.
func TestH65_NothingOfAVerdictIsLost(t *testing.T) {
	for _, kind := range []retry.Kind{retry.KindFinal, retry.KindTransient, retry.KindRateLimited, 9} {
		for _, scope := range scopes {
			for _, wait := range []time.Duration{-1, 0, 2 * time.Second} {
				for _, budget := range []string{"", "tokens"} {
					give := retry.Verdict{Kind: kind, Scope: scope, Wait: wait, Budget: budget}
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
	limited := func(d time.Duration, scope retry.Scope, budget string) retry.Verdict {
		return retry.Verdict{Kind: retry.KindRateLimited, Wait: d, Scope: scope, Budget: budget}
	}
	tests := []struct {
		name string
		give error
		want retry.Verdict
	}{
		{"both alone", errors.Join(alone(1), alone(3)), limited(3, retry.ScopeCall, "")},
		{"one for all", errors.Join(alone(3), retry.After(errPlain, 1)), limited(3, retry.ScopeDefault, "")},
		{"one for all, around", retry.After(alone(3), 1), limited(3, retry.ScopeDefault, "")},
		{"one for all, inside", retry.AfterAlone(retry.After(errPlain, 1), 3), limited(3, retry.ScopeDefault, "")},
		{"transient around", retry.Transient(alone(3)), limited(3, retry.ScopeCall, "")},
		{"rate limited without a wait, around", retry.RateLimited(alone(3)), limited(3, retry.ScopeCall, "")},
		{"a transient wait is a wait", errors.Join(alone(1), retry.Verdict{Kind: retry.KindTransient, Wait: 3}.Mark(errPlain)), limited(3, retry.ScopeDefault, "")},
		{"without any wait, both", errors.Join(alone(0), retry.RateLimited(errPlain)), limited(0, retry.ScopeDefault, "")},
		{"without any wait, transient", errors.Join(alone(0), retry.Transient(errPlain)), limited(0, retry.ScopeCall, "")},
		{"one budget", errors.Join(of("tokens", 1), of("tokens", 3)), limited(3, retry.ScopeDefault, "tokens")},
		{"two budgets", errors.Join(of("tokens", 1), of("requests", 3)), limited(3, retry.ScopeDefault, "")},
		{"a budget and any", errors.Join(of("tokens", 1), retry.After(errPlain, 3)), limited(3, retry.ScopeDefault, "")},
		{"three", errors.Join(of("tokens", 1), of("requests", 1), of("requests", 1)), limited(1, retry.ScopeDefault, "")},
		{"a method inside", retry.AfterAlone(throttled{true, 5}, 3), limited(5, retry.ScopeCall, "")},
		{"a method beside", errors.Join(alone(3), throttled{after: 5}), limited(5, retry.ScopeDefault, "")},
		{"a method after one inside", errors.Join(retry.AfterAlone(throttled{after: 5}, 3), throttled{after: 4}), limited(5, retry.ScopeDefault, "")},
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

// TestMarked_WidestScope checks each pair of scopes, in each way that two markers can be in one error.
func TestMarked_WidestScope(t *testing.T) {
	mark := func(scope retry.Scope, err error) error {
		return retry.Verdict{Kind: retry.KindRateLimited, Wait: 3, Scope: scope}.Mark(err)
	}
	for i, narrow := range scopes {
		for _, wide := range scopes[i:] {
			for _, err := range []error{
				mark(narrow, mark(wide, errPlain)), mark(wide, mark(narrow, errPlain)),
				errors.Join(mark(narrow, errPlain), mark(wide, errPlain)), errors.Join(mark(wide, errPlain), mark(narrow, errPlain)),
				mark(wide, retry.RateLimited(errPlain)), retry.RateLimited(mark(wide, errPlain)),
			} {
				require.Equal(t, wide, retry.Classify(err).Scope, "%v and %v", narrow, wide)
			}
		}
		without := retry.Verdict{Kind: retry.KindTransient, Scope: narrow}.Mark(errPlain)
		require.Equal(t, narrow, retry.Classify(retry.Transient(without)).Scope, "also without a wait")
		require.Equal(t, narrow, retry.Classify(mark(narrow, throttled{after: 5})).Scope, "a marker wins over a method inside")
	}
}

func TestVerdict_String(t *testing.T) {
	v := retry.Verdict{Kind: retry.KindRateLimited, Scope: retry.ScopeCall, Wait: 30 * time.Second, Budget: "tokens"}
	require.Equal(t, `rate limited, retry after 30s, this call alone, budget "tokens"`, v.String())
	v.Kind = retry.KindFinal
	require.Equal(t, "final", v.String(), "a final verdict has no details")
	require.EqualError(t, v.Mark(errPlain), "plain")
}
