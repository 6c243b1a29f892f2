package headers_test

import (
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/retry/headers"
)

// now is 1772366400 seconds after 1970.
var now = time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)

const forever = time.Duration(math.MaxInt64)

func in(d time.Duration) time.Time { return now.Add(d) }

// fields parses header lines and spells the names as net/http does.
func fields(lines string) http.Header {
	h := http.Header{}
	for line := range strings.SplitSeq(lines, "\n") {
		if name, value, ok := strings.Cut(line, ":"); ok {
			h.Add(strings.TrimSpace(name), value)
		}
	}
	return h
}

type example struct {
	name  string
	lines string
	want  headers.Observations
}

func run(t *testing.T, examples []example) {
	for _, tt := range examples {
		t.Run(tt.name, func(t *testing.T) {
			tt.want.At = now
			require.Equal(t, tt.want, headers.Parse(fields(tt.lines), now))
		})
	}
}

// TestParse_InTheWild checks headers that servers are documented to send or were seen to send.
func TestParse_InTheWild(t *testing.T) {
	run(t, []example{
		{"nothing", "Content-Type: text/html\nDate: Sun, 01 Mar 2026 12:00:00 GMT", headers.Observations{}},
		{"RFC 9110: seconds", "Retry-After: 120", headers.Observations{RetryAfter: 2 * time.Minute}},
		{"RFC 9110: IMF-fixdate", "Retry-After: Sun, 01 Mar 2026 12:00:30 GMT", headers.Observations{RetryAfter: 30 * time.Second}},
		{"RFC 9110: RFC 850", "Retry-After: Sunday, 01-Mar-26 12:00:30 GMT", headers.Observations{RetryAfter: 30 * time.Second}},
		{"RFC 9110: asctime", "Retry-After: Sun Mar  1 12:00:30 2026", headers.Observations{RetryAfter: 30 * time.Second}},
		{"OpenAI", `
			x-ratelimit-limit-requests: 60
			x-ratelimit-limit-tokens: 150000
			x-ratelimit-remaining-requests: 59
			x-ratelimit-remaining-tokens: 149984
			x-ratelimit-reset-requests: 1s
			x-ratelimit-reset-tokens: 6m0s`,
			headers.Observations{Budgets: []headers.Budget{
				{Name: "requests", Limit: 60, Remaining: 59, Reset: in(time.Second)},
				{Name: "tokens", Limit: 150000, Remaining: 149984, Reset: in(6 * time.Minute)},
			}}},
		{"OpenAI: soon", "x-ratelimit-reset-requests: 12ms\nx-ratelimit-reset-tokens: 1h2m59.56s",
			headers.Observations{Budgets: []headers.Budget{
				{Name: "requests", Limit: -1, Remaining: -1, Reset: in(12 * time.Millisecond)},
				{Name: "tokens", Limit: -1, Remaining: -1, Reset: in(time.Hour + 2*time.Minute + 59560*time.Millisecond)},
			}}},
		{"OpenAI: come back", "retry-after-ms: 1337\nretry-after: 2\nx-should-retry: true",
			headers.Observations{RetryAfter: 1337 * time.Millisecond, ShouldRetry: true}},
		{"OpenAI: don't", "x-should-retry: false", headers.Observations{NoRetry: true}},
		{"Azure OpenAI", `
			x-ratelimit-limit-tokens: 150000
			x-ratelimit-remaining-tokens: 0
			x-ratelimit-reset-tokens: 60
			x-ratelimit-remaining-requests: -1
			x-ratelimit-limit-requests: -1
			x-ratelimit-reset-requests: -1
			x-ms-retry-after-ms: 59800
			retry-after: 60`,
			headers.Observations{RetryAfter: 59800 * time.Millisecond, Budgets: []headers.Budget{
				{Name: "tokens", Limit: 150000, Remaining: 0, Reset: in(time.Minute)},
			}}},
		{"Azure OpenAI: remaining unknown", "x-ratelimit-remaining-tokens: -1\nx-ratelimit-reset-tokens: 10",
			headers.Observations{Budgets: []headers.Budget{{Name: "tokens", Limit: -1, Remaining: -1, Reset: in(10 * time.Second)}}}},
		{"Azure: order", "retry-after: 3\nx-ms-retry-after-ms: 2000\nretry-after-ms: 1000", headers.Observations{RetryAfter: time.Second}},
		{"Anthropic", `
			anthropic-ratelimit-requests-limit: 50
			anthropic-ratelimit-requests-remaining: 49
			anthropic-ratelimit-requests-reset: 2026-03-01T12:00:02Z
			anthropic-ratelimit-tokens-limit: 48000
			anthropic-ratelimit-tokens-remaining: 47000
			anthropic-ratelimit-tokens-reset: 2026-03-01T12:00:01.5Z
			anthropic-ratelimit-input-tokens-limit: 40000
			anthropic-ratelimit-input-tokens-remaining: 0
			anthropic-ratelimit-input-tokens-reset: 2026-03-01T13:01:00+01:00
			anthropic-ratelimit-output-tokens-limit: 8000
			anthropic-ratelimit-output-tokens-remaining: 8000
			anthropic-ratelimit-output-tokens-reset: 2026-03-01T12:00:00Z
			retry-after: 60`,
			headers.Observations{RetryAfter: time.Minute, Budgets: []headers.Budget{
				{Name: "requests", Limit: 50, Remaining: 49, Reset: in(2 * time.Second)},
				{Name: "tokens", Limit: 48000, Remaining: 47000, Reset: in(1500 * time.Millisecond)},
				{Name: "input-tokens", Limit: 40000, Remaining: 0, Reset: in(time.Minute)},
				{Name: "output-tokens", Limit: 8000, Remaining: 8000, Reset: in(0)},
			}}},
		{"GitHub", `
			x-ratelimit-limit: 5000
			x-ratelimit-remaining: 4999
			x-ratelimit-used: 1
			x-ratelimit-reset: 1772370000
			x-ratelimit-resource: core`,
			headers.Observations{DefaultWait: time.Minute, Budgets: []headers.Budget{
				{Name: "core", Limit: 5000, Remaining: 4999, Reset: in(time.Hour)},
			}}},
		{"GitHub: secondary limit", "x-github-request-id: 1:2:3\nretry-after: 60", headers.Observations{DefaultWait: time.Minute, RetryAfter: time.Minute}},
		{"GitLab", `
			RateLimit-Limit: 2000
			RateLimit-Name: throttle_authenticated_web
			RateLimit-Observed: 1
			RateLimit-Remaining: 1999
			RateLimit-Reset: 1772366460`,
			headers.Observations{Budgets: []headers.Budget{
				{Name: "throttle_authenticated_web", Limit: 2000, Remaining: 1999, Reset: in(time.Minute)},
			}}},
		{"draft 3", "RateLimit-Limit: 10, 10;w=1, 50;w=60\nRateLimit-Remaining: 9\nRateLimit-Reset: 1",
			headers.Observations{Budgets: []headers.Budget{
				{Limit: 10, Remaining: 9, Reset: in(time.Second), Window: time.Second},
				{Limit: 50, Remaining: -1, Window: time.Minute},
			}}},
		{"draft 6", "RateLimit-Limit: 2\nRateLimit-Policy: 2;w=60\nRateLimit-Remaining: 1\nRateLimit-Reset: 60",
			headers.Observations{Budgets: []headers.Budget{{Limit: 2, Remaining: 1, Reset: in(time.Minute), Window: time.Minute}}}},
		{"draft 7", "RateLimit: limit=2, remaining=1, reset=60\nRateLimit-Policy: 2;w=60",
			headers.Observations{Budgets: []headers.Budget{{Limit: 2, Remaining: 1, Reset: in(time.Minute), Window: time.Minute}}}},
		{"draft 7: several policies", "RateLimit-Policy: 10;w=1;burst=1000, 1000;w=3600\nRateLimit: limit=1000, reset=5",
			headers.Observations{Budgets: []headers.Budget{
				{Limit: 1000, Remaining: -1, Reset: in(5 * time.Second), Window: time.Hour},
				{Limit: 10, Remaining: -1, Window: time.Second},
			}}},
		{"draft 8", `RateLimit: "p"; r=1; t=60` + "\n" + `RateLimit-Policy: "p"; q=2; w=60`,
			headers.Observations{Budgets: []headers.Budget{{Name: "p", Limit: 2, Remaining: 1, Reset: in(time.Minute), Window: time.Minute}}}},
		{"draft 8: several policies", `RateLimit-Policy: "hour";q=1000;w=3600, "day";q=5000;w=86400` + "\n" + `RateLimit: "day";r=100;t=36000`,
			headers.Observations{Budgets: []headers.Budget{
				{Name: "day", Limit: 5000, Remaining: 100, Reset: in(10 * time.Hour), Window: 24 * time.Hour},
				{Name: "hour", Limit: 1000, Remaining: -1, Window: time.Hour},
			}}},
		{"draft 8: several lines", `
			RateLimit-Policy: "sliding";q=100;w=60;burst=1000
			RateLimit-Policy: "fixed";q=5000;w=3600;burst=0
			RateLimit: "sliding";r=50;t=44
			RateLimit: "fixed";r=7`,
			headers.Observations{Budgets: []headers.Budget{
				{Name: "sliding", Limit: 100, Remaining: 50, Reset: in(44 * time.Second), Window: time.Minute},
				{Name: "fixed", Limit: 5000, Remaining: 7, Window: time.Hour},
			}}},
		{"draft 8: unit and partition", `
			RateLimit-Policy: "peruser";q=65535;qu="content-bytes";w=10;pk=:sdfjLJUOUH==:
			RateLimit: "peruser";pk=:sdfjLJUOUH==:;r=300`,
			headers.Observations{Budgets: []headers.Budget{
				{Name: "peruser", Partition: "sdfjLJUOUH==", Unit: "content-bytes", Limit: 65535, Remaining: 300, Window: 10 * time.Second},
			}}},
		{"draft 8: Retry-After goes first", "Retry-After: 20\n" + `RateLimit: "dynamic";r=0;t=40`,
			headers.Observations{RetryAfter: 20 * time.Second, Budgets: []headers.Budget{{Name: "dynamic", Limit: -1, Remaining: 0, Reset: in(40 * time.Second)}}}},
		{"gRPC", "grpc-retry-pushback-ms: 250", headers.Observations{RetryAfter: 250 * time.Millisecond}},
		{"gRPC: don't", "grpc-retry-pushback-ms: -1", headers.Observations{NoRetry: true}},
		{"AWS", "X-Amz-Retry-After: 1500", headers.Observations{RetryAfter: 1500 * time.Millisecond}},
		{"Shopify", "X-Shopify-Shop-Api-Call-Limit: 2/80", headers.Observations{Budgets: []headers.Budget{{Limit: 80, Remaining: 78}}}},
	})
}

