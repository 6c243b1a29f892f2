// Package strict is an HTTP API that enforces a quota and can be made to fail. The examples run against it. Its
// limiter is github.com/throttled/throttled, so that Fairlead is not tested against its own bucket.
package strict

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// Config sets the quota of an API, and how often the API fails. Rates are shares of the accepted requests, from
// 0 to 1.
type Config struct {
	PerMinute int // requests
	Burst     int // requests at once

	// A request is counted as a token for every four bytes of its body and as many as its answer may have. When
	// it is answered, the count is corrected to what it has used. A failed request keeps its count. A request
	// that is refused for lack of tokens still counts as a request.
	TokensPerMinute int // 0 means not to count tokens
	TokenBurst      int // tokens at once; 0 means TokensPerMinute

	FailRate float64       // answered with 500 or 503, half of the latter with Retry-After
	DropRate float64       // connection closed without an answer
	SlowRate float64       // answered late
	Slow     time.Duration // how late
	Seed     uint64        // of the random failures

	// Log, if not nil, is called for every request, one at a time.
	Log func(Entry)
}

// String describes the quota.
func (cfg Config) String() string {
	s := fmt.Sprintf("%d requests a minute, %d at once", cfg.PerMinute, cfg.Burst)
	if cfg.TokensPerMinute > 0 {
		s += fmt.Sprintf("; %d tokens a minute, %d at once", cfg.TokensPerMinute, cfg.tokenBurst())
	}
	return s
}

func (cfg Config) tokenBurst() int {
	if cfg.TokenBurst == 0 {
		return cfg.TokensPerMinute
	}
	return cfg.TokenBurst
}

// Entry is the log entry of a request, with its X-Request-Id and its status or StatusDropped.
type Entry struct {
	At     time.Time
	ID     string
	Status int
	Tokens int  // taken from the quota
	Slow   bool // answered late
}

// StatusDropped means that the connection was closed without an answer.
const StatusDropped = 0

// String returns a line for a log.
func (e Entry) String() string {
	status := "dropped"
	if e.Status != StatusDropped {
		status = strconv.Itoa(e.Status)
	}
	if e.Tokens > 0 {
		status += fmt.Sprintf(" %d tokens", e.Tokens)
	}
	if e.Slow {
		status += " slow"
	}
	return fmt.Sprintf("%s %s %s", e.At.UTC().Format(time.RFC3339Nano), e.ID, status)
}

// API is an http.Handler. It answers any path like a chat completion, and GET /healthz outside of the quota.
// Every answer says what is left of the quota, in OpenAI's header fields.
type API struct {
	cfg Config

	mu       sync.Mutex
	requests *quota
	tokens   *quota // may be nil
	rnd      *rand.Rand
}

// New returns an API. It fails if the quota is not positive or a rate is not from 0 to 1.
func New(cfg Config) (*API, error) {
	if cfg.PerMinute < 1 || cfg.Burst < 1 {
		return nil, fmt.Errorf("quota of %d requests a minute, %d at once: both must be at least 1", cfg.PerMinute, cfg.Burst)
	}
	if cfg.TokensPerMinute < 0 || cfg.TokenBurst < 0 || cfg.TokensPerMinute == 0 && cfg.TokenBurst > 0 {
		return nil, fmt.Errorf("quota of %d tokens a minute, %d at once: give both, or the first alone, or neither", cfg.TokensPerMinute, cfg.TokenBurst)
	}
	for name, rate := range map[string]float64{"fail": cfg.FailRate, "drop": cfg.DropRate, "slow": cfg.SlowRate} {
		if math.IsNaN(rate) || rate < 0 || rate > 1 {
			return nil, fmt.Errorf("%s rate of %v: it must be from 0 to 1", name, rate)
		}
	}
	a := &API{cfg: cfg, rnd: rand.New(rand.NewPCG(cfg.Seed, 0))}
	var err error
	if a.requests, err = newQuota("requests", cfg.PerMinute, cfg.Burst); err != nil {
		return nil, err
	}
	if cfg.TokensPerMinute > 0 {
		if a.tokens, err = newQuota("tokens", cfg.TokensPerMinute, cfg.tokenBurst()); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// ServeHTTP answers, refuses or drops a request.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet && r.URL.Path == "/healthz" {
		fmt.Fprintln(w, "ok")
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client has gone
	}
	ask := parseRequest(body)
	no, err := a.admit(ask.maxCost())
	switch {
	case err != nil:
		a.fail(w, r, http.StatusInternalServerError, 0, err.Error())
	case no != nil:
		a.refuse(w, r, no)
	default:
		a.serve(w, r, ask)
	}
}

