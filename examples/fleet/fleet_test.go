package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"example.com/fairlead/bucket"
)

// TestMain is also the program of the workers, since they are this program.
func TestMain(m *testing.M) {
	if os.Getenv(workerVariable) != "" {
		if err := work(); err != nil {
			fmt.Fprintln(os.Stderr, "worker:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// TestFleet checks that a shorter run keeps the quota and loses no job, although two workers and Redis are killed.
func TestFleet(t *testing.T) {
	skipOrFail(t)
	p := plan{workers: 8, jobs: 2000, rate: 300, burst: 30, late: 4, shared: true}
	r, rows := runPlan(t, p)
	require.Equal(t, p.jobs, r.done)
	require.Zero(t, r.lost)
	require.Zero(t, r.refused)
	require.Zero(t, r.over)
	require.LessOrEqual(t, float64(r.requests), float64(p.rate)*(r.took-bucket.LearnTime).Seconds(), "all tokens that have come")
	require.LessOrEqual(t, r.twice, 2*2*p.rate/p.workers, "at most the jobs that the killed workers had")
	require.Positive(t, r.exchanges)
	require.Less(t, r.exchanges, r.requests/2, "far less than one exchange for each request")
	for _, want := range []string{" learns ", " sells ", "3 and 6 were killed", "3 and 6 start anew", "Redis was killed", "Redis starts with nothing in it"} {
		require.Contains(t, rows, want)
	}
	for worker := range p.workers {
		require.Regexp(t, fmt.Sprintf(`\|\d*%d\d* *\|`, worker+1), rows, "all eight have their shares")
	}
	require.Contains(t, r.String(), "\nrefused with 429:            0\nrequests over the quota:     0 (")
}

// TestFleetWithoutSharing checks that the API refuses requests if each worker has the quota for itself, so that it
// would have refused any in TestFleet. A busy machine, too, makes more requests than so small a quota.
func TestFleetWithoutSharing(t *testing.T) {
	skipOrFail(t)
	r, _ := runPlan(t, plan{workers: 8, jobs: 150, rate: 20, burst: 10, late: 1})
	require.Positive(t, r.refused)
	require.Positive(t, r.over)
	require.Zero(t, r.lost, "refused requests are retried")
	require.NotContains(t, r.String(), "exchanges")
}

// TestJobsAreKept checks that a worker gets only so many jobs that the steps happen before the end, and all when they have.
func TestJobsAreKept(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "jobs"))
	require.NoError(t, err)
	defer file.Close()
	f := newFleet(plan{workers: 1, jobs: 100, rate: 10}, nil, nil, nil)
	w := &worker{in: file, jobs: map[int]bool{}}
	f.workers[0] = w
	for range 200 {
		require.NoError(t, f.give(w))
	}
	require.Len(t, w.jobs, 80, "the last step comes after 60")
	clear(w.jobs)
	f.finished, f.steps = 60, []step{{0.6, func(*fleet) error { return nil }}}
	require.NoError(t, f.step())
	require.Len(t, w.jobs, 10)
	for range 200 {
		require.NoError(t, f.give(w))
	}
	require.Len(t, w.jobs, 20)
}

// runPlan runs a plan, and returns the result and what it printed.
func runPlan(t *testing.T, p plan) (result, string) {
	out, err := os.Create(filepath.Join(t.TempDir(), "rows"))
	require.NoError(t, err)
	defer out.Close()
	r, err := p.run(t.Context(), out)
	rows, _ := os.ReadFile(out.Name())
	t.Logf("%s\n%s", rows, r)
	require.NoError(t, err)
	return r, string(rows)
}

func skipOrFail(t *testing.T) {
	if _, err := exec.LookPath("redis-server"); err != nil {
		require.Empty(t, os.Getenv("CI"), "CI has to test with Redis, but there is none")
		t.Skip("there is no Redis to test with: apt-get install redis-server")
	}
}

// TestNoRedis checks what is said if there is no Redis, and that wrong numbers are refused.
func TestNoRedis(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := plan{workers: 8, jobs: 1, rate: 8}.run(t.Context(), os.Stdout)
	require.EqualError(t, err, "redis-server is needed and is not installed: apt-get install redis-server, or brew install redis")
	_, err = plan{workers: 8, jobs: 1, rate: 7}.run(t.Context(), os.Stdout)
	require.EqualError(t, err, "-jobs must be at least 1, and -rate at least 8")
}

// TestBar checks the bar of a row: the whole quota fills it, and pieces are as long as their workers' shares.
func TestBar(t *testing.T) {
	p := &picture{plan: plan{workers: 3, rate: 100}}
	require.Equal(t, strings.Repeat("1", 3), p.piece(0, 3))
	require.Empty(t, p.piece(0, -1))
	require.Equal(t, "000", p.piece(9, 3))
	p.colors = true
	require.Equal(t, "\x1b[41m11\x1b[0m", p.piece(0, 2))
}