func TestH46_WaitsThatMakeNoSense(t *testing.T) {
	doubt := func(field string) headers.Observations { return headers.Observations{Doubtful: []string{field}} }
	for value, want := range map[string]headers.Observations{
		"":                               {},
		"0":                              {},
		"-1":                             {},
		"-120":                           doubt("Retry-After"),
		"NaN":                            doubt("Retry-After"),
		"Inf":                            doubt("Retry-After"),
		"1e3":                            doubt("Retry-After"),
		"0x10":                           doubt("Retry-After"),
		"1_000":                          doubt("Retry-After"),
		"+5":                             doubt("Retry-After"),
		"5.":                             doubt("Retry-After"),
		"5.s":                            doubt("Retry-After"),
		".5":                             doubt("Retry-After"),
		"soon":                           doubt("Retry-After"),
		"5 seconds":                      doubt("Retry-After"),
		"-5s":                            doubt("Retry-After"),
		"1.5":                            {RetryAfter: 1500 * time.Millisecond},
		"0.0000000001":                   {RetryAfter: 1},
		"0.0000000000000000000000001":    {RetryAfter: 1},
		"1.9999999999999999999999":       {RetryAfter: 2 * time.Second},
		"007":                            {RetryAfter: 7 * time.Second},
		" 7\t":                           {RetryAfter: 7 * time.Second},
		"30s":                            {RetryAfter: 30 * time.Second},
		"1d2h":                           {RetryAfter: 26 * time.Hour},
		"2562048h":                       {RetryAfter: forever},
		"9999999999999999999999h9h":      {RetryAfter: forever},
		"1000000000":                     {RetryAfter: 1e9 * time.Second},
		"9223372036854775807":            {RetryAfter: forever},
		"9223372036854775808":            {RetryAfter: forever},
		"18446744073709551616":           {RetryAfter: forever},
		strings.Repeat("9", 5000):        {RetryAfter: forever},
		"1, 120, 60":                     {RetryAfter: 2 * time.Minute},
		"60, soon":                       doubt("Retry-After"),
		"Sun, 01 Mar 2026 11:59:59 GMT":  {},
		"Mon, 01 Jan 0001 00:00:00 GMT":  {},
		"Fri, 31 Dec 9999 23:59:59 GMT":  {RetryAfter: forever},
		"Sun, 32 Mar 2026 12:00:00 GMT":  doubt("Retry-After"),
		"Sunday, 01-Mar-26 12:00:30 EST": doubt("Retry-After"),
		"2026-03-01T12:00:07Z":           {RetryAfter: 7 * time.Second},
	} {
		t.Run(value[:min(len(value), 40)], func(t *testing.T) {
			want.At = now
			require.Equal(t, want, headers.Parse(http.Header{"Retry-After": {value}}, now))
		})
	}
}

