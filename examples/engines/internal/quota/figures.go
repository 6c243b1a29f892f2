package quota

import (
	"flag"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Figures are what an API has measured until now.
type Figures struct {
	Accepted  int           // requests
	Took      time.Duration // from the first accepted request to the last
	Share     float64       // of the quota that was used in that time, at most 1: the burst does not count
	Refused   int           // requests
	Runs      int           // of all jobs
	MostRuns  int           // of one job
	Twice     int           // accepted requests of jobs that had one before
	Displaced int           // the most places by which a job's request came before or after its turn
}

// Figures returns the figures of all jobs until now.
func (a *API) Figures() Figures { return a.Of(0, math.MaxInt) }

// Of returns the figures until now of n jobs, from the given one on. The share includes what other jobs
// used in that time, and the refused requests are those of all jobs.
func (a *API) Of(from, n int) Figures {
	a.mu.Lock()
	defer a.mu.Unlock()
	f := Figures{Refused: a.refused}
	isOf := func(job int) bool { return job >= from && job-from < n }
	for job, runs := range a.runs {
		if isOf(job) {
			f.Runs += runs
			f.MostRuns = max(f.MostRuns, runs)
		}
	}
	seen, first, last := map[int]bool{}, 0, 0
	for i, job := range a.accepted {
		if !isOf(job) {
			continue
		}
		if last = i; f.Accepted == 0 {
			first = i
		}
		if seen[job] {
			f.Twice++
		}
		seen[job] = true
		place := job - from
		f.Displaced = max(f.Displaced, place-f.Accepted, f.Accepted-place)
		f.Accepted++
	}
	if last > first {
		f.Took = a.at[last].Sub(a.at[first])
		f.Share = float64(int64(last-first+1)-Limit.Capacity) / f.Took.Seconds() / float64(Limit.Refill)
	}
	return f
}

// String returns the figures as a line.
func (f Figures) String() string {
	return fmt.Sprintf("%d requests in %.1f s, %.1f %% of the quota; %d refused, %d twice; %d runs, at most %d of a job; displaced by at most %d places",
		f.Accepted, f.Took.Seconds(), 100*f.Share, f.Refused, f.Twice, f.Runs, f.MostRuns, f.Displaced)
}

var targets = flag.Bool("targets", false, "check what the recipes reach on a machine that has nothing else to do")

// Targets reports whether a test has to check what the recipes reach on a machine that has nothing else to do.
func Targets() bool { return *targets }

// Check fails the test if a job was done twice. With the flag -targets, the jobs have to use 95 % of the quota, at most one
// request in 50 may be refused, each job may run twice, and its turn may be displaced by so many places.
func (f Figures) Check(t testing.TB, displaced int) {
	t.Helper()
	require.Zero(t, f.Twice, "done twice")
	if Targets() {
		require.GreaterOrEqual(t, f.Share, 0.95, "the share of the quota")
		require.LessOrEqual(t, f.Refused, f.Accepted/50, "refused requests")
		require.LessOrEqual(t, f.MostRuns, 2, "runs of a job")
		require.LessOrEqual(t, f.Displaced, displaced, "places")
	}
}

// CheckHold fails the test if a job was done twice, if the server refused no request, or if no worker handed a job back
// before it had sent a request. With the flag -targets, it also fails if workers handed back no more than 20 runs, if a job
// ran more than twice, if the server refused more requests than given, or if all jobs took as long as given, or longer.
func (f Figures) CheckHold(t testing.TB, refused int, took time.Duration) {
	t.Helper()
	require.Zero(t, f.Twice, "done twice")
	require.Positive(t, f.Refused)
	require.Greater(t, f.Runs, f.Accepted+f.Refused, "jobs were handed back")
	if Targets() {
		require.Greater(t, f.Runs, f.Accepted+20, "jobs were handed back")
		require.LessOrEqual(t, f.MostRuns, 2, "runs of a job")
		require.LessOrEqual(t, f.Refused, refused, "others learn of the hold")
		require.Less(t, f.Took, took)
	}
}
