package main

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/scheduler"
)

// TestDrain checks that accepted lines are finished, and that no more are read.
func TestDrain(t *testing.T) {
	const n = scheduler.DefaultLookAhead + 100
	st := newSite(t, generous, requests(n)...)
	g := st.gate()
	r := st.start("-rpm", "600000", "-burst", "5000", "-in-flight", "50", "-drain", "1h")
	await(t, r.queued, scheduler.DefaultLookAhead)
	r.signal()
	r.log.await(t, "batch: no more lines are read; 1024 accepted requests have 1h0m0s to finish; Ctrl-C again stops at once\n")
	g.open()
	sum := r.result(t)
	require.Equal(t, counts{answered: scheduler.DefaultLookAhead, todo: 100}, sum.counts)
	require.Zero(t, r.s.Snapshot().Totals.Refused, "not even one line more")
	require.Empty(t, sum.leftovers)
	require.Equal(t, "batch: everything that was accepted has finished\n", sum.leftovers.String())

	sum, err := st.process()
	require.NoError(t, err)
	require.Equal(t, counts{answered: n}, sum.counts)
	st.requireOnce(n)
}

// requireOnce checks that the API has answered each of n lines exactly once.
func (st *site) requireOnce(n int) {
	require.Len(st.t, st.results(), n)
	seen := map[int]bool{}
	for _, e := range st.entries() {
		require.Equal(st.t, http.StatusOK, e.Status)
		require.False(st.t, seen[lineOf(e.ID)], "line %d was sent again", lineOf(e.ID))
		seen[lineOf(e.ID)] = true
	}
	require.Len(st.t, seen, n)
}

// TestDrainTimesOut checks that when the drain times out, queued requests are left, running ones may finish, and
// the report tells them apart. The next run sends the rest.
func TestDrainTimesOut(t *testing.T) {
	const what = "; queued requests are left to the next run, running ones (2) may finish; Ctrl-C again stops at once\n"
	for drain, messages := range map[string][]string{
		"20ms": {"batch: no more lines are read; 20 accepted requests have 20ms to finish; Ctrl-C again stops at once\n", "batch: time is up" + what},
		"0":    {"batch: no more lines are read" + what},
	} {
		t.Run(drain, func(t *testing.T) {
			api := generous
			api.SlowRate, api.Slow = 1, 20*time.Millisecond
			st := newSite(t, api, requests(20)...)
			g := newGate(t)
			st.intercept(failsSome(g))
			r := st.start("-in-flight", "2", "-backoff", "1h", "-max-backoff", "1h", "-drain", drain)
			await(t, r.queued, 20)
			await(t, r.retrying, 1)
			require.ElementsMatch(t, []int{2, 3}, []int{<-g.held, <-g.held})
			both := time.Now()
			r.signal()
			for _, message := range messages {
				r.log.await(t, message)
			}
			held := time.Since(both)
			g.open()
			sum := r.result(t)
			require.Equal(t, counts{answered: 1, todo: 19}, sum.counts)
			require.GreaterOrEqual(t, sum.perRequest.Run, held+api.Slow, "times run to the end of each attempt")
			requireLeft(t, sum.leftovers)

			again, err := st.process()
			require.NoError(t, err)
			require.Equal(t, counts{answered: 20}, again.counts)
			st.requireOnce(20)
		})
	}
}

// failsSome fails line 1 at once, and line 3 when the gate opens. It holds up line 2. Later attempts pass.
func failsSome(g *gate) interceptor {
	var mu sync.Mutex
	seen := map[int]bool{}
	return func(w http.ResponseWriter, line int) bool {
		mu.Lock()
		again := seen[line]
		seen[line] = true
		mu.Unlock()
		if !again && (line == 2 || line == 3) {
			g.pass(line)
		}
		if again || line != 1 && line != 3 {
			return false
		}
		w.WriteHeader(http.StatusServiceUnavailable)
		return true
	}
}

