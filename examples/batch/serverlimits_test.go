package main

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry/headers"
	"example.com/fairlead/scheduler"
)

// newTestLimits returns a serverLimits, and the messages that it prints.
func newTestLimits(t *testing.T, flags ...string) (*serverLimits, *[]string) {
	cfg, err := parseFlags(append([]string{"-in", "a", "-out", "b"}, flags...))
	require.NoError(t, err)
	s, err := scheduler.New(scheduler.Config{Limits: cfg.limits()})
	require.NoError(t, err)
	t.Cleanup(s.Close)
	e, said := newServerLimits(&cfg, s), new([]string)
	e.say = func(text string) { *said = append(*said, text) }
	return e, said
}

// requestLimit returns what headers.Parse finds for one budget of requests.
func requestLimit(limit, remaining int64, reset time.Duration) headers.Observations {
	at := time.Now()
	return headers.Observations{At: at, Budgets: []headers.Budget{{Name: "requests", Limit: limit, Remaining: remaining, Reset: at.Add(reset)}}}
}

// requireLevel checks the level of a budget, which may have risen by perMinute tokens a minute since the test began.
func requireLevel(t *testing.T, e *serverLimits, budget string, want, perMinute int64, began time.Time) {
	t.Helper()
	risen := float64(perMinute) * time.Since(began).Minutes()
	require.InDelta(t, want, levels(e.s)[budget], 1+risen)
}

// TestLateAnswer checks that the answer to an earlier request does not raise the level that a later one has set.
func TestLateAnswer(t *testing.T) {
	began := time.Now()
	e, _ := newTestLimits(t, "-rpm", "auto", "-burst", "1000")
	first, second := e.begin(), e.begin()
	e.finish(second, &line{}, requestLimit(100, 5, time.Hour), false)
	requireLevel(t, e, requestBudget, 5, 100, began)
	e.finish(first, &line{}, requestLimit(100, 50, time.Hour), false)
	requireLevel(t, e, requestBudget, 5, 100, began)
	e.finish(e.begin(), &line{}, requestLimit(100, 70, time.Hour), false)
	requireLevel(t, e, requestBudget, 70, 100, began)
}

// TestFinishedWhileInFlight checks that requests that finished while another was in flight are subtracted from
// the level in its answer, since the server may not have counted them.
func TestFinishedWhileInFlight(t *testing.T) {
	began := time.Now()
	e, _ := newTestLimits(t, "-rpm", "auto", "-burst", "1000", "-tpm", "auto")
	var all []sentRequest
	for range 11 {
		all = append(all, e.begin())
	}
	for _, q := range all[:10] {
		e.finish(q, &line{tokens: 100}, headers.Observations{}, true)
	}
	seen := requestLimit(100, 50, time.Hour)
	seen.Budgets = append(seen.Budgets, headers.Budget{Name: "tokens", Limit: 6000, Remaining: 5000, Reset: seen.At.Add(time.Hour)})
	e.finish(all[10], &line{tokens: 100}, seen, false)
	requireLevel(t, e, requestBudget, 40, 100, began)
	requireLevel(t, e, tokenBudget, 4000, 6000, began)
	e.finish(e.begin(), &line{tokens: 100}, seen, false)
	requireLevel(t, e, requestBudget, 50, 100, began)
	requireLevel(t, e, tokenBudget, 5000, 6000, began)
}

// TestTokensFirst checks that an answer that allows many requests and few tokens starts only as many requests as
// there are tokens for.
func TestTokensFirst(t *testing.T) {
	e, _ := newTestLimits(t, "-rpm", "auto", "-burst", "1", "-tpm", "auto")
	e.cfg.requests.burst = 50 // from here on
	seen := requestLimit(6000, 50, time.Minute)
	seen.Budgets = append(seen.Budgets, headers.Budget{Name: "tokens", Limit: 60, Remaining: 25})
	waiting, ran, end := make(chan struct{}), make(chan int, 1), make(chan struct{})
	for i := range 5 {
		_, err := e.s.Submit(t.Context(), func(context.Context) error {
			if i == 0 {
				<-waiting
				e.finish(e.begin(), &line{tokens: 10}, seen, true)
				ran <- e.s.Snapshot().Running
			}
			<-end
			return nil
		}, scheduler.CostOf(tokenBudget, 10))
		require.NoError(t, err)
	}
	close(waiting) // released once the others are queued
	require.Equal(t, 1+2, <-ran)
	close(end) // the others end with the scheduler
}

