package ratehttp_test

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
	"example.com/fairlead/scheduler/ratehttp"
)

func TestByHost(t *testing.T) {
	for in, want := range map[string]string{
		"https://API.example.com/a":     "api.example.com",
		"https://api.example.com:443/a": "api.example.com",
		"HTTPS://api.example.com:443":   "api.example.com",
		"https://api.example.com:80/a":  "api.example.com:80",
		"http://api.example.com:80/a":   "api.example.com",
		"http://api.example.com:443/a":  "api.example.com:443",
		"http://api.example.com:":       "api.example.com",
		"http://user:x@localhost:8080":  "localhost:8080",
		"http://[::1]:80/":              "[::1]",
		"https://[::1]:8080/":           "[::1]:8080",
		"/a":                            "",
	} {
		u, err := url.Parse(in)
		require.NoError(t, err)
		require.Equal(t, want, ratehttp.ByHost(&http.Request{URL: u}), in)
	}
	require.Empty(t, ratehttp.ByHost(new(http.Request)))
}

// hostOf returns the key of requests to a server.
func hostOf(srv *server) string { return strings.TrimPrefix(srv.URL, "http://") }

// in returns a request that may take ten seconds.
func in(t *testing.T, c *http.Client, url string) (*http.Response, error) {
	t.Helper()
	quick := *c
	quick.Timeout = 10 * time.Second
	return quick.Get(url)
}

// TestRefusingHost checks that a host's Retry-After holds requests to that host and no others, or all with ScopeAll.
func TestRefusingHost(t *testing.T) {
	for _, holds := range []retry.Scope{retry.ScopeDefault, retry.ScopeKey, retry.ScopeAll} {
		refusing, other := answers(t, "429 Retry-After: 60"), answers(t, "200")
		s := open(t, scheduler.Config{PerKey: scheduler.PerKey{Holds: holds}, Retry: retry.Policy{MaxRetries: retry.None}})
		c := client(t, &ratehttp.Transport{Scheduler: s, Key: ratehttp.ByHost})
		res, err := in(t, c, refusing.URL)
		require.Equal(t, "answer 1", text(t, res, err))
		require.Equal(t, 429, res.StatusCode)
		_, err = in(t, c, refusing.URL)
		require.ErrorAs(t, err, new(*scheduler.DeadlineError), "the host is held")
		snap, err := s.SnapshotOf(hostOf(refusing))
		require.NoError(t, err)

		res, err = in(t, c, other.URL)
		if holds == retry.ScopeAll {
			require.ErrorAs(t, err, new(*scheduler.DeadlineError))
			require.Zero(t, snap.HeldUntil)
			continue
		}
		require.Equal(t, "answer 1", text(t, res, err))
		require.GreaterOrEqual(t, snap.HeldUntil.Sub(snap.At), 50*time.Second)
		require.Zero(t, s.Snapshot().HeldUntil)
	}
}

// TestSlowHost checks that requests to a host that does not answer take no slot from those to another.
func TestSlowHost(t *testing.T) {
	finish, arrived := make(chan struct{}), make(chan struct{}, 20)
	stuck := serve(t, func(_ int64, w http.ResponseWriter, _ *http.Request) {
		arrived <- struct{}{}
		<-finish
	})
	release := sync.OnceFunc(func() { close(finish) })
	t.Cleanup(release)
	other := answers(t, "200")
	s := open(t, scheduler.Config{MaxInFlight: 3, PerKey: scheduler.PerKey{MaxInFlight: 2}})
	c := client(t, &ratehttp.Transport{Scheduler: s, Key: ratehttp.ByHost})
	ended := make(chan error, cap(arrived))
	for range cap(ended) {
		go func() {
			res, err := c.Get(stuck.URL)
			if err == nil {
				err = res.Body.Close()
			}
			ended <- err
		}()
	}
	<-arrived
	<-arrived
	for range 3 {
		res, err := in(t, c, other.URL)
		require.Contains(t, text(t, res, err), "answer")
	}
	snap, err := s.SnapshotOf(hostOf(stuck))
	require.NoError(t, err)
	require.Equal(t, 2, snap.Running)
	release()
	for range cap(ended) {
		require.NoError(t, <-ended)
	}
	idle(t, s, nil)
}

// TestRedirectToAnotherHost checks that a redirect's request has the key of its own host, and that Key replaces a key in Options.
func TestRedirectToAnotherHost(t *testing.T) {
	target := answers(t, "200")
	origin := answers(t, "302 Location: "+target.URL)
	s := open(t, scheduler.Config{PerKey: scheduler.PerKey{Limit: slow}})
	options := func(*http.Request) []scheduler.Option { return []scheduler.Option{scheduler.Key("options")} }
	c := client(t, &ratehttp.Transport{Scheduler: s, Key: ratehttp.ByHost, Options: options})
	res, err := c.Get(origin.URL)
	require.Equal(t, "answer 1", text(t, res, err))
	for key, want := range map[string]int64{hostOf(origin): 999, hostOf(target): 999, "options": 1000} {
		require.Equal(t, map[string]int64{"key": want}, leftOf(t, s, key), key)
	}
}

// leftOf returns what is left of the budgets of a key.
func leftOf(t *testing.T, s *scheduler.Scheduler, key string) map[string]int64 {
	snap, err := s.SnapshotOf(key)
	require.NoError(t, err)
	all := map[string]int64{}
	for _, b := range snap.Budgets {
		all[b.Name] = b.Available
	}
	return all
}

