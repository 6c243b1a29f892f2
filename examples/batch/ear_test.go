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

// earOf is an ear, and what it has said.
func earOf(t *testing.T, flags ...string) (*ear, *[]string) {
	cfg, err := parseFlags(append([]string{"-in", "a", "-out", "b"}, flags...))
	require.NoError(t, err)
	s, err := scheduler.New(scheduler.Config{Limits: cfg.limits()})
	require.NoError(t, err)
	t.Cleanup(s.Close)
	e, said := newEar(&cfg, s), new([]string)
	e.say = func(text string) { *said = append(*said, text) }
	return e, said
}

// says are observations of requests.
func says(limit, remaining int64, reset time.Duration) headers.Observations {
	at := time.Now()
	return headers.Observations{At: at, Budgets: []headers.Budget{{Name: "requests", Limit: limit, Remaining: remaining, Reset: at.Add(reset)}}}
}

// TestOldNews: the answer to an earlier request, if it comes later, does not make up for
// what went out since.
func TestOldNews(t *testing.T) {
	e, _ := earOf(t, "-rpm", "auto", "-burst", "1000")
	first, second := e.ask(), e.ask()
	e.hear(second, &line{}, says(100, 5, time.Minute), false)
	require.InDelta(t, 5, levels(e.s)[requestBudget], 1)
	e.hear(first, &line{}, says(100, 50, time.Minute), false)
	require.InDelta(t, 5, levels(e.s)[requestBudget], 1)
	e.hear(e.ask(), &line{}, says(100, 70, time.Minute), false)
	require.InDelta(t, 70, levels(e.s)[requestBudget], 1)
}

// TestOvertaken: of those that were under way at the same time nobody knows which the server has
// counted when it said what is left.
func TestOvertaken(t *testing.T) {
	e, _ := earOf(t, "-rpm", "auto", "-burst", "1000", "-tpm", "auto")
	var all []question
	for range 11 {
		all = append(all, e.ask())
	}
	for _, q := range all[:10] {
		e.hear(q, &line{tokens: 100}, headers.Observations{}, true)
	}
	seen := says(100, 50, time.Minute)
	seen.Budgets = append(seen.Budgets, headers.Budget{Name: "tokens", Limit: 6000, Remaining: 5000})
	e.hear(all[10], &line{tokens: 100}, seen, false)
	require.InDelta(t, 40, levels(e.s)[requestBudget], 1)
	require.InDelta(t, 4000, levels(e.s)[tokenBudget], 100)
	e.hear(e.ask(), &line{tokens: 100}, seen, false)
	require.InDelta(t, 50, levels(e.s)[requestBudget], 1)
	require.InDelta(t, 5000, levels(e.s)[tokenBudget], 100)
}

// TestTokensFirst: an answer that allows many requests and few tokens lets no more go than there are
// tokens for.
func TestTokensFirst(t *testing.T) {
	e, _ := earOf(t, "-rpm", "auto", "-burst", "1", "-tpm", "auto")
	e.cfg.requests.burst = 50 // from here on
	seen := says(6000, 50, time.Minute)
	seen.Budgets = append(seen.Budgets, headers.Budget{Name: "tokens", Limit: 60, Remaining: 25})
	waiting, ran, end := make(chan struct{}), make(chan int, 1), make(chan struct{})
	for i := range 5 {
		_, err := e.s.Submit(t.Context(), func(context.Context) error {
			if i == 0 {
				<-waiting
				e.hear(e.ask(), &line{tokens: 10}, seen, true)
				ran <- e.s.Snapshot().Running
			}
			<-end
			return nil
		}, scheduler.CostOf(tokenBudget, 10))
		require.NoError(t, err)
	}
	close(waiting) // the others do
	require.Equal(t, 1+2, <-ran)
	close(end) // the others end with the scheduler
}

// TestNothingSaid: with auto, it is told once if the server does not say what its limits are.
func TestNothingSaid(t *testing.T) {
	e, said := earOf(t, "-rpm", "auto", "-tpm", "100")
	e.hear(e.ask(), &line{}, headers.Observations{}, false) // who fails need not say
	require.Empty(t, *said)
	for range 3 {
		e.hear(e.ask(), &line{}, headers.Observations{}, true)
	}
	require.Equal(t, []string{"the server does not say how many requests it allows: it is sent 60 a minute until it does"}, *said)
	for range 3 {
		e.hear(e.ask(), &line{}, says(100, 70, time.Minute), true)
	}
	require.Equal(t, "the server's limit is 100 requests every 1m0s", (*said)[1])
	require.Len(t, *said, 2)
}

// TestLimitByTheHour: a limit holds for a minute unless something says that it is longer; then
// for as long ever after, however near the end of the window is.
func TestLimitByTheHour(t *testing.T) {
	e, _ := earOf(t, "-rpm", "auto", "-burst", "9")
	for _, one := range []struct {
		reset time.Duration
		want  time.Duration
	}{
		{-time.Minute, time.Minute},
		{61 * time.Second, time.Minute},
		{40 * time.Minute, time.Hour},
		{time.Second, time.Hour},
		{24 * time.Hour, 24 * time.Hour},
		{240 * time.Hour, 24 * time.Hour}, // nobody knows: it stays what it was
	} {
		e.hear(e.ask(), &line{}, says(5000, 7, one.reset), true)
		require.Equal(t, bucket.Per(5000, one.want).Burst(9), e.s.Snapshot().Limit, one.reset)
	}
}

// TestWhoseBudget: which of a server's budgets are ours.
func TestWhoseBudget(t *testing.T) {
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
		require.Equal(t, one.want, ours(one.budget), one.budget)
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

// TestTold: a limit that the user gave is kept, whatever the server says of it.
func TestTold(t *testing.T) {
	e, said := earOf(t, "-rpm", "600", "-tpm", "100")
	e.hear(e.ask(), &line{}, says(100_000, 50_000, time.Second), true)
	require.Equal(t, bucket.PerMinute(600).Burst(60), e.s.Snapshot().Limit)
	require.EqualValues(t, 60, levels(e.s)[requestBudget])
	e.hear(e.ask(), &line{}, says(100_000, 3, time.Second), true)
	require.InDelta(t, 3, levels(e.s)[requestBudget], 3)
	require.Empty(t, *said)
}
