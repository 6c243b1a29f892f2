package adapters

import "math"

// TryAccept is Allow, by the name that it has in client-go's flowcontrol.RateLimiter.
func (l Limiter) TryAccept() bool { return l.Allow() }

// Accept waits for a token however long it takes, for flowcontrol.RateLimiter. It panics
// if there won't be any: the scheduler is closed, or refuses the call for its
// [scheduler.Config.MaxQueued] or because of an option.
func (l Limiter) Accept() { l.must("Accept") }

// Stop closes the scheduler, for flowcontrol.RateLimiter: nothing is accepted any more, from
// whomever else it serves either. (The clients of client-go don't call it.)
func (l Limiter) Stop() {
	if l.Scheduler != nil {
		l.Scheduler.Close()
	}
}

// QPS is how many tokens arrive a second, for flowcontrol.RateLimiter; of several budgets,
// in the slowest.
func (l Limiter) QPS() float32 {
	if l.Scheduler == nil {
		return 0
	}
	qps := math.Inf(1)
	for _, b := range l.Scheduler.Snapshot().Budgets {
		qps = min(qps, float64(b.Limit.Refill)/b.Limit.Per.Seconds())
	}
	return float32(qps)
}
