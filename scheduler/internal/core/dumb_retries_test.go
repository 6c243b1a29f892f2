package core

import (
	"slices"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry"
)

// dumbRetries is a retry budget in the model.
type dumbRetries struct {
	left    *dumbBudget // in thousandths of a retry
	at      time.Duration
	perCall int64
	waits   bool
}

// newDumbRetries returns a full budget, or nil if there is none.
func newDumbRetries(b *retry.Budget) *dumbRetries {
	if b == nil {
		return nil
	}
	l, perCall := retryLimit(b.WithDefaults())
	return &dumbRetries{newDumbBudget(l), 0, perCall, b.Wait}
}

// refill adds what time has added, which is also in holds and pauses.
func (r *dumbRetries) refill(now time.Duration) {
	r.left.refillFor(now - r.at)
	r.at = now
}

func (r *dumbRetries) add(now time.Duration, n int64) {
	if r != nil {
		r.refill(now)
		r.left.add(n)
	}
}

// earn adds the share of a first attempt.
func (d *dumb) earn(l *dumbLane) {
	for _, r := range []*dumbRetries{d.retries, l.retries} {
		if r != nil {
			r.add(d.now, r.perCall)
		}
	}
}

// has reports whether the budget has a retry.
func (r *dumbRetries) has(now time.Duration) bool {
	if r == nil {
		return true
	}
	r.refill(now)
	return r.left.tokens() >= wholeRetry
}

// payment says what becomes of a retry.
type payment uint8

const (
	paid payment = iota
	waitsToPay
	tooPoor
)

// payForRetry lets a retry pay both budgets, or none. waited says that it was the first to wait.
func (d *dumb) payForRetry(c *dumbCall, waited bool) payment {
	switch own := c.lane.retries; {
	case !own.has(d.now):
		return tooPoor
	case d.retries.has(d.now) && (waited || len(d.unpaid) == 0):
		own.add(d.now, -wholeRetry)
		d.retries.add(d.now, -wholeRetry)
		return paid
	case d.retries.waits:
		return waitsToPay
	}
	return tooPoor
}

// dueOf returns when a call falls due. One that waits for the retry budget falls due when no retry of it may begin
// any more.
func (d *dumb) dueOf(c *dumbCall) time.Duration {
	switch {
	case !slices.Contains(d.unpaid, c):
		return c.due
	case c.lastRetry > 0:
		return After(c.lastRetry, 1)
	}
	return bucket.Forever
}

// nextPayment returns the call that pays next of those that wait for the budget, and when, or nil.
func (d *dumb) nextPayment() (*dumbCall, time.Duration) {
	if len(d.unpaid) == 0 {
		return nil, bucket.Forever
	}
	d.retries.refill(d.now)
	return d.unpaid[0], After(d.now, d.retries.left.wait(wholeRetry))
}
