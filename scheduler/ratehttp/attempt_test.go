package ratehttp_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/events"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
	"example.com/fairlead/scheduler/ratehttp"
)

// TestH65_WaitOfAPassingFailure checks that a verdict's wait counts, even if the failure is no rate limit.
func TestH65_WaitOfAPassingFailure(t *testing.T) {
	for _, kind := range []retry.Kind{retry.KindTransient, retry.KindRateLimited} {
		srv := answers(t, "202")
		s := open(t, scheduler.Config{})
		sub := s.Subscribe(events.Of(events.Retrying))
		c := client(t, &ratehttp.Transport{Scheduler: s, Classify: func(ratehttp.Attempt) retry.Verdict {
			return retry.Verdict{Kind: kind, Wait: 2 * time.Minute}
		}})
		ctx, cancel := context.WithCancel(t.Context())
		go func() { // until the wait is seen to be under way
			defer cancel()
			if ev := until(t, sub, events.Retrying); ev.Delay < 2*time.Minute {
				t.Errorf("%v: a wait of %v", kind, ev.Delay)
			}
		}()
		_, err := c.Do(request(t, "GET", srv.URL, "").WithContext(ctx))
		require.ErrorIs(t, err, context.Canceled)
		idle(t, s, srv)
	}
}

// TestVerdictIsTheDefault checks that a Classify that returns Attempt.Verdict changes nothing.
func TestVerdictIsTheDefault(t *testing.T) {
	for _, answer := range []string{"200", "404", "429", "429 Retry-After-Ms: 3", "503", "403 Retry-After-Ms: 1", "500 X-Should-Retry: false", "400 X-Should-Retry: true", "lost"} {
		var sent [2]int64
		var ended [2]string
		for i, classify := range []func(ratehttp.Attempt) retry.Verdict{nil, ratehttp.Attempt.Verdict} {
			srv := serve(t, func(_ int64, w http.ResponseWriter, _ *http.Request) {
				if answer == "lost" {
					panic(http.ErrAbortHandler)
				}
				write(w, answer)
			})
			s := open(t, scheduler.Config{})
			sub := s.Subscribe(events.Ends)
			res, err := client(t, &ratehttp.Transport{Scheduler: s, Base: &http.Transport{DisableKeepAlives: true}, Classify: classify}).Get(srv.URL)
			if err == nil {
				_ = text(t, res, err)
			}
			sent[i], ended[i] = srv.requests.Load(), (<-sub.C).Kind.String()
		}
		require.Equal(t, sent[0], sent[1], answer)
		require.Equal(t, ended[0], ended[1], answer)
	}
}

// TestVerdictByHand checks Attempt.Verdict of an Attempt that a test has built.
func TestVerdictByHand(t *testing.T) {
	response := func(status int, field, value string) *http.Response {
		return &http.Response{StatusCode: status, Header: http.Header{field: {value}}}
	}
	limited := retry.Verdict{Kind: retry.KindRateLimited}
	transient := retry.Verdict{Kind: retry.KindTransient}
	seconds := limited
	seconds.Wait = 7 * time.Second
	for _, c := range []struct {
		attempt ratehttp.Attempt
		want    retry.Verdict
	}{
		{ratehttp.Attempt{}, retry.Verdict{}},
		{ratehttp.Attempt{Response: response(429, "Retry-After", "7")}, seconds},
		{ratehttp.Attempt{Response: response(429, "X-Ratelimit-Remaining-Tokens", "0")}, limited},
		{ratehttp.Attempt{Response: response(503, "", "")}, transient},
		{ratehttp.Attempt{Response: response(200, "", "")}, retry.Verdict{}},
		{ratehttp.Attempt{Err: io.EOF}, transient},
		{ratehttp.Attempt{Err: &net.OpError{Op: "dial", Err: io.EOF}}, transient},
		{ratehttp.Attempt{Err: context.Canceled}, retry.Verdict{}},
	} {
		require.Equal(t, c.want, c.attempt.Verdict())
	}
}

// TestRepeatableByOutcome has a Repeatable that allows a POST again after a 503, but not after a lost connection.
func TestRepeatableByOutcome(t *testing.T) {
	after503 := func(a ratehttp.Attempt) bool { return a.Response != nil || ratehttp.Idempotent(a) }
	for call, want := range map[string]int64{"POST /busy": 2, "POST /lost": 1, "GET /busy": 2, "GET /lost": 2} {
		method, path, _ := strings.Cut(call, " ")
		srv := serve(t, func(n int64, w http.ResponseWriter, r *http.Request) {
			switch {
			case n > 1:
			case r.URL.Path == "/lost":
				panic(http.ErrAbortHandler)
			default:
				w.WriteHeader(503)
			}
		})
		s := open(t, scheduler.Config{})
		c := client(t, &ratehttp.Transport{Scheduler: s, Base: &http.Transport{DisableKeepAlives: true}, Repeatable: after503})
		if res, err := c.Do(request(t, method, srv.URL+path, "an order")); err == nil {
			_ = text(t, res, err)
		}
		require.Equal(t, want, srv.requests.Load(), call)
		idle(t, s, srv)
	}
}

