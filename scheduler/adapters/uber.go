package adapters

import "time"

// Take waits for a token however long it takes, and returns the time by the scheduler's clock, for
// the Limiter of go.uber.org/ratelimit. Like [Limiter.Accept] it panics if it can't get one.
//
// After a pause, that library lets a burst of at most its slack through. For the same, set the Burst
// of the scheduler's limit to the slack plus 1.
func (l Limiter) Take() time.Time {
	l.must("Take")
	return l.Scheduler.Now()
}
