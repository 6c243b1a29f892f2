// Package hashicorp lets a retry policy be plugged into hashicorp/go-retryablehttp, and so
// into the clients that are built on it, without importing it.
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

// Retry has a policy say which responses and errors are worth a retry, and how long to wait
// before. It has what a retryablehttp.Client wants:
//
//	r := &hashicorp.Retry{Policy: policy}
//	client.CheckRetry, client.Backoff, client.RetryMax = r.CheckRetry, r.Backoff, policy.Attempts()-1
//
// RetryMax has to be set: the client counts its attempts itself. The zero Retry is that of
// the default policy. Its methods may be called from any goroutine. It must not be
// copied after first use.
type Retry struct {
	// Policy says how long to wait, also how long a server may make us wait. If its Seed is
	// zero, chance takes another course each time.
	Policy retry.Policy

	// Classify judges errors. Nil means [retry.Network]: timeouts and lost connections are
	// worth a retry. Like the client, it does not ask whether the server may see a request
	// twice.
	Classify retry.Classifier

	// Clock is what points in time in headers are compared with. Nil means [clock.System].
	Clock clock.Clock

	waits atomic.Uint64
}

// CheckRetry reports whether a response or error is worth a retry: a response by its status
// and what its headers say (see [headers.Observations.Verdict]), an error by the
// classifier. Where the server wants us to wait for longer than the policy's MaxServerWait,
// it is not, and the client returns the response as it is, as it does one that is final.
// The error is that of ctx, if it is done; otherwise nil.
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

// Backoff is how long to wait after the attempt of that number, from 0: what the server asked
// for and a little more ([retry.Policy.ServerWait]), or else by the policy's backoff. The
// policy's Initial and Max take the place of least and most, the client's RetryWaitMin
// and RetryWaitMax. res is nil if there was no response.
func (r *Retry) Backoff(least, most time.Duration, attempt int, res *http.Response) time.Duration {
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

// again reports whether the policy has another attempt after a failure like this.
func (r *Retry) again(v retry.Verdict) bool {
	p := r.Policy
	p.MaxRetries = 1 // the client counts
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
