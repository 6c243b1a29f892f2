// Package examples_test runs the small programs as a user does.
package examples_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestForecastPicture checks that the picture in scheduler/programs.md is the one that forecast draws.
func TestForecastPicture(t *testing.T) {
	drawn := filepath.Join(t.TempDir(), "forecast.svg")
	require.NoError(t, exec.Command("go", "run", "./forecast", "-o", drawn).Run())
	want, err := os.ReadFile(drawn)
	require.NoError(t, err)
	got, err := os.ReadFile("forecast/forecast.svg")
	require.NoError(t, err)
	require.Equal(t, string(want), string(got), "draw it again: cd examples && go run ./forecast -o forecast/forecast.svg")
}

// TestTimelineFiles checks that timeline draws all calls, failed ones too, and the hold.
func TestTimelineFiles(t *testing.T) {
	page, trace := filepath.Join(t.TempDir(), "timeline.html"), filepath.Join(t.TempDir(), "timeline.json")
	require.NoError(t, exec.Command("go", "run", "./timeline", page, trace).Run())
	html, err := os.ReadFile(page)
	require.NoError(t, err)
	require.Equal(t, 40, strings.Count(string(html), "<title>call "))
	_, summary, _ := strings.Cut(string(html), "<p>")
	summary, _, _ = strings.Cut(summary, "</p>")
	require.Regexp(t, `^40 calls in \S+: 37 succeeded, 3 exhausted; 47 attempts; `, summary)
	spans := map[string]int{}
	var read struct{ TraceEvents []struct{ Name, Ph string } }
	text, err := os.ReadFile(trace)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &read))
	for _, ev := range read.TraceEvents {
		if ev.Ph == "X" {
			spans[ev.Name]++
		}
	}
	require.Equal(t, 47, spans["run"])
	require.Equal(t, 7, spans["backoff"])
	require.Greater(t, spans["hold"], 20, "the scheduler's hold, and one for each waiting call")
}

// TestTenants checks that the others wait behind the flood in one queue, and are served with keys.
func TestTenants(t *testing.T) {
	out, err := exec.Command("go", "run", "./tenants", "-seconds", "2").Output()
	require.NoError(t, err)
	require.Regexp(t, `after  2s +0 of 98, worst wait \S+s +[5-9]\d of 98, worst wait \S+s\n`, string(out)) // a busy machine is late
	require.Regexp(t, `the first call of the others still is number \d{4} in the queue, about \S+s to wait\.\n`, string(out))
}

// TestSmallPrograms checks that each program is short, runs, and prints what it is meant to show.
func TestSmallPrograms(t *testing.T) {
	took := regexp.MustCompile(` after \S+ \(.*?\)`) // times, which differ from run to run
	for program, want := range map[string][]string{
		"quickstart": {"answer 0 <nil>\n", "answer 3 <nil>\n", "not retried: no such thing\n", "attempts paid for: 7\n"},
		"progress":   {"report: attempt 1 of 6 failed: too many requests (rate limited); next in 100ms, 0 tokens left\n", "report: attempt 2 of 6 waits for tokens: number 1 in the queue", "done: <nil>\n"},
		"consumer": {`call 1 "fine" succeeded: attempt 1 of 2
call 2 "hopeless" retrying: attempt 1 of 2 failed, next in 50ms, 998 tokens left: connection reset
call 2 "hopeless" exhausted: retry: retries exhausted: 2 attempts failed, 50ms waited in between, the last with: connection reset
shut down
`},
		"forecast": {"20000 calls take 42m15s: 20000 succeed in 21116 attempts; half of them wait up to 21m0s, the last 42m7s; up to 19950 wait at once\n"},
		"queue": {`Ann is number 1 in the queue, about 0s to wait
Bob is number 2 in the queue, about 1s to wait
Eve is number 1 in the queue, about 0s to wait
Ann now is number 2 in the queue, about 1s to wait
at ten times the rate Ann is number 2 in the queue, about 100ms to wait
a new call would be number 4 in the queue, about 300ms to wait
served while paused: 0
now serving Eve
now serving Ann
now serving Bob
`},
	} {
		t.Run(program, func(t *testing.T) {
			out, err := exec.Command("go", "run", "./"+program).Output()
			require.NoError(t, err)
			for _, line := range want {
				require.Contains(t, took.ReplaceAllString(string(out), ""), line)
			}
		})
	}
	for _, pattern := range []string{"quickstart/*.go", "progress/*.go", "consumer/*.go", "queue/*.go", "forecast/*.go", "timeline/*.go"} {
		files, err := filepath.Glob(pattern)
		require.NoError(t, err)
		require.NotEmpty(t, files)
		for _, file := range files {
			src, err := os.ReadFile(file)
			require.NoError(t, err)
			require.Less(t, strings.Count(string(src), "\n"), 60, file)
		}
	}
}
