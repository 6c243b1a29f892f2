package main

import (
	"encoding/json"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry"
	"example.com/fairlead/retry/headers"
)

// serve answers every request the same, after calling f.
func serve(t *testing.T, status int, body string, f func()) (url string) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if f != nil {
			f()
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// redirect sends every request on to another place.
func redirect(t *testing.T, to string) (url string) {
	server := httptest.NewServer(http.RedirectHandler(to, http.StatusFound))
	t.Cleanup(server.Close)
	return server.URL
}

// TestH46_RetryAfter: whatever a server says about when to come back, it is waited for as it
// was meant, and nonsense is no wait.
func TestH46_RetryAfter(t *testing.T) {
	now := time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"":                               0,
		"0":                              0,
		"7":                              7 * time.Second,
		"-7":                             0,
		"1.5":                            1500 * time.Millisecond,
		"soon":                           0,
		"99999999999999999999":           math.MaxInt64,
		"Sun, 01 Mar 2026 12:00:30 GMT":  30 * time.Second,
		"Sunday, 01-Mar-26 12:00:30 GMT": 30 * time.Second,
		"Sun Mar  1 12:00:30 2026":       30 * time.Second,
		"Sun, 01 Mar 2026 11:00:00 GMT":  0,
	} {
		for _, status := range []int{429, 503} {
			res := &http.Response{StatusCode: status, Header: http.Header{"Retry-After": {value}}}
			_, err := new(sender).judge(res, nil, headers.Parse(res.Header, now))
			require.True(t, retry.Classify(err).Retryable())
			require.Equal(t, want, retry.Classify(err).Wait, "%d %s", status, value)
		}
	}
}

// TestVerdicts: what is retried, and what is not.
func TestVerdicts(t *testing.T) {
	judge := func(status int, h http.Header, body string) retry.Verdict {
		res := &http.Response{StatusCode: status, Header: h}
		answer, err := new(sender).judge(res, json.RawMessage(body), headers.Parse(h, time.Now()))
		require.Equal(t, status/100 == 2, answer != nil)
		require.Equal(t, status/100 == 2, err == nil)
		return retry.Classify(err)
	}
	for _, status := range []int{301, 400, 401, 403, 404, 501} {
		require.Equal(t, retry.KindFinal, judge(status, nil, `{}`).Kind, status)
	}
	for _, status := range []int{408, 500, 502, 503, 529} {
		require.Equal(t, retry.KindTransient, judge(status, nil, `{}`).Kind, status)
	}
	require.Equal(t, retry.KindRateLimited, judge(429, nil, `{}`).Kind)
	require.Equal(t, retry.KindFinal, judge(429, http.Header{"X-Should-Retry": {"false"}}, `{}`).Kind)
	later := http.Header{"Retry-After": {"5"}}
	require.Equal(t, retry.KindFinal, judge(429, later, `{"error":{"code":"insufficient_quota"}}`).Kind, "waiting doesn't pay bills")
	require.Equal(t, retry.KindFinal, judge(429, later, `{"error":{"type":"insufficient_quota","code":null}}`).Kind)
}

func TestFlags(t *testing.T) {
	t.Setenv("TEST_KEY", "s3cret")
	cfg, err := parseFlags([]string{"-in", "a", "-out", "b", "-rpm", "600", "-header", "Authorization: Bearer $TEST_KEY"})
	require.NoError(t, err)
	require.Equal(t, "Bearer s3cret", cfg.headers.Get("Authorization"))
	require.Equal(t, bucket.Limits{requestBudget: bucket.PerMinute(600).Burst(60)}, cfg.limits())

	for want, args := range map[string][]string{
		"-in and -out are needed":              {},
		`unexpected ["x"]`:                     {"-in", "a", "-out", "b", "x"},
		`-url "example.com"`:                   {"-in", "a", "-out", "b", "-url", "example.com"},
		`-url "http://:"`:                      {"-in", "a", "-out", "b", "-url", "http://:"},
		"requests: ":                           {"-in", "a", "-out", "b", "-rpm", "0"},
		"Refill is 0":                          {"-in", "a", "-out", "b", "-rpm", "0"},
		"tokens: ":                             {"-in", "a", "-out", "b", "-tpm", "-5"},
		"Capacity is -1":                       {"-in", "a", "-out", "b", "-rpm", "auto", "-burst", "-1"},
		"-token-burst 5: it needs -tpm":        {"-in", "a", "-out", "b", "-token-burst", "5"},
		"-in-flight 0":                         {"-in", "a", "-out", "b", "-in-flight", "0"},
		"MaxRetries":                           {"-in", "a", "-out", "b", "-retries", "-2"},
		"-timeout -1s: it must be positive":    {"-in", "a", "-out", "b", "-timeout", "-1s"},
		"-drain -1s: it must not be negative":  {"-in", "a", "-out", "b", "-drain", "-1s"},
		"the command line is wrong, see above": {"-in", "a", "-out", "b", "-header", "X: $TEST_UNSET_KEY"},
	} {
		_, err := parseFlags(args)
		require.ErrorContains(t, err, want)
	}
}
