package ratehttp

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"example.com/fairlead/retry"
	"example.com/fairlead/retry/headers"
	"example.com/fairlead/scheduler"
)

// maxRedirectWait is the longest wait that a redirect may ask for. It is the same as a policy's default MaxServerWait.
const maxRedirectWait = 2 * time.Minute

// redirected waits as long as the redirect that led to this request asks by Retry-After (RFC 9110). The request has no turn
// yet, so no other request waits for it.
func redirected(s *scheduler.Scheduler, req *http.Request) error {
	res := req.Response // set by net/http's client
	if res == nil || res.StatusCode < 300 || res.StatusCode > 399 {
		return nil
	}
	now := s.Now()
	wait := headers.Parse(res.Header, now).RetryAfter
	if wait <= 0 {
		return nil
	}
	until := now.Add(wait)
	last := statusError(redirectOf(req), res)
	if wait > maxRedirectWait {
		return fmt.Errorf("%w: a redirect asks for %v, more than %v: send the request again at %s: %w",
			retry.ErrWaitTooLong, (wait + time.Second - 1).Truncate(time.Second), maxRedirectWait, until.Format(time.RFC3339), last)
	}
	ctx := req.Context()
	if deadline, ok := ctx.Deadline(); ok && deadline.Before(until) {
		return &scheduler.DeadlineError{Wait: wait, Left: deadline.Sub(now), Err: last, RetryAt: until}
	}
	timer := s.Clock().NewTimer(wait)
	defer timer.Stop()
	for left := wait; left > 0; left = until.Sub(s.Now()) {
		timer.Reset(left)
		select {
		case <-timer.C():
		case <-ctx.Done():
			return &endedError{reason: context.Cause(ctx), last: last}
		}
	}
	return nil
}

// redirectOf returns the request whose response was the redirect.
func redirectOf(req *http.Request) *http.Request {
	if req.Response.Request != nil {
		return req.Response.Request
	}
	return req
}
