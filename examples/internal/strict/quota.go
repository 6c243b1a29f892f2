package strict

import (
	"context"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/throttled/throttled/v2"
	"github.com/throttled/throttled/v2/store/memstore"
)

// quota is how much of something the API lets through. It has no lock: the API's is held.
type quota struct {
	of        string // "requests" or "tokens"
	perMinute int
	burst     int
	limiter   *throttled.GCRARateLimiterCtx
}

func newQuota(of string, perMinute, burst int) (*quota, error) {
	store, err := memstore.NewCtx(0)
	if err != nil {
		return nil, err
	}
	limiter, err := throttled.NewGCRARateLimiterCtx(store, throttled.RateQuota{MaxRate: throttled.PerMin(perMinute), MaxBurst: burst - 1})
	if err != nil {
		return nil, err
	}
	return &quota{of: of, perMinute: perMinute, burst: burst, limiter: limiter}, nil
}

// ask takes n, or nothing if they are not there. A negative n gives back: throttled has no word
// for that, but its arithmetic does it, and a quota that is full stays so.
func (q *quota) ask(n int) (ok bool, wait time.Duration, err error) {
	limited, result, err := q.limiter.RateLimitCtx(context.Background(), "all", n)
	return !limited, result.RetryAfter, err
}

// tell sets the header fields in which OpenAI says how much is left, and when all of it will be.
func (q *quota) tell(h http.Header) error {
	_, result, err := q.limiter.RateLimitCtx(context.Background(), "all", 0) // takes nothing
	if err != nil {
		return err
	}
	h.Set("x-ratelimit-limit-"+q.of, strconv.Itoa(q.perMinute))
	h.Set("x-ratelimit-remaining-"+q.of, strconv.Itoa(min(result.Remaining, q.perMinute)))
	h.Set("x-ratelimit-reset-"+q.of, result.ResetAfter.String())
	return nil
}

// refusal is why a request is not let through.
type refusal struct {
	message string
	wait    time.Duration // until it would be; negative if it never would
}

// refuse answers a request that is not let through.
func (a *API) refuse(w http.ResponseWriter, r *http.Request, no *refusal) {
	if no.wait > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(no.wait.Seconds()))))
	} else {
		w.Header().Set("x-should-retry", "false")
	}
	a.fail(w, r, http.StatusTooManyRequests, 0, no.message)
}
