package ratehttp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"example.com/fairlead/clock"
	"example.com/fairlead/scheduler"
)

// roundTrip makes an attempt by Base, within the timeouts. Their context is that of the attempt alone, so they are not mistaken for the
// end of the user's.
func (x *exchange) roundTrip(req *http.Request) (*http.Response, error) {
	t := x.t
	if t.AttemptTimeout <= 0 && t.ReadTimeout <= 0 {
		return t.base().RoundTrip(req)
	}
	ctx, cancel := context.WithCancelCause(req.Context())
	b := &timedBody{clock: x.s.Clock(), timeout: t.ReadTimeout, ctx: ctx, cancel: cancel}
	defer func() {
		if b.ReadCloser == nil { // there is nothing to read, or Base has panicked
			cancel(nil)
		}
	}()
	late := &scheduler.AttemptTimeoutError{After: t.AttemptTimeout}
	stop := after(b.clock, t.AttemptTimeout, func() { cancel(late) })
	defer stop()
	bounded := req.WithContext(ctx)
	res, err := t.base().RoundTrip(bounded)
	if !stop() {
		cancel(late) // the timer is about to
	}
	if x.late = context.Cause(ctx) == error(late); x.late {
		discard(res) // it came too late, and its body can't be read
		return nil, timedOut(late, err)
	}
	if res == nil {
		return nil, err
	}
	if res.Request == bounded {
		res.Request = req
	}
	b.wrap(res)
	return res, err
}

// after calls f when d has passed, unless d is zero or less.
func after(c clock.Clock, d time.Duration, f func()) (stop func() bool) {
	if d <= 0 {
		return func() bool { return true }
	}
	return clock.AfterFunc(c, d, f)
}

// timedOut returns the error of an attempt that Base ended with err after its timeout. It leaves out that the attempt's context was
// canceled, because errors.Is would take that for a cancellation by the user.
func timedOut(late *scheduler.AttemptTimeoutError, err error) (outcome error) {
	defer func() {
		if recover() != nil { // err may be a nil pointer
			outcome = late
		}
	}()
	switch {
	case err == nil || errors.Is(err, context.Canceled):
		return late
	case errors.Is(err, error(late)):
		return err
	}
	return &scheduler.AttemptTimeoutError{After: late.After, Err: err}
}

// timedBody is the body of a response whose Reads have a timeout. When it ends, it ends the attempt's context.
type timedBody struct {
	io.ReadCloser
	clock   clock.Clock
	timeout time.Duration // of each Read; zero or less: none
	ctx     context.Context
	cancel  context.CancelCauseFunc
}

// wrap replaces the body of a response, if it has one.
func (b *timedBody) wrap(res *http.Response) {
	if res.Body == nil || res.Body == http.NoBody {
		return
	}
	b.ReadCloser, res.Body = res.Body, b
	if w, ok := b.ReadCloser.(io.Writer); ok { // 101 Switching Protocols
		b.timeout = 0
		res.Body = &duplex{b, w}
	}
}

func (b *timedBody) Read(p []byte) (int, error) {
	late := stalled(b.timeout)
	stop := after(b.clock, b.timeout, func() { b.cancel(late) })
	n, err := b.ReadCloser.Read(p)
	if !stop() && err != io.EOF {
		b.cancel(late) // the timer is about to
	}
	switch cause := context.Cause(b.ctx); {
	case err == io.EOF:
		b.cancel(nil)
	case cause == error(late): // of this Read or an earlier one
		return n, late
	case err != nil:
		b.cancel(nil)
	}
	return n, err
}

func (b *timedBody) Close() error {
	err := b.ReadCloser.Close()
	b.cancel(nil)
	return err
}

// stalled is the error of a Read that has waited for so long.
type stalled time.Duration

func (s stalled) Error() string {
	return fmt.Sprintf("ratehttp: the response's body has stalled: no bytes came for %v, which is Transport.ReadTimeout", time.Duration(s))
}

// Is reports whether target is [context.DeadlineExceeded].
func (stalled) Is(target error) bool { return target == context.DeadlineExceeded }

// Timeout returns true, as a [net.Error] does for a timeout.
func (stalled) Timeout() bool { return true }

// explained returns the error of a request. If the deadline of its context comes before its turn, the text says so, and names a timeout
// that does not include the wait.
func (x *exchange) explained(err error) error {
	if _, early := err.(*scheduler.DeadlineError); early || x.waits && errors.Is(x.req.Context().Err(), context.DeadlineExceeded) {
		return &waitError{err}
	}
	return err
}

// waitError is the error of a request whose deadline comes before its turn.
type waitError struct{ error }

func (e *waitError) Error() string {
	return "ratehttp: the deadline comes before the request's turn (http.Client.Timeout and a context's deadline include the wait, " +
		"Transport.AttemptTimeout does not): " + e.error.Error()
}

func (e *waitError) Unwrap() error { return e.error }

// Timeout returns true, for a [net/url.Error] around e.
func (e *waitError) Timeout() bool { return true }
