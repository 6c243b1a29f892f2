// Package token gets a new access token when a server answers 401, and sends the request again.
package token

import (
	"context"
	"errors"
	"net/http"
	"sync"

	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
	"example.com/fairlead/scheduler/ratehttp"
)

// errExpired brings back this request alone, in its place and without a backoff, since its wait is 1 ns.
var errExpired = retry.AfterAlone(errors.New("401: the token has expired"), 1)

// Source adds the present token to each attempt.
type Source struct {
	Base  http.RoundTripper
	Fetch func(context.Context) (string, error) // called once for all requests that need a new token

	mu     sync.Mutex
	token  string
	worked bool // a server has accepted the token
}

// Client returns a client whose requests wait for their turn in s. Each attempt pays, also one that got a 401.
func (t *Source) Client(s *scheduler.Scheduler) *http.Client {
	return &http.Client{Transport: &ratehttp.Transport{Scheduler: s, Base: t, Repeatable: func(a ratehttp.Attempt) bool {
		return errors.Is(a.Err, errExpired) || ratehttp.Idempotent(a) // the server has not acted on it
	}}}
}

// RoundTrip makes an attempt. A 401 for a token that has worked before is an error, which is retried.
func (t *Source) RoundTrip(req *http.Request) (*http.Response, error) {
	token, err := t.current(req.Context())
	if err != nil {
		if req.Body != nil {
			_ = req.Body.Close() // as a RoundTripper must
		}
		return nil, err
	}
	req = req.Clone(req.Context())
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := t.Base.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case res.StatusCode != http.StatusUnauthorized:
		t.worked = t.worked || token == t.token
		return res, nil
	case token == t.token && !t.worked:
		return res, nil // it is new, so another would not help
	case token == t.token:
		t.token = "" // the next attempt fetches another
	}
	_ = res.Body.Close()
	return nil, errExpired
}

// current returns the token. Requests that need a new one wait until one of them has fetched it.
func (t *Source) current(ctx context.Context) (_ string, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.token == "" {
		t.token, err = t.Fetch(ctx)
		t.worked = false
	}
	return t.token, err
}
