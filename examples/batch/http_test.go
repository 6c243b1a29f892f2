package main

import (
	"encoding/json"
	"flag"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry"
	"example.com/fairlead/retry/headers"
)

// serve answers every request alike, after calling f.
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

// redirect starts a server that redirects every request.
func redirect(t *testing.T, to string) (url string) {
	server := httptest.NewServer(http.RedirectHandler(to, http.StatusFound))
	t.Cleanup(server.Close)
	return server.URL
}

// TestH46_RetryAfter checks that a Retry-After in any valid form is waited for, and that an invalid one is no
// wait.
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
			_, err := new(sender).interpret(res, nil, headers.Parse(res.Header, now))
			require.True(t, retry.Classify(err).Retryable())
			require.Equal(t, want, retry.Classify(err).Wait, "%d %s", status, value)
		}
	}
}

// TestVerdicts checks which answers are retried.
func TestVerdicts(t *testing.T) {
	judge := func(status int, h http.Header, body string) retry.Verdict {
		res := &http.Response{StatusCode: status, Header: h}
		answer, err := new(sender).interpret(res, json.RawMessage(body), headers.Parse(h, time.Now()))
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
	require.Equal(t, retry.KindFinal, judge(429, later, `{"error":{"code":"insufficient_quota"}}`).Kind, "waiting does not bring credit")
	require.Equal(t, retry.KindFinal, judge(429, later, `{"error":{"type":"insufficient_quota","code":null}}`).Kind)
}

func TestFlags(t *testing.T) {
	t.Setenv("TEST_KEY", "s3cret")
	cfg, err := parseFlags([]string{"-in", "a", "-out", "b", "-rpm", "600", "-header", "Authorization: Bearer $TEST_KEY"})
	require.NoError(t, err)
	require.Equal(t, "Bearer s3cret", cfg.headers.Get("Authorization"))
	require.Equal(t, bucket.Limits{requestBudget: bucket.PerMinute(600).Burst(60)}, cfg.limits())

	for want, args := range map[string][]string{
		"-in and -out are needed":                                                         {},
		`unexpected arguments ["x"]`:                                                      {"-in", "a", "-out", "b", "x"},
		"-url: it can't be parsed, and is not shown":                                      {"-in", "a", "-out", "b", "-url", "https://me:s3cret/x@h/"},
		"-url: it can't be parsed, and is not shown,":                                     {"-in", "a", "-out", "b", "-url", "https://h:s3cret/"},
		`-url "example.com?key=…"`:                                                        {"-in", "a", "-out", "b", "-url", "example.com?key=s3cret"},
		`-url "localhost:8080": its scheme is missing: begin it with https:// or http://`: {"-in", "a", "-out", "b", "-url", "localhost:8080"},
		`-url "127.0.0.1:8080/v1": its scheme is missing`:                                 {"-in", "a", "-out", "b", "-url", "127.0.0.1:8080/v1"},
		`-url "…@example.com:80": its scheme is missing`:                                  {"-in", "a", "-out", "b", "-url", "me:s3cret@example.com:80"},
		`-url "ftp://example.com": it must be like`:                                       {"-in", "a", "-out", "b", "-url", "ftp://example.com"},
		`-url "http://:"`:                                                                 {"-in", "a", "-out", "b", "-url", "http://:"},
		`"0" for flag -rpm: it must be a whole number from 1 on, or auto`:                 {"-in", "a", "-out", "b", "-rpm", "0"},
		`"-5" for flag -tpm: it must be a whole number from 0 on, or auto`:                {"-in", "a", "-out", "b", "-tpm", "-5"},
		"-burst -1: it must be at least 0":                                                {"-in", "a", "-out", "b", "-rpm", "auto", "-burst", "-1"},
		"-token-burst -1: it must be at least 0":                                          {"-in", "a", "-out", "b", "-tpm", "1", "-token-burst", "-1"},
		"-token-burst 5: it needs -tpm":                                                   {"-in", "a", "-out", "b", "-token-burst", "5"},
		"-in-flight 0: it must be at least 1":                                             {"-in", "a", "-out", "b", "-in-flight", "0"},
		"-retries -2: it must be at least 0":                                              {"-in", "a", "-out", "b", "-retries", "-2"},
		`"often" for flag -retries: it must be a whole number`:                            {"-in", "a", "-out", "b", "-retries", "often"},
		"for flag -retries: it must be a whole number":                                    {"-in", "a", "-out", "b", "-retries", "99999999999999999999"},
		"-timeout -1s: it must be positive":                                               {"-in", "a", "-out", "b", "-timeout", "-1s"},
		`"5" for flag -timeout: it must be a duration, such as 30s or 1h30m`:              {"-in", "a", "-out", "b", "-timeout", "5"},
		`"perhaps" for -again: it must be true or false`:                                  {"-in", "a", "-out", "b", "-again=perhaps"},
		"-backoff 0s: it must be positive":                                                {"-in", "a", "-out", "b", "-backoff", "0"},
		"-max-backoff 1s: it must be at least -backoff, which is 2s":                      {"-in", "a", "-out", "b", "-backoff", "2s", "-max-backoff", "1s"},
		"-max-server-wait -1s: it must not be negative":                                   {"-in", "a", "-out", "b", "-max-server-wait", "-1s"},
		"-drain -1s: it must not be negative":                                             {"-in", "a", "-out", "b", "-drain", "-1s"},
		"-max-answer 0: it must be from 1 to 128":                                         {"-in", "a", "-out", "b", "-max-answer", "0"},
		"-max-answer 129: it must be from 1":                                              {"-in", "a", "-out", "b", "-max-answer", "9223372036854775807"},
		"-max-answer -1: it must be from 1":                                               {"-in", "a", "-out", "b", "-max-answer", "-1"},
		"provided but not defined: -rate":                                                 {"-in", "a", "-out", "b", "-rate", "5"},
		"flag needs an argument: -out":                                                    {"-in", "a", "-out"},
		"-header X: not set in the environment: TEST_UNSET_KEY":                           {"-in", "a", "-out", "b", "-header", "X: $TEST_UNSET_KEY"},
		"-header: it has no colon":                                                        {"-in", "a", "-out", "b", "-header", "Bearer s3cret"},
		`-header "X Y": a header name has only letters`:                                   {"-in", "a", "-out", "b", "-header", "X Y: s3cret"},
		`-header "": a header name has only letters`:                                      {"-in", "a", "-out", "b", "-header", ": s3cret"},
		`-header X: its value has a control character, '\r', at byte 7 of 8`:              {"-in", "a", "-out", "b", "-header", "X: s3cret\rx"},
		"2 arguments belong to no flag: put what follows -header in quotes":               {"-in", "a", "-out", "b", "-header", "X:", "Bearer", "s3cret"},
		"-in-flight 0: it must be at least 1; -retries -2: it must":                       {"-in", "a", "-out", "b", "-in-flight", "0", "-retries", "-2"},
	} {
		_, err := parseFlags(args)
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "\n", "one line")
		require.NotContains(t, err.Error(), "s3cret")
	}

	cfg, err = parseFlags([]string{"-in", "a", "-out", "b", "-max-server-wait", "0"})
	require.NoError(t, err)
	require.Equal(t, time.Duration(retry.None), cfg.policy.MaxServerWait, "and not the default")
}

// TestHelp checks that every flag is in exactly one section of the help.
func TestHelp(t *testing.T) {
	var grouped, defined []string
	for _, group := range flagGroups {
		grouped = append(grouped, group.flags...)
	}
	fs, _ := new(config).flags()
	fs.VisitAll(func(f *flag.Flag) { defined = append(defined, f.Name) })
	require.ElementsMatch(t, defined, grouped)
	require.Contains(t, help(), "\nBudgets\n  -rpm requests\n        requests a minute, retries included, or auto (default 60)\n")
	for line := range strings.Lines(help()) {
		require.LessOrEqual(t, len([]rune(line)), 160, line)
	}
}