func TestH47_UnixTimeIsNoWait(t *testing.T) {
	for value, want := range map[string]time.Duration{
		"1772366400":     0,
		"1772366430":     30 * time.Second,
		"1772366430.25":  30250 * time.Millisecond,
		"1772366430000":  30 * time.Second, // OpenRouter's milliseconds
		"1000000001":     0,                // in 2001
		"1792152901":     19786501 * time.Second,
		"99999999999":    forever, // in 5138
		"100000000000":   0,       // in 1973
		"99999999999999": forever,
	} {
		got := headers.Parse(http.Header{"Retry-After": {value}}, now)
		require.Equal(t, want, got.RetryAfter, "Retry-After: %s", value)

		got = headers.Parse(http.Header{"Ratelimit-Reset": {value}, "Ratelimit-Remaining": {"0"}}, now)
		require.Equal(t, want, got.Wait(), "RateLimit-Reset: %s", value)
	}
	got := headers.Parse(http.Header{"Retry-After": {"1772366430.25"}}, time.Time{})
	require.Equal(t, forever, got.RetryAfter, "our clock was not set")
	got = headers.Parse(http.Header{"Retry-After-Ms": {"1772366430000"}}, now)
	require.Equal(t, 30*time.Second, got.RetryAfter)
	got = headers.Parse(http.Header{"Retry-After-Ms": {"1772366430"}}, now)
	require.Equal(t, 1772366430*time.Millisecond, got.RetryAfter, "twenty days count as a wait")
}

