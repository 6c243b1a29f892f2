// Package strict is an HTTP API that enforces a quota and, on request, misbehaves. It
// is what the examples run against. Its limiter is github.com/throttled/throttled, so
// that Fairlead is not judged by its own bucket.
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

// Config says what quota an API enforces and how it misbehaves. Rates of misbehaviour
// are shares of the requests that the quota let through, from 0 to 1.
type Config struct {
	PerMinute int // requests
	Burst     int // requests at once

	// Tokens are what requests and their answers are counted in besides. A request is
	// counted as a token for every four bytes of its body, and all those that its answer
	// may have; when it is answered, as what it has really used. One that fails keeps what
	// it was counted as. One that is refused for want of tokens has still been a request.
	TokensPerMinute int // 0: they are not counted
	TokenBurst      int // tokens at once; 0 stands for a minute's

	FailRate float64       // answered with 500 or 503, half of the latter with Retry-After
	DropRate float64       // connection closed without an answer
	SlowRate float64       // answered late
	Slow     time.Duration // how late
	Seed     uint64        // of the misbehaviour

	// Log is told of every request and what became of it, one at a time. May be nil.
	Log func(Entry)
}

// String says what the quota is.
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

// Entry is one request: its X-Request-Id and the status it was answered with, or
// StatusDropped.
type Entry struct {
	At     time.Time
	ID     string
	Status int
	Tokens int  // what it has cost of the quota of tokens
	Slow   bool // answered late
}

// StatusDropped stands for a connection that was closed without an answer.
const StatusDropped = 0

// String is a line for a log.
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

// API is an http.Handler. Any path is answered like a chat completion; GET /healthz is
// free of the quota. Every answer says what is left of the quota in the header fields that
// OpenAI has for it, as of when it is sent.
type API struct {
	cfg Config

	mu       sync.Mutex
	requests *quota
	tokens   *quota // may be nil
	rnd      *rand.Rand
}

// New returns an API. It fails if there is no quota to enforce or a rate is not one.
func New(cfg Config) (*API, error) {
	if cfg.PerMinute < 1 || cfg.Burst < 1 {
		return nil, fmt.Errorf("quota of %d requests a minute, %d at once: both must be at least 1", cfg.PerMinute, cfg.Burst)
	}
	if cfg.TokensPerMinute < 0 || cfg.TokenBurst < 0 || cfg.TokensPerMinute == 0 && cfg.TokenBurst > 0 {
		return nil, fmt.Errorf("quota of %d tokens a minute, %d at once: give both, or the first, or neither", cfg.TokensPerMinute, cfg.TokenBurst)
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

// ServeHTTP answers a request, or not.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet && r.URL.Path == "/healthz" {
		fmt.Fprintln(w, "ok")
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client went away
	}
	ask := read(body)
	no, err := a.admit(ask.atMost())
	switch {
	case err != nil:
		a.fail(w, r, http.StatusInternalServerError, 0, err.Error())
	case no != nil:
		a.refuse(w, r, no)
	default:
		a.answer(w, r, ask)
	}
}

// admit lets a request through that may cost so many tokens, or says why not.
func (a *API) admit(tokens int) (*refusal, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if ok, wait, err := a.requests.ask(1); err != nil || !ok {
		return &refusal{"rate limit exceeded", wait}, err
	}
	if a.tokens == nil {
		return nil, nil
	}
	if ok, wait, err := a.tokens.ask(tokens); err != nil || !ok {
		return &refusal{fmt.Sprintf("rate limit exceeded: this may need %d tokens, of %d at once", tokens, a.tokens.burst), wait}, err
	}
	return nil, nil
}

// settle counts a request as what it has used. If that is more than is left, it stays what
// it was counted as.
func (a *API) settle(ask question) (tokens int) {
	if a.tokens == nil {
		return 0
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	used := ask.prompt + ask.completion
	if ok, _, err := a.tokens.ask(used - ask.atMost()); err != nil || !ok {
		return ask.atMost()
	}
	return used
}

// tell says what is left of the quota.
func (a *API) tell(h http.Header) {
	a.mu.Lock()
	defer a.mu.Unlock()
	_ = a.requests.tell(h) // a store in memory has no errors
	if a.tokens != nil {
		_ = a.tokens.tell(h)
	}
}

// answer is for requests that the quota let through.
func (a *API) answer(w http.ResponseWriter, r *http.Request, ask question) {
	kept := 0 // what it has cost if it fails
	if a.tokens != nil {
		kept = ask.atMost()
	}
	slow := false
	fate, coin := a.draw()
	switch {
	case fate < a.cfg.DropRate:
		a.log(r, Entry{Status: StatusDropped, Tokens: kept})
		panic(http.ErrAbortHandler) // closes the connection
	case fate < a.cfg.DropRate+a.cfg.FailRate:
		status := http.StatusInternalServerError
		if coin < 0.5 {
			status = http.StatusServiceUnavailable
		}
		if coin < 0.25 {
			w.Header().Set("Retry-After", "1")
		}
		a.fail(w, r, status, kept, "something went wrong on our side")
		return
	case fate < a.cfg.DropRate+a.cfg.FailRate+a.cfg.SlowRate:
		slow = true
		select {
		case <-time.After(a.cfg.Slow):
		case <-r.Context().Done():
		}
	}
	a.log(r, Entry{Status: http.StatusOK, Tokens: a.settle(ask), Slow: slow})
	a.tell(w.Header())
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(ask.answer(r.Header.Get("X-Request-Id")))
}

func (a *API) fail(w http.ResponseWriter, r *http.Request, status, tokens int, message string) {
	a.log(r, Entry{Status: status, Tokens: tokens})
	a.tell(w.Header())
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{"message": message, "code": http.StatusText(status)}})
}

func (a *API) draw() (fate, coin float64) {
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
