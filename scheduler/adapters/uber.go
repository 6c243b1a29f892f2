package adapters

import "time"

// Take waits for a token however long it takes, and returns the time by the scheduler's
// clock, for the Limiter of go.uber.org/ratelimit. It panics if there won't be any: see
// [Limiter.Accept].
//
// That library has no bursts but for what was not used before: for the same, give the
// scheduler's limit a Burst of 1, or of its slack and 1.
func (l Limiter) Take() time.Time {
	l.must("Take")
	return l.Scheduler.Now()
}