func TestParse_CountsThatMakeNoSense(t *testing.T) {
	const limit, remaining, reset = "X-Ratelimit-Limit", "X-Ratelimit-Remaining", "X-Ratelimit-Reset"
	budget := func(limit, remaining int64, doubtful ...string) headers.Observations {
		return headers.Observations{Budgets: []headers.Budget{{Limit: limit, Remaining: remaining}}, Doubtful: doubtful}
	}
	run(t, []example{
		{"more left than there is", limit + ": 60\n" + remaining + ": 61", budget(60, 60, remaining)},
		{"negative", limit + ": 60\n" + remaining + ": -5", budget(60, -1, remaining)},
		{"NaN", limit + ": 60\n" + remaining + ": NaN", budget(60, -1, remaining)},
		{"fractions", limit + ": 60.9\n" + remaining + ": 59.99", budget(60, 59)},
		{"huge", limit + ": 99999999999999999999999\n" + remaining + ": 9223372036854775808", budget(math.MaxInt64, math.MaxInt64)},
		{"empty", limit + ":\n" + remaining + ": 7", budget(-1, 7)},
		{"all empty", limit + ":\n" + remaining + ":\n" + reset + ":", headers.Observations{}},
		{"unlimited", limit + ": unlimited", headers.Observations{Doubtful: []string{limit}}},
		{"two lines", remaining + ": 7\n" + remaining + ": 5\n" + remaining + ": 9", budget(-1, 5)},
		{"two in a line", remaining + ": 7, 5", budget(-1, 5)},
		{"two, both bad", remaining + ": x, y\n" + remaining + ": z", headers.Observations{Doubtful: []string{remaining}}},
		{"two, one of them bad", remaining + ": 7\n" + remaining + ": x", budget(-1, 7, remaining)},
		{"later of two resets", reset + ": 7\n" + reset + ": 1772366409", headers.Observations{Budgets: []headers.Budget{{Limit: -1, Remaining: -1, Reset: in(9 * time.Second)}}}},
		{"reset in the past", reset + ": 1772366399", headers.Observations{Budgets: []headers.Budget{{Limit: -1, Remaining: -1, Reset: in(-time.Second)}}}},
		{"reset never", reset + ": 9999999999999999", headers.Observations{Budgets: []headers.Budget{{Limit: -1, Remaining: -1, Reset: in(forever)}}}},
		{"bad reset", reset + ": tomorrow", headers.Observations{Doubtful: []string{reset}}},
		{"used tells what is left", limit + ": 60\nX-RateLimit-Used: 50", budget(60, 10)},
		{"overdrawn", limit + ": 60\nX-RateLimit-Used: 70", budget(60, 0)},
		{"less remains than is not used", limit + ": 60\n" + remaining + ": 5\nX-RateLimit-Used: 50", budget(60, 5)},
		{"more remains than is not used", limit + ": 60\n" + remaining + ": 5\nX-RateLimit-Used: 58", budget(60, 2)},
		{"Shopify: overdrawn", "X-Shopify-Shop-Api-Call-Limit: 81/80", budget(80, 0, "X-Shopify-Shop-Api-Call-Limit")},
		{"Shopify: half", "X-Shopify-Shop-Api-Call-Limit: 2", headers.Observations{Doubtful: []string{"X-Shopify-Shop-Api-Call-Limit"}}},
		{"Shopify: negative", "X-Shopify-Shop-Api-Call-Limit: -2/80", headers.Observations{Doubtful: []string{"X-Shopify-Shop-Api-Call-Limit"}}},
	})
}