// TestObserveKey checks that what is left according to the server lowers the budget of the key, if it has one.
func TestObserveKey(t *testing.T) {
	one := scheduler.Config{Limit: slow, PerKey: scheduler.PerKey{Limit: slow}}
	shared := scheduler.Config{Limit: slow}
	named := scheduler.Config{Limits: bucket.Limits{"tokens": slow}, PerKey: scheduler.PerKey{Limits: bucket.Limits{"requests": slow}}}
	hosts := scheduler.Config{Limit: slow, PerKey: scheduler.PerKey{Limit: bucket.Unlimited}}
	to := func(name string) func(string) string { return func(string) string { return name } }
	for name, c := range map[string]struct {
		cfg       scheduler.Config
		key       string
		names     func(string) string
		answer    string
		own, left map[string]int64
	}{
		"the key's":         {cfg: one, key: "a", answer: "x-ratelimit-remaining: 7", own: map[string]int64{"key": 7}, left: map[string]int64{"": 999}},
		"no key":            {cfg: one, answer: "x-ratelimit-remaining: 7", own: map[string]int64{"key": 1000}, left: map[string]int64{"": 7}},
		"by another name":   {cfg: one, key: "a", names: to(""), answer: "x-ratelimit-remaining: 7", own: map[string]int64{"key": 999}, left: map[string]int64{"": 7}},
		"by the key's name": {cfg: one, key: "a", names: to(scheduler.KeyBudget), answer: "x-ratelimit-remaining-x: 7; x-ratelimit-remaining: 8", own: map[string]int64{"key": 8}, left: map[string]int64{"": 999}},
		"no key, its name":  {cfg: one, names: to(scheduler.KeyBudget), answer: "x-ratelimit-remaining: 7", own: map[string]int64{"key": 1000}, left: map[string]int64{"": 999}},
		"the shared one":    {cfg: shared, key: "a", answer: "x-ratelimit-remaining: 7", own: map[string]int64{}, left: map[string]int64{"": 7}},
		"of a host alone":   {cfg: hosts, key: "a", answer: "x-ratelimit-remaining: 0", own: map[string]int64{"key": bucket.Unlimited.Capacity}, left: map[string]int64{"": 999}},
		"by name":           {cfg: named, key: "a", answer: "x-ratelimit-remaining-requests: 7; x-ratelimit-remaining-tokens: 70", own: map[string]int64{"requests": 7}, left: map[string]int64{"tokens": 70}},
		"by name, no key":   {cfg: named, answer: "x-ratelimit-remaining-requests: 7; x-ratelimit-remaining-tokens: 70", own: map[string]int64{"requests": 1000}, left: map[string]int64{"tokens": 70}},
	} {
		t.Run(name, func(t *testing.T) {
			srv := answers(t, "200 "+c.answer)
			s := open(t, c.cfg)
			tr := &ratehttp.Transport{Scheduler: s, Key: func(*http.Request) string { return c.key }, Budget: c.names}
			res, err := client(t, tr).Get(srv.URL)
			_ = text(t, res, err)
			require.Equal(t, c.own, leftOf(t, s, "a"))
			require.Equal(t, c.left, left(s))
			idle(t, s, srv)
		})
	}
}

// TestTokensOfKey checks that a model's tokens are paid from the budget of the key, and settled there.
func TestTokensOfKey(t *testing.T) {
	large := bucket.Per(1000, 1000*time.Hour)
	one := scheduler.Config{Limit: large, PerKey: scheduler.PerKey{Limit: large}}
	named := scheduler.Config{Limit: large, PerKey: scheduler.PerKey{Limits: bucket.Limits{"tokens": large}}}
	for name, c := range map[string]struct {
		cfg       scheduler.Config
		key       string
		own, left map[string]int64
	}{
		"one each":        {one, "a", map[string]int64{"key": 970}, map[string]int64{"": 970}},
		"one, no key":     {one, "", map[string]int64{"key": 1000}, map[string]int64{"": 970}},
		"by name":         {named, "a", map[string]int64{"tokens": 970}, map[string]int64{"": 999}},
		"by name, no key": {named, "", map[string]int64{"tokens": 1000}, map[string]int64{"": 970}},
	} {
		t.Run(name, func(t *testing.T) {
			srv := serve(t, func(_ int64, w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				_, _ = w.Write([]byte(`{"usage":{"prompt_tokens":10,"completion_tokens":20,"total_tokens":30}}`))
			})
			s := open(t, c.cfg)
			tr := &ratehttp.Transport{Scheduler: s, Key: func(*http.Request) string { return c.key }, Tokens: &ratehttp.Tokens{Output: 100}}
			req := request(t, "POST", srv.URL, `{"prompt":"hello"}`)
			req.Header.Set("Content-Type", "application/json")
			res, err := client(t, tr).Do(req)
			_ = text(t, res, err)
			require.Equal(t, c.own, leftOf(t, s, "a"))
			require.Equal(t, c.left, left(s))
			idle(t, s, srv)
		})
	}
}

// TestUsedUpOfKey checks that a refusal which names a budget of the key holds that key alone, and empties that budget.
func TestUsedUpOfKey(t *testing.T) {
	limits := bucket.Limits{"requests": slow, "tokens": slow}
	srv := answers(t, "429 Retry-After: 60; x-ratelimit-remaining-requests: 5; x-ratelimit-remaining-tokens: 0")
	s := open(t, scheduler.Config{Limit: slow, PerKey: scheduler.PerKey{Limits: limits}, Retry: retry.Policy{MaxRetries: retry.None}})
	res, err := client(t, &ratehttp.Transport{Scheduler: s, Key: ratehttp.ByHost}).Get(srv.URL)
	_ = text(t, res, err)
	require.Equal(t, map[string]int64{"requests": 5, "tokens": 0}, leftOf(t, s, hostOf(srv)))
	require.Equal(t, map[string]int64{"": 999}, left(s))
	require.Zero(t, s.Snapshot().HeldUntil)
}