// TestH65_BudgetThatIsUsedUp checks that a verdict names the scheduler's budget that is empty at the server, and of several the one
// that is full again last.
func TestH65_BudgetThatIsUsedUp(t *testing.T) {
	three := bucket.Limits{"requests": plenty, "tokens": plenty, "in": plenty}
	ours := func(name string) string {
		return map[string]string{"requests": "requests", "tokens": "tokens", "input-tokens": "in"}[name]
	}
	const some = "; X-Ratelimit-Remaining-Requests: 5"
	for answer, want := range map[string]string{
		"429": "",
		"429 X-Ratelimit-Remaining-Tokens: 0" + some:                "tokens",
		"403 X-Ratelimit-Remaining-Tokens: 0" + some:                "tokens",
		"429 Anthropic-Ratelimit-Input-Tokens-Remaining: 0" + some:  "in",
		"429 Anthropic-Ratelimit-Output-Tokens-Remaining: 0" + some: "",
		"503 X-Ratelimit-Remaining-Tokens: 0" + some:                "",
		"429 X-Ratelimit-Remaining-Tokens: 0; X-Ratelimit-Reset-Tokens: 9s; X-Ratelimit-Remaining-Requests: 0; X-Ratelimit-Reset-Requests: 50s":      "requests",
		"429 X-Ratelimit-Remaining-Tokens: 0; X-Ratelimit-Reset-Tokens: 50s; X-Ratelimit-Remaining-Requests: 0; X-Ratelimit-Reset-Requests: 9s":      "tokens",
		"429 X-Ratelimit-Remaining-Tokens: 0; X-Ratelimit-Remaining-Requests: 0; X-Ratelimit-Reset-Requests: 50s":                                    "requests",
		`429 RateLimit: "requests";r=0;t=5; RateLimit-Policy: "requests";q=10;qu="content-bytes"` + some:                                             "",
		"429 Anthropic-Ratelimit-Output-Tokens-Remaining: 0; X-Ratelimit-Remaining-Requests: 0; Anthropic-Ratelimit-Output-Tokens-Reset: 2999-01-01": "requests",
	} {
		srv := answers(t, answer)
		s := open(t, scheduler.Config{Limits: three})
		var said retry.Verdict
		c := client(t, &ratehttp.Transport{Scheduler: s, Budget: ours, Classify: func(a ratehttp.Attempt) retry.Verdict {
			said = a.Verdict()
			return retry.Verdict{}
		}})
		res, err := c.Get(srv.URL)
		_ = text(t, res, err)
		require.Equal(t, want, said.Budget, answer)
	}
}

// TestH65_BudgetIsPassedOn checks that the scheduler gets the whole verdict of a nil Classify.
func TestH65_BudgetIsPassedOn(t *testing.T) {
	srv := answers(t, "429 X-Ratelimit-Remaining-Tokens: 0; X-Ratelimit-Remaining-Requests: 5")
	s := open(t, scheduler.Config{Limits: bucket.Limits{"requests": plenty, "tokens": plenty}})
	sub := s.Subscribe(events.Of(events.Retrying))
	res, err := client(t, &ratehttp.Transport{Scheduler: s}).Get(srv.URL)
	_ = text(t, res, err)
	v, ok := retry.Marked(until(t, sub, events.Retrying).Err)
	require.True(t, ok)
	require.Equal(t, "tokens", v.Budget)
}

// TestH65_OtherBudgetsKeepTheirLevel checks that a refusal about tokens, with a wait, does not empty the budget of requests.
func TestH65_OtherBudgetsKeepTheirLevel(t *testing.T) {
	srv := answers(t, "429 Retry-After-Ms: 5; X-Ratelimit-Remaining-Tokens: 0; X-Ratelimit-Remaining-Requests: 99", "200")
	s := open(t, scheduler.Config{Limits: bucket.Limits{"requests": bucket.Per(100, time.Hour), "tokens": bucket.PerSecond(1000)}})
	res, err := client(t, &ratehttp.Transport{Scheduler: s}).Get(srv.URL)
	require.Equal(t, "answer 2", text(t, res, err))
	require.EqualValues(t, 98, s.Snapshot().Budgets[0].Available)
	idle(t, s, srv)
}
