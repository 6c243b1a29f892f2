package ratehttp

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"

	"example.com/fairlead/clock"
	"example.com/fairlead/retry"
	"example.com/fairlead/retry/headers"
	"example.com/fairlead/scheduler"
)

// Transport is an [http.RoundTripper] that has every attempt at a request wait for its turn, tries again what may
// be tried again, and tells the scheduler what servers say. The zero Transport does what its Base does. Its fields
// are not to be changed once it is in use; it may then be used from any goroutine.
type Transport struct {
	// Scheduler is whose turn requests wait for. Nil means that they don't wait: they pass through to Base.
	Scheduler *scheduler.Scheduler

	// Choose gives each request its scheduler, for example by host; if it is nil for a request, that one passes
	// through. Nil means Scheduler for all.
	Choose func(*http.Request) *scheduler.Scheduler

	// Base makes the attempts. Nil means [http.DefaultTransport]. A timeout of the client or of a request's context counts the
	// wait for the turn, too; one of Base, such as [http.Transport.ResponseHeaderTimeout], is that of an attempt.
	Base http.RoundTripper

	// Options says what a request costs in each budget and how it ranks: [scheduler.Cost], [scheduler.CostOf],
	// [scheduler.Priority], [scheduler.Name], [scheduler.Retry] and so on; not [scheduler.OnProgress], for which a request has no
	// goroutine, nor [scheduler.Classify], see Classify. It must not read the body. Nil means a plain call: 1 token.
	Options func(*http.Request) []scheduler.Option

	// Tokens estimates what requests cost in a model's tokens, and settles it with what responses say. What Options says
	// of the same budget wins over the estimate. Nil means that bodies are not looked at.
	Tokens *Tokens

	// Budget gives the name of the scheduler's budget for what servers and Tokens name "requests", "tokens",
	// "input-tokens" and so on, as in [headers.Budget]. What the scheduler doesn't have is passed over. Nil means the same
	// name; and for a scheduler with one budget, which has no name: "requests" and what has no name, or with
	// Tokens, "tokens".
	Budget func(name string) string

	// Classify says what an attempt's outcome is: a response, or an error without one. It must not read the body. Nil
	// means [headers.Observations.Verdict] for responses and [retry.Network] for errors.
	Classify func(*http.Response, error) retry.Verdict

	// Repeatable says whether a request may be sent again when the server may have seen and obeyed it. It is not
	// asked about a request that was refused for coming too often, or that never left. Nil means [Idempotent].
	Repeatable func(*http.Request) bool

	// ErrorWhenExhausted has RoundTrip return the scheduler's error when retrying is over, such as a
	// [retry.ExhaustedError] that wraps a [StatusError], and close the body. False means the last response, as a client without
	// retries would have it, with its body to be read.
	ErrorWhenExhausted bool

	// Clock is what points in time in headers are compared with. Nil means [clock.System].
	Clock clock.Clock
}

// RoundTrip waits for the request's turn, sends it, and does so again as long as that may help. It returns
//
//   - a response, of whatever status, whose slot in the scheduler is free as soon as its body is closed, has been read to its
//     end or fails, or the request's context is done. A response that calls for a retry frees it at once;
//   - what Base fails with, in a [retry.ExhaustedError] if it was tried again in vain;
//   - what [scheduler.Scheduler.Do] returns for a call that has no turn: the context's error, joined with the
//     last attempt's, a [scheduler.DeadlineError] at once if the turn would come too late, [scheduler.ErrClosed] and others.
//
// The wait counts towards [http.Client.Timeout] and the context's deadline.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	s := t.scheduler(req)
	if s == nil {
		return t.base().RoundTrip(req)
	}
	priced, opts := t.price(s, req)
	r, err := s.Reserve(req.Context(), opts...)
	if err != nil {
		closeBody(priced)
		return nil, err
	}
	x := &exchange{t: t, s: s, req: priced, r: r}
	defer x.unwound()
	res, err := x.run()
	x.over = true
	return res, err
}

