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

// quota limits the requests or tokens that the API accepts. It is guarded by the API's lock.
type quota struct {
	unit      string // "requests" or "tokens"
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
	return &quota{unit: of, perMinute: perMinute, burst: burst, limiter: limiter}, nil
}

// take takes n, or nothing if fewer are left. A negative n gives back, up to a full quota, which throttled
// allows but does not document.
func (q *quota) take(n int) (ok bool, wait time.Duration, err error) {
	limited, result, err := q.limiter.RateLimitCtx(context.Background(), "all", n)
	return !limited, result.RetryAfter, err
}

// setHeader sets OpenAI's header fields for what is left and when the quota will be full again.
func (q *quota) setHeader(h http.Header) error {
	_, result, err := q.limiter.RateLimitCtx(context.Background(), "all", 0) // takes nothing
	if err != nil {
		return err
	}
	h.Set("x-ratelimit-limit-"+q.unit, strconv.Itoa(q.perMinute))
	h.Set("x-ratelimit-remaining-"+q.unit, strconv.Itoa(min(result.Remaining, q.perMinute)))
	h.Set("x-ratelimit-reset-"+q.unit, result.ResetAfter.String())
	return nil
}

// refusal tells why a request is refused.
type refusal struct {
	message string
	wait    time.Duration // until it would be accepted; negative if never
}

// refuse answers a request that is over the quota.
func (a *API) refuse(w http.ResponseWriter, r *http.Request, no *refusal) {
	if no.wait > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(no.wait.Seconds()))))
	} else {
		w.Header().Set("x-should-retry", "false")
	}
	a.fail(w, r, http.StatusTooManyRequests, 0, no.message)
}
