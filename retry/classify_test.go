package retry_test

import (
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/retry"
)

var (
	errPlain  = errors.New("plain")
	final     = retry.Verdict{}
	transient = retry.Verdict{Kind: retry.KindTransient}
)

func limited(wait time.Duration) retry.Verdict {
	return retry.Verdict{Kind: retry.KindRateLimited, Wait: wait}
}

// throttled is an error with the methods that Classify knows.
type throttled struct {
	limited bool
	after   time.Duration
}

func (throttled) Error() string               { return "throttled" }
func (e throttled) RateLimited() bool         { return e.limited }
func (e throttled) RetryAfter() time.Duration { return e.after }

// pointed is an error whose methods panic on a nil pointer.
type pointed struct{ after time.Duration }

func (e *pointed) Error() string             { return e.after.String() }
func (e *pointed) RetryAfter() time.Duration { return e.after }
func (e *pointed) Timeout() bool             { return e.after > 0 }
func (e *pointed) Unwrap() error             { _ = e.after; return nil }

func wrap(err error) error { return fmt.Errorf("while asking: %w", err) }

func TestClassify(t *testing.T) {
	tests := []struct {
		name string
		give error
		want retry.Verdict
	}{
		{"nil", nil, final},
		{"plain", errPlain, final},
		{"rate limited", retry.RateLimited(errPlain), limited(0)},
		{"after", retry.After(errPlain, time.Second), limited(time.Second)},
		{"after zero", retry.After(errPlain, 0), limited(0)},
		{"after a negative wait", retry.After(errPlain, -time.Second), limited(0)},
		{"after the most negative wait", retry.After(errPlain, math.MinInt64), limited(0)},
		{"after a huge wait", retry.After(errPlain, math.MaxInt64), limited(math.MaxInt64)},
		{"transient", retry.Transient(errPlain), transient},
		{"permanent", retry.Permanent(errPlain), final},
		{"method RateLimited", throttled{limited: true}, limited(0)},
		{"method RetryAfter", throttled{after: time.Second}, limited(time.Second)},
		{"both methods", throttled{true, time.Second}, limited(time.Second)},
		{"methods that return zero", throttled{}, final},
		{"method with a negative wait", throttled{after: -1}, final},
		{"pointer", &pointed{time.Second}, limited(time.Second)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, tt.want, retry.Classify(tt.give))
			if tt.give != nil {
				require.Equal(t, tt.want, retry.Classify(wrap(wrap(tt.give))), "wrapped twice")
				require.Equal(t, tt.want, retry.Classify(errors.Join(errPlain, tt.give)), "joined")
			}
		})
	}
}

func TestH50_FoundThroughWrappingAndPermanentWins(t *testing.T) {
	after := func(d time.Duration) error { return retry.After(errPlain, d) }
	tests := []struct {
		name string
		give error
		want retry.Verdict
	}{
		{"join within wrap within join", errors.Join(errPlain, wrap(errors.Join(errPlain, wrap(after(3))))), limited(3)},
		{"two verbs", fmt.Errorf("%w and %w", errPlain, after(3)), limited(3)},
		{"longest wait counts", errors.Join(after(1), wrap(after(3)), after(2)), limited(3)},
		{"longest wait counts, nested", retry.After(retry.After(errPlain, 3), 1), limited(3)},
		{"longest of marker and method", retry.After(throttled{after: 5}, 3), limited(5)},
		{"rate limited before transient", retry.Transient(wrap(retry.RateLimited(errPlain))), limited(0)},
		{"rate limited before transient, outside", retry.RateLimited(wrap(retry.Transient(errPlain))), limited(0)},
		{"permanent outside", retry.Permanent(wrap(after(3))), final},
		{"permanent inside", retry.After(wrap(retry.Permanent(errPlain)), 3), final},
		{"permanent beside", errors.Join(after(3), retry.Permanent(errPlain)), final},
		{"permanent beside, first", errors.Join(retry.Permanent(errPlain), after(3)), final},
		{"permanent against a method", retry.Permanent(throttled{true, 3}), final},
		{"permanent against transient", retry.Transient(retry.Permanent(errPlain)), final},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, tt.want, retry.Classify(tt.give))
			require.Equal(t, tt.want, retry.Network(tt.give))
			require.ErrorIs(t, tt.give, tt.give)
		})
	}
}