// admit accepts a request that may cost that many tokens, or returns why it is refused.
func (a *API) admit(tokens int) (*refusal, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if ok, wait, err := a.requests.take(1); err != nil || !ok {
		return &refusal{"rate limit exceeded", wait}, err
	}
	if a.tokens == nil {
		return nil, nil
	}
	if ok, wait, err := a.tokens.take(tokens); err != nil || !ok {
		return &refusal{fmt.Sprintf("rate limit exceeded: the request may need %d tokens, and %d are accepted at once", tokens, a.tokens.burst), wait}, err
	}
	return nil, nil
}

// settle corrects the count of a request to what it has used, and returns it. If more was used than is left, the
// count stays.
func (a *API) settle(ask chatRequest) (tokens int) {
	if a.tokens == nil {
		return 0
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	used := ask.prompt + ask.completion
	if ok, _, err := a.tokens.take(used - ask.maxCost()); err != nil || !ok {
		return ask.maxCost()
	}
	return used
}

// setHeaders sets the header fields for what is left of the quota.
func (a *API) setHeaders(h http.Header) {
	a.mu.Lock()
	defer a.mu.Unlock()
	_ = a.requests.setHeader(h) // a store in memory returns no errors
	if a.tokens != nil {
		_ = a.tokens.setHeader(h)
	}
}

// serve answers, fails or drops an accepted request.
func (a *API) serve(w http.ResponseWriter, r *http.Request, ask chatRequest) {
	cost := 0 // if the request fails
	if a.tokens != nil {
		cost = ask.maxCost()
	}
	slow := false
	fate, coin := a.random()
	switch {
	case fate < a.cfg.DropRate:
		a.log(r, Entry{Status: StatusDropped, Tokens: cost})
		panic(http.ErrAbortHandler) // closes the connection
	case fate < a.cfg.DropRate+a.cfg.FailRate:
		status := http.StatusInternalServerError
		if coin < 0.5 {
			status = http.StatusServiceUnavailable
		}
		if coin < 0.25 {
			w.Header().Set("Retry-After", "1")
		}
		a.fail(w, r, status, cost, "something went wrong on our side")
		return
	case fate < a.cfg.DropRate+a.cfg.FailRate+a.cfg.SlowRate:
		slow = true
		select {
		case <-time.After(a.cfg.Slow):
		case <-r.Context().Done():
		}
	}
	a.log(r, Entry{Status: http.StatusOK, Tokens: a.settle(ask), Slow: slow})
	a.setHeaders(w.Header())
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(ask.response(r.Header.Get("X-Request-Id")))
}

func (a *API) fail(w http.ResponseWriter, r *http.Request, status, tokens int, message string) {
	a.log(r, Entry{Status: status, Tokens: tokens})
	a.setHeaders(w.Header())
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{"message": message, "code": http.StatusText(status)}})
}

func (a *API) random() (fate, coin float64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.rnd.Float64(), a.rnd.Float64()
}

func (a *API) log(r *http.Request, e Entry) {
	if a.cfg.Log == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	e.At, e.ID = time.Now(), r.Header.Get("X-Request-Id")
	a.cfg.Log(e)
}