// requireLeft checks what is left of 20 requests to failsSome, two at a time.
func requireLeft(t *testing.T, left leftovers) {
	require.Len(t, left, 19)
	for i, want := range []leftover{
		{name: `line 1 "c1"`, state: "backing off", attempts: 1},
		{name: `line 3 "c3"`, state: "running", attempts: 1},
		{name: `line 4 "c4"`, state: "queued"},
		{name: `line 5 "c5"`, state: "queued"},
	} {
		got := left[i]
		if got.state != "queued" {
			require.EqualError(t, got.last, "503 Service Unavailable")
		}
		require.Equal(t, got.state == "backing off", got.due.After(time.Now()))
		got.last, got.due = nil, time.Time{}
		require.Equal(t, want, got)
	}
	report := left.String()
	require.Equal(t, 1+maxLeftovers+1, strings.Count(report, "\n"), report)
	for _, want := range []string{
		"batch: not finished: 19 (when the drain ended: 17 queued, 1 backing off, 1 running)\n",
		"  line 1 \"c1\": backing off until " + left[0].due.Format(time.TimeOnly) + ", attempts made: 1, last error: 503 Service Unavailable\n",
		"  line 3 \"c3\": running, attempts made: 1, last error: 503 Service Unavailable\n",
		"  line 4 \"c4\": queued, attempts made: 0\n",
		"  and 9 more\n",
	} {
		require.Contains(t, report, want)
	}
}

// TestSecondSignal checks that a second signal stops running requests, during a drain and after it.
func TestSecondSignal(t *testing.T) {
	for drain, message := range map[string]string{
		"1h": "5 accepted requests have 1h0m0s to finish",
		"0":  "running ones (2) may finish",
	} {
		t.Run(drain, func(t *testing.T) {
			st := newSite(t, generous, requests(5)...)
			g := st.gate()
			r := st.start("-in-flight", "2", "-retries", "0", "-drain", drain)
			await(t, r.queued, 5)
			<-g.held
			<-g.held
			r.signal()
			r.log.await(t, message)
			r.secondSignal()
			sum := r.result(t)
			require.Equal(t, counts{todo: 5}, sum.counts, "canceled requests have no result")
			require.Equal(t, leftovers{
				{name: `line 1 "c1"`, state: "running", attempts: 1},
				{name: `line 2 "c2"`, state: "running", attempts: 1},
				{name: `line 3 "c3"`, state: "queued"},
				{name: `line 4 "c4"`, state: "queued"},
				{name: `line 5 "c5"`, state: "queued"},
			}, sum.leftovers)
		})
	}
}

// TestInterruptedAtStart checks that a run that is interrupted at once sends nothing.
func TestInterruptedAtStart(t *testing.T) {
	st := newSite(t, generous, requests(5)...)
	soft, stop := context.WithCancel(t.Context())
	stop()
	cfg, err := parseFlags(st.args())
	require.NoError(t, err)
	_, err = process(soft, t.Context(), cfg, newLogBuffer())
	require.ErrorIs(t, err, context.Canceled)
	require.Empty(t, st.entries())
	require.NoFileExists(t, st.out+".lock")
}

// TestShort checks that any error of an API takes one line of the report.
func TestShort(t *testing.T) {
	l := leftover{name: "line 7", state: "queued", attempts: 2, last: errors.New("bad\n gateway: " + strings.Repeat("é", 200))}
	require.Equal(t, "line 7: queued, attempts made: 2, last error: bad gateway: "+strings.Repeat("é", 66)+"…", l.String())
}

// TestDrainingBudget checks that batch says so if the budget is too small to finish in time.
func TestDrainingBudget(t *testing.T) {
	st := newSite(t, generous, requests(21)...)
	g := st.gate()
	r := st.start("-rpm", "1", "-burst", "1", "-drain", "10s")
	await(t, r.queued, 21)
	<-g.held
	r.signal()
	r.log.await(t, "21 accepted requests have 10s to finish (the budget needs about 2")
	r.secondSignal()
	require.Equal(t, counts{todo: 21}, r.result(t).counts)
}
