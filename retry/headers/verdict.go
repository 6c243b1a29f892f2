package headers

import (
	"net/http"
	"time"

	"example.com/fairlead/retry"
)

// Wait returns how long, from o.At on, requests are expected to fail. That is RetryAfter, or else the
// time until the last of the exhausted budgets resets, or 0 if there is neither. It does not depend
// on the status, because the last request that a budget allows succeeds.
func (o Observations) Wait() time.Duration {
	if o.RetryAfter > 0 {
		return o.RetryAfter
	}
	return o.reset(0)
}

// reset returns the time until all budgets with the given Remaining are full again.
func (o *Observations) reset(remaining int64) (longest time.Duration) {
	for i := range o.Budgets {
		if b := &o.Budgets[i]; b.Remaining == remaining && !b.Reset.IsZero() {
			longest = max(longest, b.Reset.Sub(o.At))
		}
	}
	return longest
}

func (o *Observations) exhausted() bool {
	for i := range o.Budgets {
		if o.Budgets[i].Remaining == 0 {
			return true
		}
	}
	return false
}

// statusOverloaded is Anthropic's status for an overloaded server.
const statusOverloaded = 529

// Verdict returns the verdict on a response with the given status:
//
//   - 429 is rate limited. So are 403 with a RetryAfter or an exhausted budget (GitHub's two limits), and
//     413 with a RetryAfter.
//   - 408, 425, 529 and all other 5xx but 501, 505 and 511 are transient. With a RetryAfter they are rate
//     limited.
//   - Any other status from 400 on is final, unless ShouldRetry is set. Then it is transient, or rate
//     limited with a RetryAfter.
//   - A status below 400 is final.
//
// NoRetry makes all of them final. The wait of a rate-limited response is [Observations.Wait]. If that is
// 0 after a 429, it is the time until the budgets with unknown Remaining reset. If that is 0 too, it is
// DefaultWait. With a wait of 0, the policy's backoff applies.
func (o Observations) Verdict(status int) retry.Verdict {
	switch {
	case o.NoRetry || status < 400:
		return retry.Verdict{}
	case status == http.StatusTooManyRequests:
		wait := o.Wait()
		if wait == 0 {
			wait = o.reset(-1)
		}
		return o.limited(wait)
	case status == http.StatusForbidden && (o.RetryAfter > 0 || o.exhausted()):
		return o.limited(o.Wait())
	case o.RetryAfter > 0 && (o.ShouldRetry || isTransient(status) || status == http.StatusRequestEntityTooLarge):
		return o.limited(o.RetryAfter)
	case o.ShouldRetry || isTransient(status):
		return retry.Verdict{Kind: retry.KindTransient}
	}
	return retry.Verdict{}
}

func (o *Observations) limited(wait time.Duration) retry.Verdict {
	if wait == 0 {
		wait = o.DefaultWait
	}
	return retry.Verdict{Kind: retry.KindRateLimited, Wait: wait}
}

// isTransient reports whether a status is a temporary failure.
func isTransient(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooEarly, statusOverloaded:
		return true
	case http.StatusNotImplemented, http.StatusHTTPVersionNotSupported, http.StatusNetworkAuthenticationRequired:
		return false
	}
	return 500 <= status && status < 600
}

// Mark marks err, the caller's error for a response with the given status, with the verdict for
// [retry.Classify] (see [retry.Verdict.Mark]). If the server asks not to retry, it marks err as
// [retry.Permanent]. Otherwise it returns an error with a final verdict unmarked. It returns nil if err
// is nil.
func (o Observations) Mark(status int, err error) error {
	if v := o.Verdict(status); v.Retryable() || o.NoRetry {
		return v.Mark(err)
	}
	return err
}
