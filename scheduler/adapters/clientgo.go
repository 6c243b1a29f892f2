package adapters

import (
	"math"
	"time"

	"example.com/fairlead/bucket"
)

// TryAccept does the same as Allow, for client-go's flowcontrol.RateLimiter.
func (l Limiter) TryAccept() bool { return l.Allow() }

// Accept waits for a token however long it takes, for flowcontrol.RateLimiter. It panics if it
// can't get one, because the scheduler is closed, or refuses the call for its
// [scheduler.Config.MaxQueued] or an option.
func (l Limiter) Accept() { l.must("Accept") }

// Stop closes the scheduler, for flowcontrol.RateLimiter. Other users of the scheduler get no
// more tokens either. The clients of client-go don't call Stop.
func (l Limiter) Stop() {
	if l.Scheduler != nil {
		l.Scheduler.Close()
	}
}

// QPS returns how many tokens arrive a second, for flowcontrol.RateLimiter. Of several budgets it
// returns that of the slowest. For a limit with a Reset it is the mean, with months of 30 days.
func (l Limiter) QPS() float32 {
	if l.Scheduler == nil {
		return 0
	}
	qps := math.Inf(1)
	for _, b := range l.Scheduler.Snapshot().Budgets {
		qps = min(qps, perSecond(b.Limit))
	}
	return float32(qps)
}

// perSecond returns how many tokens of a limit arrive a second.
func perSecond(l bucket.Limit) float64 {
	if r := l.Reset; r != (bucket.Reset{}) {
		return float64(l.Capacity) / (r.Every.Seconds() + float64(r.Days+30*r.Months)*(24*time.Hour).Seconds())
	}
	return float64(l.Refill) / l.Per.Seconds()
}
