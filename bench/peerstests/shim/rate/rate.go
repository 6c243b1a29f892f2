// Package rate replaces golang.org/x/time/rate for that package's own tests. It has the names that they use, on
// top of a [bucket.Bucket], which takes the time from the tests.
package rate

import (
	"context"
	"errors"
	"math"
	"sync"
	"time"

	"example.com/fairlead/bench/peerstests/limits"
	"example.com/fairlead/bucket"
)

// Names that the tests use.
const (
	Inf         = Limit(math.MaxFloat64)
	InfDuration = bucket.Forever
)

// origin is the zero of the buckets' instants. Instants may be negative.
var origin = time.Now()

// Limit is a rate in tokens a second.
type Limit float64

// Limiter is a bucket with a lock.
type Limiter struct {
	mu     sync.Mutex
	bucket bucket.Bucket
	err    error // of an invalid limit

	//lint:ignore U1000 a test writes these into its log, and that is all
	tokens, last, lastEvent struct{}
}

// NewLimiter returns a limiter that is full at first.
func NewLimiter(r Limit, burst int) *Limiter {
	b, err := bucket.New(limits.PerSecond(float64(r), burst), math.MinInt64)
	return &Limiter{bucket: b, err: err}
}

// TokensAt returns how many tokens there would be at t. It changes nothing.
func (lim *Limiter) TokensAt(t time.Time) float64 {
	lim.mu.Lock()
	defer lim.mu.Unlock()
	b := lim.bucket
	b.Advance(t.Sub(origin))
	return float64(b.Available())
}

// Allow takes one token now, if there is one.
func (lim *Limiter) Allow() bool { return lim.AllowN(time.Now(), 1) }

// AllowN takes n tokens at t, if there are as many.
func (lim *Limiter) AllowN(t time.Time, n int) bool {
	lim.mu.Lock()
	defer lim.mu.Unlock()
	return lim.err == nil && lim.bucket.Take(t.Sub(origin), int64(n))
}

// SetLimit changes the rate now.
func (lim *Limiter) SetLimit(r Limit) { lim.SetLimitAt(time.Now(), r) }

// SetLimitAt changes the rate at t.
func (lim *Limiter) SetLimitAt(t time.Time, r Limit) {
	lim.set(t, func(l bucket.Limit) bucket.Limit { return limits.PerSecond(float64(r), int(l.Capacity)) })
}

// SetBurstAt changes the capacity at t.
func (lim *Limiter) SetBurstAt(t time.Time, burst int) {
	lim.set(t, func(l bucket.Limit) bucket.Limit { return l.Burst(int64(burst)) })
}

func (lim *Limiter) set(t time.Time, change func(bucket.Limit) bucket.Limit) {
	lim.mu.Lock()
	defer lim.mu.Unlock()
	lim.err = errors.Join(lim.err, lim.bucket.SetLimit(t.Sub(origin), change(lim.bucket.Limit())))
}

// Reservation is a reservation of tokens that are paid for and come at timeToAct.
type Reservation struct {
	ok        bool
	lim       *Limiter
	tokens    int64
	timeToAct time.Time
}

// reserveN pays for n tokens at t, if they come within the longest wait. The bucket goes into debt, so that
// later reservations wait for these.
func (lim *Limiter) reserveN(t time.Time, n int, longest time.Duration) Reservation {
	lim.mu.Lock()
	defer lim.mu.Unlock()
	r := Reservation{lim: lim, tokens: int64(n)}
	if lim.err != nil || lim.bucket.Limit().CheckCost(r.tokens) != nil {
		return r
	}
	at := t.Sub(origin)
	lim.bucket.Advance(at)
	r.timeToAct = origin.Add(lim.bucket.Ready(r.tokens))
	if r.timeToAct.After(t.Add(longest)) {
		return r
	}
	lim.bucket.Charge(at, r.tokens)
	r.ok = true
	return r
}

// CancelAt gives the tokens back at t, unless they have come by then and count as used.
func (r *Reservation) CancelAt(t time.Time) {
	if !r.ok || r.timeToAct.Before(t) {
		return
	}
	r.lim.mu.Lock()
	defer r.lim.mu.Unlock()
	r.lim.bucket.Refund(t.Sub(origin), r.tokens)
}

// wait waits from t on for n tokens, on a timer of the test.
//
//lint:ignore U1000 the tests call it
func (lim *Limiter) wait(ctx context.Context, n int, t time.Time, newTimer func(time.Duration) (<-chan time.Time, func() bool, func())) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	longest := InfDuration
	if deadline, ok := ctx.Deadline(); ok {
		longest = deadline.Sub(t)
	}
	r := lim.reserveN(t, n, longest)
	if !r.ok {
		return errors.New("the tokens come too late, or never")
	}
	if !r.timeToAct.After(t) {
		return nil
	}
	tick, stop, advance := newTimer(r.timeToAct.Sub(t))
	defer stop()
	advance()
	select {
	case <-tick:
		return nil
	case <-ctx.Done():
		r.CancelAt(time.Now())
		return ctx.Err()
	}
}
