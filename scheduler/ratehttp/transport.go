package ratehttp

import (
	"cmp"
	"net/http"

	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

// Transport is an [http.RoundTripper] that has every attempt at a request wait for its turn, tries again what may
// be tried again, and tells the scheduler what servers say. The zero Transport does what its Base does. Its fields
// are not to be changed once it is in use; it may then be used from any goroutine.
type Transport struct {
	// Scheduler gives requests their turn. If it is nil, requests go to Base at once. A request made inside a call of the same
	// scheduler may deadlock under MaxInFlight: see [scheduler.Config.MaxInFlight].
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

	// Classify judges the outcome of an attempt. All parts of its verdict count, including a wait after a transient
	// failure. Classify must not read the body except by [Attempt.Peek]. Nil means [Attempt.Verdict].
	Classify func(Attempt) retry.Verdict

	// Repeatable reports whether the request may be sent again after this attempt, even if the server has acted on it. It is not asked if
	// the request was refused for coming too often, or if no server has begun with it. Nil means [Idempotent].
	Repeatable func(Attempt) bool

	// ErrorWhenExhausted has RoundTrip return the scheduler's error when retrying is over, such as a
	// [retry.ExhaustedError] that wraps a [StatusError], and close the body. False means the last response, as a client without
	// retries would have it, with its body to be read. A response after which the request may not be sent again (see Repeatable) is
	// returned in any case.
	ErrorWhenExhausted bool
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
	if err := redirected(s, req); err != nil {
		closeBody(req)
		return nil, err
	}
	priced, opts, estimate := t.price(s, req)
	r, err := s.Reserve(req.Context(), opts...)
	if err != nil {
		closeBody(priced)
		return nil, err
	}
	x := &exchange{t: t, s: s, req: priced, estimate: estimate, r: r}
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

// price returns the request with an unread body, the options with its cost, and its estimate in tokens.
func (t *Transport) price(s *scheduler.Scheduler, req *http.Request) (_ *http.Request, opts []scheduler.Option, estimate Usage) {
	if t.Tokens != nil {
		var in, out int64
		var early *upload
		req, early = uploadOf(req)
		in, out, req = t.Tokens.estimate(req)
		if early != nil {
			early.direct = true
		}
		estimate = Usage{Total: in + out, Input: in, Output: out}
		opts = t.costs(s, estimate)
	}
	if t.Options != nil {
		opts = append(opts, t.Options(req)...)
	}
	return req, append(opts, scheduler.Classify(retry.Classify)), estimate // our marks count
}