func TestParse_Contradictions(t *testing.T) {
	run(t, []example{
		{"a gateway's limits beside the server's", "X-RateLimit-Limit: 100\nX-RateLimit-Remaining: 50\nRateLimit-Limit: 10\nRateLimit-Remaining: 0\nRateLimit-Reset: 9",
			headers.Observations{Budgets: []headers.Budget{
				{Limit: 100, Remaining: 50},
				{Limit: 10, Remaining: 0, Reset: in(9 * time.Second)},
			}}},
		{"a wait that says nothing", "Retry-After-Ms: 0\nX-Ms-Retry-After-Ms: soon\nRetry-After: 5",
			headers.Observations{RetryAfter: 5 * time.Second, Doubtful: []string{"X-Ms-Retry-After-Ms"}}},
		{"no beats yes", "X-Should-Retry: true\nX-Should-Retry: FALSE", headers.Observations{NoRetry: true}},
		{"pushback beats yes", "X-Should-Retry: True\nGrpc-Retry-Pushback-Ms: -1", headers.Observations{NoRetry: true}},
		{"neither", "X-Should-Retry: perhaps", headers.Observations{Doubtful: []string{"X-Should-Retry"}}},
		{"two pushbacks", "Grpc-Retry-Pushback-Ms: 1\nGrpc-Retry-Pushback-Ms: 1", headers.Observations{NoRetry: true, Doubtful: []string{"Grpc-Retry-Pushback-Ms"}}},
		{"malformed pushback", "Grpc-Retry-Pushback-Ms: 1.5", headers.Observations{NoRetry: true, Doubtful: []string{"Grpc-Retry-Pushback-Ms"}}},
		{"empty pushback", "Grpc-Retry-Pushback-Ms:", headers.Observations{NoRetry: true, Doubtful: []string{"Grpc-Retry-Pushback-Ms"}}},
		{"huge pushback", "Grpc-Retry-Pushback-Ms: 9223372036854775807", headers.Observations{RetryAfter: forever}},
		{"no pushback", "Grpc-Retry-Pushback-Ms: 0", headers.Observations{}},
	})
}

func TestParse_NamesMatchInAnyCase(t *testing.T) {
	want := headers.Parse(fields("Retry-After: 9\nX-RateLimit-Remaining: 3\nX-RateLimit-Remaining: 5"), now)
	require.Equal(t, 9*time.Second, want.RetryAfter)
	for range 20 { // several random orders of a map
		require.Equal(t, want, headers.Parse(http.Header{
			"retry-after": {"7"}, "RETRY-AFTER": {"9"}, "X-RateLimit-Remaining": {"5"}, "x-ratelimit-remaining": {" 3 "},
		}, now))
	}
	for range 20 {
		got := headers.Parse(http.Header{"ratelimit": {`"third";r=3`}, "RateLimit": {`"first";r=1`}, "Ratelimit": {`"second";r=2`}}, now)
		require.Equal(t, []headers.Budget{
			{Name: "first", Limit: -1, Remaining: 1}, {Name: "second", Limit: -1, Remaining: 2}, {Name: "third", Limit: -1, Remaining: 3},
		}, got.Budgets)
	}
	got := headers.Parse(http.Header{"X-RateLimit-Remaining": {"5"}}, now) // a frequent spelling, which net/http never passes on
	require.Equal(t, []headers.Budget{{Limit: -1, Remaining: 5}}, got.Budgets)
	require.Equal(t, headers.Observations{At: now}, headers.Parse(nil, now))
}

func TestParse_LeavesTheHeaderAlone(t *testing.T) {
	h := http.Header{"retry-after": {"7"}, "Retry-After": {"9"}}
	headers.Parse(h, now)
	require.Equal(t, http.Header{"retry-after": {"7"}, "Retry-After": {"9"}}, h)
}

// TestParse_Zone checks that times are in the zone of now, wherever the server or this machine is.
func TestParse_Zone(t *testing.T) {
	there := now.In(time.FixedZone("there", 3600))
	for _, reset := range []string{"60", "1772366460", "2026-03-01T06:01:00-06:00"} {
		got := headers.Parse(http.Header{"X-Ratelimit-Reset": {reset}}, there)
		require.Equal(t, there.Add(time.Minute), got.Budgets[0].Reset, reset)
	}
}