// CloseIdleConnections closes those of Base.
func (t *Transport) CloseIdleConnections() {
	if c, ok := t.base().(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

func (t *Transport) scheduler(req *http.Request) *scheduler.Scheduler {
	if t.Choose != nil {
		return t.Choose(req)
	}
	return t.Scheduler
}

func (t *Transport) base() http.RoundTripper { return cmp.Or(t.Base, http.DefaultTransport) }

// price returns the request with a body that is as good as new, and what it costs.
func (t *Transport) price(s *scheduler.Scheduler, req *http.Request) (*http.Request, []scheduler.Option) {
	var opts []scheduler.Option
	if t.Tokens != nil {
		var in, out int64
		var early *upload
		req, early = uploadOf(req)
		in, out, req = t.Tokens.estimate(req)
		if early != nil {
			early.direct = true
		}
		opts = t.costs(s, in, out)
	}
	if t.Options != nil {
		opts = append(opts, t.Options(req)...)
	}
	return req, append(opts, scheduler.Classify(retry.Classify)) // what we mark is what counts
}

// exchange is one request on its way: a call of the scheduler's.
type exchange struct {
	t    *Transport
	s    *scheduler.Scheduler
	req  *http.Request
	r    *scheduler.Reservation // the attempt that waits or runs
	over bool                   // the reservation is done, or the response's body will do it
}

// errUnwound is what events say of a request whose attempt did not return.
var errUnwound = errors.New("ratehttp: the attempt panicked or called runtime.Goexit")

// unwound frees the slot if a function of the user's has unwound us.
func (x *exchange) unwound() {
	if !x.over {
		x.r.Done(errUnwound)
	}
}

// run makes attempts until one is the last.
func (x *exchange) run() (*http.Response, error) {
	for req := x.req; ; {
		if err := x.turn(); err != nil {
			if req == x.req {
				closeBody(req)
			}
			return nil, err
		}
		if req != x.req {
			if err := rewind(req); err != nil {
				x.r.Cancel()
				return nil, err
			}
		}
		res, err := x.t.base().RoundTrip(req)
		again, err := x.outcome(res, err)
		if !again {
			if err != nil {
				return nil, err
			}
			return res, nil
		}
		req = x.req.WithContext(x.req.Context()) // a copy: another attempt, another body
	}
}

// turn waits until the attempt may start.
func (x *exchange) turn() error {
	<-x.r.Ready() // also when the context is done: the scheduler watches it
	if err := x.r.Err(); err != nil {
		return err
	}
	if ctx := x.req.Context(); ctx.Err() != nil {
		x.r.Cancel()
		return context.Cause(ctx)
	}
	return nil
}

// outcome tells the scheduler how an attempt went, and says whether there is another; if not, with which
// error the exchange ends.
func (x *exchange) outcome(res *http.Response, err error) (again bool, _ error) {
	v, asked := x.judge(res, err)
	failure := err
	if res != nil && (res.StatusCode >= 400 || v.Retryable()) {
		failure = statusError(x.req, res)
	}
	switch {
	case !v.Retryable() && res != nil:
		x.hold(res, failure)
		return false, nil
	case !v.Retryable() || x.req.Context().Err() != nil || !asked && !x.mayRepeat(res, err):
		x.r.Done(v.Mark(failure))
		return false, err
	}
	next, ended := x.r.Retry(v.Mark(failure))
	switch {
	case ended == nil:
		x.r = next
		discard(res)
		return true, nil
	case res != nil && !x.t.ErrorWhenExhausted:
		return false, nil
	}
	discard(res)
	return false, ended
}

// judge says what an attempt's outcome is, and whether the server itself asks for another attempt. On the way it
// tells the scheduler what the server says is left.
func (x *exchange) judge(res *http.Response, err error) (v retry.Verdict, asked bool) {
	if res == nil {
		v = retry.Network(&url.Error{Err: err}) // as the client's user will see it: so an EOF is a lost connection
	} else {
		seen := headers.Parse(res.Header, cmp.Or(x.t.Clock, clock.System()).Now())
		x.observe(seen)
		v, asked = seen.Verdict(res.StatusCode), seen.ShouldRetry && replayable(x.req)
	}
	if x.t.Classify != nil {
		v = x.t.Classify(res, err)
	}
	return v, asked
}

// mostDrained is how much of a body is read to be rid of it: up to there that is cheaper than another connection.
const mostDrained = 64 << 10

// discard is for a response that nobody will see.
func discard(res *http.Response) {
	if res != nil && res.Body != nil {
		_, _ = io.CopyN(io.Discard, res.Body, mostDrained) // what can't be read is closed all the same
		_ = res.Body.Close()
	}
}

// closeBody is for a request that is not sent, as an [http.RoundTripper] has to.
func closeBody(req *http.Request) {
	if req.Body != nil {
		_ = req.Body.Close() // nobody wants it any more
	}
}
