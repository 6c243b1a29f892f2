package ratehttp

import (
	"cmp"
	"net/http"
	"time"

	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

// Transport is an [http.RoundTripper] whose requests wait for their turn, are retried where that is safe, and report what servers say
// about limits to the scheduler. The zero Transport does the same as its Base. Its fields must not be changed after the first
// request; then it may be used from any goroutine.
type Transport struct {
	// Scheduler gives requests their turn. If it is nil, requests go to Base at once, without the timeouts below. A request made
	// inside a call of the same scheduler may deadlock under MaxInFlight (see [scheduler.Config.MaxInFlight]).
	Scheduler *scheduler.Scheduler

	// Choose returns the scheduler of a request, for servers that need different policies or budgets. For many hosts of the same
	// kind use one scheduler, and Key. If Choose returns nil, the request goes to Base at once. A nil Choose means Scheduler for
	// all requests.
	Choose func(*http.Request) *scheduler.Scheduler

	// Key returns the key of a request: see [scheduler.Key]. It replaces one in Options. With [ByHost], hosts share the
	// scheduler fairly, so one that refuses does not delay requests to others. Set [scheduler.PerKey.MaxInFlight] too, so that
	// one that is slow does not take all slots. What a server says is left lowers a budget of the key, or without one a budget
	// that all keys share (see Budget). A wait that it asks for holds the requests of the key, or all, as
	// [scheduler.PerKey.Holds] says. If Key is nil or returns "", the request has no key.
	Key func(*http.Request) string

	// Base makes the attempts. Nil means [http.DefaultTransport].
	Base http.RoundTripper

	// AttemptTimeout bounds each attempt, from its turn until the headers of its response have come. That includes connecting and
	// sending the request's body. It does not include waiting for the turn, backoff and reading the response's body. Then the
	// attempt ends with a [scheduler.AttemptTimeoutError], and the request is retried if it may be sent again (see Repeatable).
	// Base must end an attempt when its context is done, as [http.Transport] does. Zero or less means no timeout.
	AttemptTimeout time.Duration

	// ReadTimeout bounds each Read of a response's body, so that it ends a stream that stalls but not one that is slow. The time
	// between Reads does not count. Then the Read returns an error that matches [context.DeadlineExceeded], and the slot is freed.
	// There is no retry, because the caller has the response. It does not apply to 101 Switching Protocols. Zero or less means no
	// timeout.
	ReadTimeout time.Duration

	// Options returns a request's cost, priority, name and so on, by [scheduler.Cost], [scheduler.CostOf], [scheduler.Priority],
	// [scheduler.Name], [scheduler.Retry], [scheduler.Weight] and others. [scheduler.OnProgress] does not work, because a request has no goroutine of
	// its own, and [scheduler.Classify] is replaced by Classify below. Options must not read the body. Nil means 1 token.
	Options func(*http.Request) []scheduler.Option

	// Tokens estimates the cost of requests in a model's tokens, and settles it by the usage in responses. A cost from Options for
	// the same budget replaces the estimate. Nil means that bodies are not read.
	Tokens *Tokens

	// Budget returns the scheduler's name for a budget that servers and Tokens call "requests", "tokens", "input-tokens" and so
	// on, as in [headers.Budget]. Budgets that the scheduler doesn't have are ignored, and so are those of keys if the request
	// has no key. Nil means the same name. If there is no budget of that name, nil means [scheduler.KeyBudget], or otherwise the
	// scheduler's budget without a name, for "requests" and "", or for "tokens" with Tokens.
	Budget func(name string) string

	// Classify returns the verdict on an attempt. All parts of the verdict count, including a wait after a transient failure.
	// Classify must not read the body except by [Attempt.Peek]. Nil means [Attempt.Verdict].
	Classify func(Attempt) retry.Verdict

	// Repeatable reports whether the request may be sent again after this attempt, even if the server has acted on it. It is not
	// called if the request was refused by a rate limit, or if no server has begun with it. Nil means [Idempotent].
	Repeatable func(Attempt) bool

	// ErrorWhenExhausted makes RoundTrip close the body and return the scheduler's error when retries run out, such as a
	// [retry.ExhaustedError] that wraps a [StatusError]. False means the last response with its body, as from a client without
	// retries. A response to a request that may not be sent again (see Repeatable) is returned in any case.
	ErrorWhenExhausted bool
}

// RoundTrip waits for the request's turn, sends it, and retries it as long as that may help. It returns
//
//   - a response, of any status. Its slot in the scheduler is freed when its body is closed, has been read to its end or fails, or
//     the request's context is done. A response that leads to a retry frees it at once;
//   - the error of Base, in a [retry.ExhaustedError] if retries ran out;
//   - the error of [scheduler.Scheduler.Do] for a call that gets no turn. This is the context's error joined with the last
//     attempt's, a [scheduler.DeadlineError] at once if the turn would come too late, [scheduler.ErrClosed] and others.
//
// The wait counts towards [http.Client.Timeout] and the context's deadline, but not towards AttemptTimeout.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	s := t.scheduler(req)
	if s == nil {
		return t.base().RoundTrip(req)
	}
	if err := redirected(s, req); err != nil {
		closeBody(req)
		return nil, err
	}
	key := ""
	if t.Key != nil {
		key = t.Key(req)
	}
	priced, opts, estimate := t.price(s, key, req)
	r, err := s.Reserve(req.Context(), opts...)
	if err != nil {
		closeBody(priced)
		return nil, err
	}
	x := &exchange{t: t, s: s, key: key, req: priced, estimate: estimate, r: r}
	defer x.unwound()
	res, err := x.run()
	x.returned = true
	return res, x.explained(err)
}

// CloseIdleConnections closes the idle connections of Base.
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

// price returns the request with an unread body, the options with its cost, and its estimated tokens.
func (t *Transport) price(s *scheduler.Scheduler, key string, req *http.Request) (_ *http.Request, opts []scheduler.Option, estimate Usage) {
	if t.Tokens != nil {
		var in, out int64
		var early *upload
		req, early = uploadOf(req)
		in, out, req = t.Tokens.estimate(req)
		if early != nil {
			early.direct = true
		}
		estimate = Usage{Total: in + out, Input: in, Output: out}
		opts = t.costs(s, key, estimate)
	}
	if t.Options != nil {
		opts = append(opts, t.Options(req)...)
	}
	if t.Key != nil {
		opts = append(opts, scheduler.Key(key))
	}
	return req, append(opts, scheduler.Classify(retry.Classify)), estimate // finds the verdicts that report marks
}
