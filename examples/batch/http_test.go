package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
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

func TestH46_RetryAfter(t *testing.T) {
	now := time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"":                               0,
		"0":                              0,
		"7":                              7 * time.Second,
		"-7":                             0,
		"1.5":                            0,
		"soon":                           0,
		"99999999999999999999":           0,
		"Sun, 01 Mar 2026 12:00:30 GMT":  30 * time.Second,
		"Sunday, 01-Mar-26 12:00:30 GMT": 30 * time.Second,
		"Sun Mar  1 12:00:30 2026":       30 * time.Second,
		"Sun, 01 Mar 2026 11:00:00 GMT":  0,
	} {
		require.Equal(t, want, retryAfter(http.Header{"Retry-After": {value}}, now), value)
	}
}

func TestFlags(t *testing.T) {
	t.Setenv("TEST_KEY", "s3cret")
	cfg, err := parseFlags([]string{"-in", "a", "-out", "b", "-rate", "600", "-header", "Authorization: Bearer $TEST_KEY"})
	require.NoError(t, err)
	require.Equal(t, "Bearer s3cret", cfg.headers.Get("Authorization"))
	require.EqualValues(t, 60, cfg.limit.Capacity)

	for want, args := range map[string][]string{
		"-in and -out are needed":              {},
		`unexpected ["x"]`:                     {"-in", "a", "-out", "b", "x"},
		`-url "example.com"`:                   {"-in", "a", "-out", "b", "-url", "example.com"},
		`-url "http://:"`:                      {"-in", "a", "-out", "b", "-url", "http://:"},
		"Refill is 0":                          {"-in", "a", "-out", "b", "-rate", "0"},
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
