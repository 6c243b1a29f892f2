package core

import (
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry"
)

// limitElapsed makes the end of the policy's MaxElapsed a deadline of a call, when an attempt has
// failed.
func (k *Core) limitElapsed(c *Call) {
	if most := k.policyOf(c).MaxElapsed; most > 0 && c.detail.first != bucket.Forever && !c.extras().limited {
		until := After(c.detail.first, most)
		c.detail.extra.retryUntil, c.detail.extra.limited = until, true
		c.Deadline = min(c.Deadline, until)
	}
}

// lastRetryAt returns the latest instant at which a retry of a call may begin.
func (c *Call) lastRetryAt() (at time.Duration, limited bool) {
	if c.detail == nil || c.detail.extra == nil {
		return 0, false
	}
	return c.detail.extra.retryUntil, c.detail.extra.limited
}

// givesUpAt returns the first instant at which no retry of a call may begin because of its policy's MaxElapsed.
func (c *Call) givesUpAt() time.Duration {
	if until, limited := c.lastRetryAt(); limited {
		return After(until, 1)
	}
	return bucket.Forever
}

// endElapsed ends a call whose next attempt would begin at an instant after its policy's MaxElapsed.
func (k *Core) endElapsed(c *Call, at time.Duration) {
	until, _ := c.lastRetryAt()
	err := c.exhausted()
	err.MaxElapsed = k.policyOf(c).MaxElapsed
	err.Elapsed = After(err.MaxElapsed, at-until)
	_, err.RetryAt = k.turnOf(c, at-k.Now)
	k.endExhausted(c, err)
}

// exhausted returns the error of a call that has no retries left.
func (c *Call) exhausted() *retry.ExhaustedError {
	errs := c.detail.earlier
	if c.detail.last != nil { // a resumed call may have none
		errs = append(errs, c.detail.last)
	}
	return &retry.ExhaustedError{Attempts: int(c.Attempts), Waited: c.detail.spent.Backoff, Errors: errs}
}
