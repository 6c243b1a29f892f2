package headers

import (
	"net/http"
	"time"

	"example.com/fairlead/retry"
)

// Wait is how long nobody needs to come, from o.At on: RetryAfter, or else until the last of the exhausted budgets
// resets. It is 0 if the next request may well succeed. It does not depend on the status: the
// last request of a budget succeeds and says that it was the last.
func (o Observations) Wait() time.Duration {
	if o.RetryAfter > 0 {
		return o.RetryAfter
	}
	return o.reset(0)
}

// reset is how long until all budgets with that much remaining are full again.
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

// statusOverloaded is Anthropic's: not our limit, but their load.
const statusOverloaded = 529

// Verdict judges a response of that status. The status says what happened:
//
//   - 429 is rate limited; so are 403 with a RetryAfter or an exhausted budget (GitHub's two limits), and 413
//     with a RetryAfter;
//   - 408, 425, 529 and other 5xx are transient, except for 501, 505 and 511, which waiting does not change; with a
//     RetryAfter they are rate limited, as is what [retry.After] marks;
//   - anything else is final, success included, unless the server asks to retry: then it is transient.
//
// NoRetry makes all of them final. What is rate limited waits for [Observations.Wait], or else, after a 429, for the
// budgets of which it is unknown what remains, or else for DefaultWait. A wait of 0 leaves it to the policy.
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
	case o.RetryAfter > 0 && (o.ShouldRetry || passing(status) || status == http.StatusRequestEntityTooLarge):
		return o.limited(o.RetryAfter)
	case o.ShouldRetry || passing(status):
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

// passing says whether a status tells of a trouble that may be over soon.
func passing(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooEarly, statusOverloaded:
		return true
	case http.StatusNotImplemented, http.StatusHTTPVersionNotSupported, http.StatusNetworkAuthenticationRequired:
		return false
	}
	return 500 <= status && status < 600
}

// Mark marks err, the error that a response of that status is to its caller, with the Verdict, so that
// [retry.Classify] finds it (see [retry.Verdict.Mark]): as [retry.Permanent] if the server asks not
// to retry, and not at all if it is merely final. It returns nil if err is nil.
func (o Observations) Mark(status int, err error) error {
	if v := o.Verdict(status); v.Retryable() || o.NoRetry {
		return v.Mark(err)
	}
	return err
}
