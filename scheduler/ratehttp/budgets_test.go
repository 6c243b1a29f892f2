package ratehttp_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/scheduler"
	"example.com/fairlead/scheduler/ratehttp"
)

// TestObserve checks that what is left according to the server lowers the scheduler's budgets, and never raises them.
func TestObserve(t *testing.T) {
	one := scheduler.Config{Limit: slow}
	several := scheduler.Config{Limits: bucket.Limits{"requests": slow, "tokens": slow}}
	tokens := &ratehttp.Tokens{}
	to := func(name string) func(string) string { return func(string) string { return name } }
	for name, c := range map[string]struct {
		cfg    scheduler.Config
		answer string
		tokens *ratehttp.Tokens
		names  func(string) string
		left   map[string]int64
	}{
		"by name":                       {cfg: several, answer: "x-ratelimit-remaining-requests: 7; x-ratelimit-remaining-tokens: 70", left: map[string]int64{"requests": 7, "tokens": 70}},
		"what is not there":             {cfg: several, answer: "anthropic-ratelimit-input-tokens-remaining: 7; x-ratelimit-remaining: 8", left: map[string]int64{"requests": 999, "tokens": 999}},
		"one without a name":            {cfg: one, answer: "x-ratelimit-remaining: 7", left: map[string]int64{"": 7}},
		"one that counts requests":      {cfg: one, answer: "x-ratelimit-remaining-requests: 7; x-ratelimit-remaining-tokens: 3", left: map[string]int64{"": 7}},
		"one that counts tokens":        {cfg: one, tokens: tokens, answer: "x-ratelimit-remaining-requests: 7; x-ratelimit-remaining: 5; x-ratelimit-remaining-tokens: 70", left: map[string]int64{"": 70}},
		"never raised":                  {cfg: one, answer: "x-ratelimit-remaining: 5000", left: map[string]int64{"": 999}},
		"by another name":               {cfg: one, names: to(""), answer: "x-ratelimit-remaining: 7; x-ratelimit-resource: core", left: map[string]int64{"": 7}},
		"by a name that there is not":   {cfg: one, names: to("no"), answer: "x-ratelimit-remaining: 7", left: map[string]int64{"": 999}},
		"what is unknown":               {cfg: one, answer: "x-ratelimit-limit: 7; x-ratelimit-remaining: -1", left: map[string]int64{"": 999}},
		"what counts requests, by unit": {cfg: one, answer: `ratelimit: "";r=7; ratelimit-policy: "";q=9;qu="requests"`, left: map[string]int64{"": 7}},
		"what counts something else":    {cfg: one, answer: `ratelimit: "";r=7; ratelimit-policy: "";q=9;qu="content-bytes"`, left: map[string]int64{"": 999}},
	} {
		t.Run(name, func(t *testing.T) {
			srv := answers(t, "200 "+c.answer)
			s := open(t, c.cfg)
			res, err := client(t, &ratehttp.Transport{Scheduler: s, Tokens: c.tokens, Budget: c.names, Options: costsOne}).Get(srv.URL)
			_ = text(t, res, err)
			require.Equal(t, c.left, left(s))
			idle(t, s, srv)
		})
	}
}

func costsOne(*http.Request) []scheduler.Option { return []scheduler.Option{scheduler.Cost(1)} }