// TestLimitNotGiven checks that with auto, batch says once that the server does not give its limits.
func TestLimitNotGiven(t *testing.T) {
	e, said := newTestLimits(t, "-rpm", "auto", "-tpm", "100")
	e.finish(e.begin(), &line{}, headers.Observations{}, false) // a failure need not have them
	require.Empty(t, *said)
	for range 3 {
		e.finish(e.begin(), &line{}, headers.Observations{}, true)
	}
	require.Equal(t, []string{"the server does not give its limit of requests: batch sends 60 a minute until it does"}, *said)
	for range 3 {
		e.finish(e.begin(), &line{}, requestLimit(100, 70, time.Minute), true)
	}
	require.Equal(t, "the server's limit is 100 requests every 1m0s", (*said)[1])
	require.Len(t, *said, 2)
}

// TestLimitByTheHour checks that a limit counts for a minute, until a reset shows that its window is longer. It
// then keeps that window.
func TestLimitByTheHour(t *testing.T) {
	e, _ := newTestLimits(t, "-rpm", "auto", "-burst", "9")
	for _, one := range []struct {
		reset time.Duration
		want  time.Duration
	}{
		{-time.Minute, time.Minute},
		{61 * time.Second, time.Minute},
		{40 * time.Minute, time.Hour},
		{time.Second, time.Hour},
		{24 * time.Hour, 24 * time.Hour},
		{240 * time.Hour, 24 * time.Hour}, // not known, so it stays as it was
	} {
		e.finish(e.begin(), &line{}, requestLimit(5000, 7, one.reset), true)
		require.Equal(t, bucket.Per(5000, one.want).Burst(9), e.s.Snapshot().Limit, one.reset)
	}
}

// TestBudgetName checks which of the server's budgets are ours.
func TestBudgetName(t *testing.T) {
	for _, one := range []struct {
		budget headers.Budget
		want   string
		window time.Duration
	}{
		{headers.Budget{Name: "requests"}, requestBudget, time.Minute},
		{headers.Budget{Name: "tokens"}, tokenBudget, time.Minute},
		{headers.Budget{Name: "input-tokens"}, "", 0},
		{headers.Budget{Name: "output-tokens"}, "", 0},
		{headers.Budget{}, requestBudget, 0},
		{headers.Budget{Name: "core", Reset: time.Unix(1000, 0)}, requestBudget, time.Hour},
		{headers.Budget{Name: "default", Window: time.Second}, requestBudget, time.Second},
		{headers.Budget{Name: "default", Unit: "tokens"}, tokenBudget, 0},
		{headers.Budget{Name: "default", Unit: "content-bytes"}, "", 0},
	} {
		require.Equal(t, one.want, budgetName(one.budget), one.budget)
		require.Equal(t, one.window, window(one.budget, time.Unix(0, 0)), one.budget)
	}
	least, ok := tightest(requestBudget, []headers.Budget{
		{Name: "tokens", Remaining: 1}, {Name: "minute", Remaining: 9}, {Name: "day", Remaining: 5}, {Name: "unknown", Remaining: -1},
	})
	require.True(t, ok)
	require.Equal(t, "day", least.Name)
	_, ok = tightest(tokenBudget, []headers.Budget{{Name: "requests", Remaining: 9}})
	require.False(t, ok)
}

// TestGivenLimitIsKept checks that a limit from the command line is kept, although the server gives another.
func TestGivenLimitIsKept(t *testing.T) {
	began := time.Now()
	e, said := newTestLimits(t, "-rpm", "600", "-tpm", "100")
	e.finish(e.begin(), &line{}, requestLimit(100_000, 50_000, time.Second), true)
	require.Equal(t, bucket.PerMinute(600).Burst(60), e.s.Snapshot().Limit)
	require.EqualValues(t, 60, levels(e.s)[requestBudget])
	e.finish(e.begin(), &line{}, requestLimit(100_000, 3, time.Second), true)
	requireLevel(t, e, requestBudget, 3, 600, began)
	require.Empty(t, *said)
}
