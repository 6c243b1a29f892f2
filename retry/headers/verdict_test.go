package headers_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/retry"
	"example.com/fairlead/retry/headers"
)

func TestVerdict(t *testing.T) {
	const (
		github     = "X-RateLimit-Limit: 60\nX-RateLimit-Resource: core\n"
		exhausted  = "X-RateLimit-Remaining: 0\nX-RateLimit-Reset: 90\n"
		left       = "X-RateLimit-Remaining: 5\nX-RateLimit-Reset: 90\n"
		retryAfter = "Retry-After: 7\n"
		dont       = "X-Should-Retry: false\n"
		do         = "X-Should-Retry: true\n"
	)
	final, transient := retry.Verdict{}, retry.Verdict{Kind: retry.KindTransient}
	limited := func(wait time.Duration) retry.Verdict {
		return retry.Verdict{Kind: retry.KindRateLimited, Wait: wait}
	}
	for _, tt := range []struct {
		name   string
		status int
		lines  string
		want   retry.Verdict
	}{
		{"success", 200, "", final},
		{"success, the last one", 200, exhausted + retryAfter, final},
		{"redirect with a wait", 301, retryAfter, final},
		{"success that asks for more", 200, do, final},

		{"429", 429, "", limited(0)},
		{"429 with a wait", 429, retryAfter, limited(7 * time.Second)},
		{"429: Retry-After goes first", 429, retryAfter + exhausted, limited(7 * time.Second)},
		{"429, exhausted", 429, exhausted, limited(90 * time.Second)},
		{"429, one of two exhausted", 429, exhausted + `RateLimit: "p";r=1;t=500`, limited(90 * time.Second)},
		{"429, both exhausted", 429, exhausted + `RateLimit: "p";r=0;t=500`, limited(500 * time.Second)},
		{"429, exhausted beside unknown", 429, exhausted + `RateLimit: limit=9, reset=500`, limited(90 * time.Second)},
		{"429, none exhausted", 429, left, limited(0)},
		{"429, unknown what remains", 429, "X-RateLimit-Reset: 90", limited(90 * time.Second)},
		{"429, reset has passed", 429, "X-RateLimit-Remaining: 0\nX-RateLimit-Reset: 1772366399", limited(0)},
		{"429, huge", 429, "Retry-After: 99999999999999999", limited(forever)},
		{"429, don't", 429, dont + retryAfter, final},
		{"429, pushed back", 429, "Grpc-Retry-Pushback-Ms: -1", final},

		{"403", 403, "", final},
		{"403, some left", 403, github + left, final},
		{"403, don't", 403, github + exhausted + dont, final},
		{"GitHub's primary limit", 403, github + exhausted, limited(90 * time.Second)},
		{"GitHub's primary limit, reset unknown", 403, github + "X-RateLimit-Remaining: 0", limited(time.Minute)},
		{"GitHub's secondary limit, Retry-After", 403, github + left + retryAfter, limited(7 * time.Second)},
		{"GitHub's secondary limit, reset", 429, github + exhausted, limited(90 * time.Second)},
		{"GitHub's secondary limit, nothing said", 429, github + left, limited(time.Minute)},

		{"Anthropic overloaded", 529, "", transient},
		{"Anthropic overloaded, with a wait", 529, retryAfter, limited(7 * time.Second)},
		{"unavailable", 503, "", transient},
		{"unavailable, with a wait", 503, retryAfter, limited(7 * time.Second)},
		{"unavailable, exhausted", 503, exhausted, transient},
		{"unavailable, don't", 503, dont, final},
		{"internal error", 500, "", transient},
		{"bad gateway", 502, "", transient},
		{"timeout", 408, "", transient},
		{"too early", 425, "", transient},
		{"too large", 413, "", final},
		{"too large for now", 413, retryAfter, limited(7 * time.Second)},
		{"not implemented", 501, "", final},
		{"HTTP version", 505, "", final},
		{"captive portal", 511, "", final},
		{"not found", 404, retryAfter + exhausted, final},
		{"bad request", 400, "", final},
		{"bad request, but do", 400, do, transient},
		{"conflict, do, with a wait", 409, do + retryAfter, limited(7 * time.Second)},
		{"no status", 0, retryAfter, final},
		{"no such status", 999, "", final},
	} {
		t.Run(tt.name, func(t *testing.T) {
			seen := headers.Parse(fields(tt.lines), now)
			require.Equal(t, tt.want, seen.Verdict(tt.status))
			require.Equal(t, tt.want, retry.Classify(seen.Mark(tt.status, errors.New("refused"))))
		})
	}
}

func TestWait(t *testing.T) {
	for lines, want := range map[string]time.Duration{
		"":               0,
		"Retry-After: 7": 7 * time.Second,
		"Retry-After: 7\nX-RateLimit-Remaining: 0\nX-RateLimit-Reset: 90": 7 * time.Second,
		"X-RateLimit-Remaining: 0\nX-RateLimit-Reset: 90":                 90 * time.Second,
		"X-RateLimit-Remaining: 0\nX-RateLimit-Reset: 1772366000":         0,
		"X-RateLimit-Remaining: 0\nX-RateLimit-Reset: 999999999999999":    forever,
		"X-RateLimit-Remaining: 1\nX-RateLimit-Reset: 90":                 0,
		"X-RateLimit-Reset: 90":                                           0,
		"X-RateLimit-Remaining: 0":                                        0,
		`RateLimit: "p";r=0;t=5, "q";r=0;t=9, "r";r=1;t=20`:               9 * time.Second,
	} {
		require.Equal(t, want, headers.Parse(fields(lines), now).Wait(), lines)
	}
}

func TestMark(t *testing.T) {
	refused := errors.New("refused")
	for _, status := range []int{200, 404, 429, 503} {
		var seen headers.Observations
		require.NoError(t, seen.Mark(status, nil))
		require.ErrorIs(t, seen.Mark(status, refused), refused)
	}
	require.Same(t, refused, headers.Observations{}.Mark(404, refused), "a final error is not marked")

	seen := headers.Observations{NoRetry: true}
	err := seen.Mark(404, retry.After(refused, time.Second))
	require.Equal(t, retry.Verdict{}, retry.Classify(err), "NoRetry wins over other markers")
	quota := retry.Permanent(errors.New("insufficient_quota"))
	require.Equal(t, retry.Verdict{}, retry.Classify(headers.Observations{RetryAfter: 1}.Mark(429, quota)), "Permanent wins over the header")
}
