package ratehttp

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

// exchange is a request and its attempts, which are one call of the scheduler.
type exchange struct {
	t        *Transport
	s        *scheduler.Scheduler
	key      string
	req      *http.Request
	estimate Usage
	r        *scheduler.Reservation // of the attempt that waits or runs
	sent     *sends                 // how often the latest attempt was sent
	last     error                  // the failure of the attempt before
	waits    bool                   // for its turn
	late     bool                   // the latest attempt ended by AttemptTimeout
	returned bool                   // run has returned, so the reservation has ended or the response's body will end it
}

// errUnwound is the error, in events, of a request whose attempt did not return.
var errUnwound = errors.New("ratehttp: the attempt panicked or called runtime.Goexit")

// unwound frees the slot if a user's function has panicked or called runtime.Goexit.
func (x *exchange) unwound() {
	if !x.returned {
		x.r.Done(errUnwound)
	}
}

// run makes attempts until there is no retry.
func (x *exchange) run() (*http.Response, error) {
	for first := true; ; first = false {
		if err := x.waitTurn(); err != nil {
			if first {
				closeBody(x.req)
			}
			return nil, err
		}
		x.sent = &sends{r: x.r}
		req := x.sent.counted(x.req)
		if !first {
			if err := rewind(req); err != nil {
				x.r.Cancel()
				return nil, err
			}
		}
		res, err := x.roundTrip(req)
		if res != nil && res.Request == req {
			res.Request = x.req
		}
		if again, err := x.report(res, err); !again {
			if err != nil {
				return nil, err
			}
			return res, nil
		}
	}
}

// waitTurn waits until the attempt may start.
func (x *exchange) waitTurn() error {
	x.waits = true
	<-x.r.Ready() // the scheduler watches the context, so this also returns when it is done
	if err := x.r.Err(); err != nil {
		return err
	}
	if ctx := x.req.Context(); ctx.Err() != nil {
		x.r.Cancel()
		return x.withLast(context.Cause(ctx))
	}
	x.waits = false
	return nil
}

// withLast returns err, joined with the failure of the attempt before if the request's context has ended.
func (x *exchange) withLast(err error) error {
	if err == nil || x.last == nil || x.req.Context().Err() == nil {
		return err
	}
	return &endedError{reason: hide(err, x.req), last: x.last}
}

// endedError joins the reason why the context ended a request with the failure of the attempt before.
type endedError struct{ reason, last error }

func (e *endedError) Error() string {
	return fmt.Sprintf("%v (the attempt before failed with: %v)", e.reason, e.last)
}

func (e *endedError) Unwrap() []error { return []error{e.reason, e.last} }

// Timeout reports whether the reason is a timeout, for a [url.Error] around it.
func (e *endedError) Timeout() bool {
	var t interface{ Timeout() bool }
	return errors.As(e.reason, &t) && t.Timeout()
}

// report reports an attempt to the scheduler, and returns whether there is another. If not, it also returns the error with which the
// exchange ends.
func (x *exchange) report(res *http.Response, err error) (again bool, _ error) {
	a := Attempt{Request: x.req, Response: res, Err: err, x: x}
	if x.late {
		a.Err = retry.Transient(err) // whatever Base has made of it
	}
	v, asked := x.judge(a)
	failure := hide(err, x.req)
	if res != nil && (res.StatusCode >= 400 || v.Retryable()) {
		failure = statusError(x.req, res)
	}
	switch {
	case !v.Retryable() && res != nil:
		x.keepSlot(res, v.Mark(failure))
		return false, nil
	case !v.Retryable() || x.req.Context().Err() != nil || !asked && !x.mayRepeat(a):
		x.r.Done(v.Mark(failure))
		return false, x.withLast(err)
	}
	next, ended := x.r.Retry(v.Mark(failure))
	switch {
	case ended == nil:
		x.r, x.last = next, failure
		discard(res)
		return true, nil
	case res != nil && !x.t.ErrorWhenExhausted:
		return false, nil
	}
	discard(res)
	return false, ended
}

// judge returns the verdict on an attempt, and whether the server asks for another. It also reports to the scheduler what is left
// according to the server.
func (x *exchange) judge(a Attempt) (v retry.Verdict, asked bool) {
	if a.Response != nil {
		seen := a.observations()
		x.observe(seen)
		asked = seen.ShouldRetry && replayable(x.req)
		if x.t.Classify == nil {
			return a.judge(seen), asked
		}
	}
	if x.t.Classify != nil {
		return x.t.Classify(a), asked
	}
	return a.Verdict(), asked
}

// closeBody closes the body of a request that is not sent, as an [http.RoundTripper] must.
func closeBody(req *http.Request) {
	if req.Body != nil {
		_ = req.Body.Close() // the error could not be returned to a reader
	}
}
