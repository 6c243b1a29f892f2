// Package hashicorp plugs a retry policy into hashicorp/go-retryablehttp, and into clients that are
// built on it, without importing it.
package hashicorp

import (
	"context"
	"math/rand/v2"
	"net/http"
	"sync/atomic"
	"time"

	"example.com/fairlead/clock"
	"example.com/fairlead/retry"
	"example.com/fairlead/retry/headers"
)

// Retry makes a policy decide which responses and errors are worth a retry, and how long to wait.
// It has the functions that a retryablehttp.Client needs:
//
//	r := &hashicorp.Retry{Policy: policy}
//	client.CheckRetry, client.Backoff, client.RetryMax = r.CheckRetry, r.Backoff, policy.Attempts()-1
//
// RetryMax has to be set, because the client counts its attempts itself. The zero Retry has the
// default policy. Its methods may be called from any goroutine. It must not be copied after first
// use.
type Retry struct {
	// Policy says how long to wait, and how long a server may make us wait. If its Seed is zero, the
	// jitter differs each time. MaxElapsed has no effect: use a context with a deadline.
	Policy retry.Policy

	// Classify judges errors. Nil means [retry.Network], which retries after timeouts and lost
	// connections. Like the client, it does not check whether a request may be sent twice.
	Classify retry.Classifier

	// Clock is compared with points in time in headers. Nil means [clock.System].
	Clock clock.Clock

	waits atomic.Uint64
}

// CheckRetry reports whether a response or error is worth a retry. It judges a response by its
// status and headers (see [headers.Observations.Verdict]), and an error by the classifier. If the
// server asks for a wait above the policy's MaxServerWait, there is no retry and the client returns
// the response as it came. The error is that of ctx if it is done, and otherwise nil.
func (r *Retry) CheckRetry(ctx context.Context, res *http.Response, err error) (bool, error) {
	switch {
	case ctx.Err() != nil:
		return false, ctx.Err()
	case err != nil:
		return r.again(r.classify(err)), nil
	case res != nil:
		return r.again(r.judge(res)), nil
	}
	return false, nil
}

// Backoff returns how long to wait after the attempt with that number, from 0. This is the server's
// wait and a little more ([retry.Policy.ServerWait]), or else the policy's backoff. The policy's
// Initial and Max replace the client's RetryWaitMin and RetryWaitMax, which are ignored. res is nil
// if there was no response.
func (r *Retry) Backoff(_, _ time.Duration, attempt int, res *http.Response) time.Duration {
	call := r.waits.Add(1)
	if r.Policy.Seed == 0 {
		call = rand.Uint64()
	}
	if res != nil {
		if v := r.judge(res); v.Wait > 0 {
			return r.Policy.ServerWait(call, attempt+1, v.Wait)
		}
	}
	return r.Policy.Delay(call, attempt+1)
}

// again reports whether the policy makes another attempt after a verdict.
func (r *Retry) again(v retry.Verdict) bool {
	p := r.Policy
	p.MaxRetries = 1 // the client counts the attempts
	return p.Decide(0, 1, v).Action == retry.Again
}

func (r *Retry) classify(err error) retry.Verdict {
	if r.Classify != nil {
		return r.Classify(err)
	}
	return retry.Network(err)
}

func (r *Retry) judge(res *http.Response) retry.Verdict {
	c := r.Clock
	if c == nil {
		c = clock.System()
	}
	return headers.Parse(res.Header, c.Now()).Verdict(res.StatusCode)
}