func TestH52_TextsAreNeverRead(t *testing.T) {
	for _, text := range []string{
		"429", "429 Too Many Requests", "rate limit exceeded", "please retry", "Retry-After: 1", "temporary failure",
		"connection reset by peer", "i/o timeout", "EOF", "context deadline exceeded",
	} {
		err := errors.New(text)
		require.Equal(t, final, retry.Classify(err), text)
		require.Equal(t, final, retry.Network(err), text)
	}
}

func TestClassify_SurvivesNilPointers(t *testing.T) {
	var nothing *pointed
	var exhausted *retry.ExhaustedError
	for _, err := range []error{nothing, exhausted, retry.Permanent(nothing), errors.Join(nothing, exhausted)} {
		require.NotPanics(t, func() {
			require.Equal(t, final, retry.Classify(err))
			require.Equal(t, final, retry.Network(err))
		})
	}
	require.Equal(t, limited(3), retry.Classify(retry.After(nothing, 3)))
}

// TestClassify_DoesNotRetryWhatHadItsRetries checks that retries do not multiply. Otherwise a retried
// call inside a retried call would make 36 attempts instead of 6.
func TestClassify_DoesNotRetryWhatHadItsRetries(t *testing.T) {
	exhausted := &retry.ExhaustedError{Attempts: 1, Errors: []error{retry.RateLimited(errPlain)}}
	require.Equal(t, final, retry.Classify(wrap(exhausted)))
	require.Equal(t, final, retry.Network(wrap(exhausted)))
	require.Equal(t, limited(3), retry.Classify(retry.After(exhausted, 3)), "unless a marker says so")

	tooLong := &retry.WaitTooLongError{Wait: 3, Err: retry.After(errPlain, 3)}
	require.Equal(t, limited(3), retry.Classify(tooLong), "it was not retried, and a more patient caller may wait")
}

func TestR4_MarkersKeepTheError(t *testing.T) {
	original := throttled{after: 7}
	for name, mark := range map[string]func(error) error{
		"RateLimited": retry.RateLimited,
		"After":       func(err error) error { return retry.After(err, time.Second) },
		"AfterAlone":  func(err error) error { return retry.AfterAlone(err, time.Second) },
		"Transient":   retry.Transient,
		"Permanent":   retry.Permanent,
	} {
		require.NoError(t, mark(nil), name)
		require.ErrorIs(t, mark(original), original, name)
		var found throttled
		require.ErrorAs(t, mark(original), &found, name)
		require.Equal(t, original, found, name)
		require.Same(t, errPlain, errors.Unwrap(mark(errPlain)), name)
	}
}

func TestMarkers_Text(t *testing.T) {
	require.EqualError(t, retry.RateLimited(errPlain), "plain (rate limited)")
	require.EqualError(t, retry.After(errPlain, 30*time.Second), "plain (retry after 30s)")
	require.EqualError(t, retry.After(errPlain, -1), "plain (rate limited)")
	require.EqualError(t, retry.AfterAlone(errPlain, 30*time.Second), "plain (retry after 30s)")
	require.EqualError(t, retry.Verdict{Kind: retry.KindTransient, Wait: time.Second}.Mark(errPlain), "plain (retry after 1s)")
	require.EqualError(t, retry.After(retry.After(errPlain, 3), 3), "plain (retry after 3ns)")
	require.EqualError(t, retry.After(errPlain, 2*time.Minute+1), "plain (retry after 2m1s)")
	require.EqualError(t, retry.Transient(errPlain), "plain")
	require.EqualError(t, retry.Permanent(errPlain), "plain")
}
