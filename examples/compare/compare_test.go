package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"example.com/fairlead/examples/internal/strict"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// file writes n requests to a file, alone in its folder.
func file(t *testing.T, n int) (path string) {
	path = filepath.Join(t.TempDir(), "in.jsonl")
	var text strings.Builder
	for i := range n {
		fmt.Fprintf(&text, `{"custom_id":"c%d","url":"/x","body":{"max_tokens":%d}}`+"\n", i, 50+i)
	}
	require.NoError(t, os.WriteFile(path, []byte(text.String()), 0o600))
	return path
}

// TestCompare checks that the API refuses none of batch's requests, and some of those of the goroutines. Nothing
// is written to the input's folder.
func TestCompare(t *testing.T) {
	const n = 75
	set := setting{in: file(t, n), inFlight: 32, unit: 10 * time.Millisecond, api: strict.Config{
		PerMinute: 180, Burst: 60, TokensPerMinute: 60_000, TokenBurst: 10_000, FailRate: 0.05, DropRate: 0.05,
	}} // a tenth of the burst comes in two seconds, so a busy machine may deliver batch's requests as unevenly as that
	var out strings.Builder
	require.NoError(t, compare(t.Context(), set, &out))
	require.Contains(t, out.String(), "The same 75 requests, 32 in flight, against an API of\n180 requests a minute, 60 at once; 60000 tokens a minute, 10000 at once; a full quota for each.\n")
	rows := map[string][2]int{}
	for _, line := range strings.Split(out.String(), "\n") {
		var a, b int
		if len(line) > 24 {
			if k, _ := fmt.Sscan(line[24:], &a, &b); k == 2 {
				rows[strings.TrimSpace(line[:24])] = [2]int{a, b}
			}
		}
	}
	require.Len(t, rows, 6, out.String())
	sent, refused, failed, unanswered := rows["requests sent"], rows["refused with 429"], rows["failed or dropped"], rows["lines without an answer"]
	require.Zero(t, refused[1], out.String())
	require.Zero(t, unanswered[1])
	require.Equal(t, n+failed[1], sent[1])
	require.Positive(t, refused[0])
	require.Equal(t, n-unanswered[0]+refused[0]+failed[0], sent[0])
	for i := range 2 {
		require.Greater(t, rows["tokens taken"][i], rows["for nothing"][i])
	}
	files, err := os.ReadDir(filepath.Dir(set.in))
	require.NoError(t, err)
	require.Len(t, files, 1)
}

// TestNaive checks that a request is tried six times at most, and that each attempt that the API accepts costs
// tokens.
func TestNaive(t *testing.T) {
	const n = 5
	lines, _, err := readRequests(file(t, n))
	require.NoError(t, err)
	run := func(api strict.Config) figures {
		f, err := measure(api, n, func(url string) error { return naive(t.Context(), lines, url, 2, time.Microsecond) })
		require.NoError(t, err)
		f.took = 0
		return f
	}
	api := strict.Config{PerMinute: 1_000_000, Burst: 1000, TokensPerMinute: 1_000_000, FailRate: 1}
	f := run(api)
	require.Positive(t, f.wasted)
	require.Equal(t, figures{sent: 6 * n, failed: 6 * n, unanswered: n, tokens: f.wasted, wasted: f.wasted}, f)

	api.TokensPerMinute = 1 // too few for any line
	require.Equal(t, figures{sent: 6 * n, refused: 6 * n, unanswered: n}, run(api))

	api.TokensPerMinute, api.FailRate = 1_000_000, 0
	f = run(api)
	require.Positive(t, f.tokens)
	require.Equal(t, figures{sent: n, tokens: f.tokens}, f)
}

func TestBadFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "in.jsonl")
	for text, want := range map[string]string{`{"url":"/x"}`: `request 1: it needs a "url" and a "body"`, `{"url":"/x","body":{}}` + "\n7": "request 2: "} {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		require.ErrorContains(t, compare(t.Context(), setting{in: path}, os.Stdout), want)
	}
	require.Error(t, compare(t.Context(), setting{in: path + "x"}, os.Stdout))

	// Errors of batch are returned.
	set := setting{in: file(t, 1), inFlight: 0, api: strict.Config{PerMinute: 1000, Burst: 1000}}
	_, _, err := runBoth(t.Context(), set, nil, nil)
	require.ErrorContains(t, err, "-in-flight 0: it must be at least 1")
}
