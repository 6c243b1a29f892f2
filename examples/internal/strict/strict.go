// Package strict is an HTTP API that enforces a quota and, on request, misbehaves. It
// is what the examples run against. Its limiter is github.com/throttled/throttled, so
// that Fairlead is not judged by its own bucket.
package strict

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/throttled/throttled/v2"
	"github.com/throttled/throttled/v2/store/memstore"
)

// Config says what quota an API enforces and how it misbehaves. Rates of misbehaviour
// are shares of the requests that the quota let through, from 0 to 1.
type Config struct {
	PerMinute int // requests
	Burst     int // requests at once

	FailRate float64       // answered with 500 or 503, half of the latter with Retry-After
	DropRate float64       // connection closed without an answer
	SlowRate float64       // answered late
	Slow     time.Duration // how late
	Seed     uint64        // of the misbehaviour

	// Log is told of every request and what became of it, one at a time. May be nil.
	Log func(Entry)
}

// Entry is one request: its X-Request-Id and the status it was answered with, or
// StatusDropped.
type Entry struct {
	At     time.Time
	ID     string
	Status int
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
	if e.Slow {
		status += " slow"
	}
	return fmt.Sprintf("%s %s %s", e.At.UTC().Format(time.RFC3339Nano), e.ID, status)
}

// API is an http.Handler. Any path is answered like a chat completion; GET /healthz is
// free of the quota.
type API struct {
	cfg     Config
	limiter *throttled.GCRARateLimiterCtx

	mu  sync.Mutex
	rnd *rand.Rand
}

// New returns an API. It fails if there is no quota to enforce or a rate is not one.
func New(cfg Config) (*API, error) {
	if cfg.PerMinute < 1 || cfg.Burst < 1 {
		return nil, fmt.Errorf("quota of %d requests a minute, %d at once: both must be at least 1", cfg.PerMinute, cfg.Burst)
	}
	for name, rate := range map[string]float64{"fail": cfg.FailRate, "drop": cfg.DropRate, "slow": cfg.SlowRate} {
		if math.IsNaN(rate) || rate < 0 || rate > 1 {
			return nil, fmt.Errorf("%s rate of %v: it must be from 0 to 1", name, rate)
		}
	}
	store, err := memstore.NewCtx(0)
	if err != nil {
		return nil, err
	}
	quota := throttled.RateQuota{MaxRate: throttled.PerMin(cfg.PerMinute), MaxBurst: cfg.Burst - 1}
	limiter, err := throttled.NewGCRARateLimiterCtx(store, quota)
	if err != nil {
		return nil, err
	}
	return &API{cfg: cfg, limiter: limiter, rnd: rand.New(rand.NewPCG(cfg.Seed, 0))}, nil
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
	limited, result, err := a.limiter.RateLimitCtx(context.WithoutCancel(r.Context()), "all", 1)
	if err != nil {
		a.fail(w, r, http.StatusInternalServerError, err.Error())
		return
	}
	if limited {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(result.RetryAfter.Seconds()))))
		a.fail(w, r, http.StatusTooManyRequests, "rate limit exceeded")
		return
	}
	a.answer(w, r, body)
}

// answer is for requests that the quota let through.
func (a *API) answer(w http.ResponseWriter, r *http.Request, body []byte) {
	slow := false
	fate, coin := a.draw()
	switch {
	case fate < a.cfg.DropRate:
		a.log(r, StatusDropped, false)
		panic(http.ErrAbortHandler) // closes the connection
	case fate < a.cfg.DropRate+a.cfg.FailRate:
		status := http.StatusInternalServerError
		if coin < 0.5 {
			status = http.StatusServiceUnavailable
		}
		if coin < 0.25 {
			w.Header().Set("Retry-After", "1")
		}
		a.fail(w, r, status, "something went wrong on our side")
		return
	case fate < a.cfg.DropRate+a.cfg.FailRate+a.cfg.SlowRate:
		slow = true
		select {
		case <-time.After(a.cfg.Slow):
		case <-r.Context().Done():
		}
	}
	a.log(r, http.StatusOK, slow)
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(completion(r, body))
}

// completion looks like the answer of a chat API.
func completion(r *http.Request, body []byte) map[string]any {
	var request struct{ Model string }
	_ = json.Unmarshal(body, &request) // any body is answered
	return map[string]any{
		"id": "chatcmpl-" + r.Header.Get("X-Request-Id"), "object": "chat.completion", "model": request.Model,
		"choices": []any{map[string]any{
			"index": 0, "finish_reason": "stop",
			"message": map[string]any{"role": "assistant", "content": fmt.Sprintf("I have read your %d bytes.", len(body))},
		}},
		"usage": map[string]int{"prompt_tokens": len(body) / 4, "completion_tokens": 7, "total_tokens": len(body)/4 + 7},
	}
}

func (a *API) fail(w http.ResponseWriter, r *http.Request, status int, message string) {
	a.log(r, status, false)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{"message": message, "code": http.StatusText(status)}})
}

func (a *API) draw() (fate, coin float64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.rnd.Float64(), a.rnd.Float64()
}

func (a *API) log(r *http.Request, status int, slow bool) {
	if a.cfg.Log == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.cfg.Log(Entry{At: time.Now(), ID: r.Header.Get("X-Request-Id"), Status: status, Slow: slow})
}
