package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"

	"example.com/fairlead/retry"
	"example.com/fairlead/retry/headers"
)

// maxBody is the largest -max-answer in bytes.
const maxBody = maxAnswerMiB * mebibyte

// sender sends requests.
type sender struct {
	transport   *http.Transport // not a Client, which would follow redirects without paying
	singleUse   *http.Transport // uses each connection once
	headers     http.Header
	timeout     time.Duration
	maxAnswer   int64           // bytes
	attemptsCtx context.Context // when it is done, running attempts are canceled
	rateLimited atomic.Int64    // how many answers were 429
	reached     atomic.Bool     // a connection was made at least once
}

func newSender(cfg config, attempts context.Context) *sender {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = cfg.inFlight
	fresh := transport.Clone()
	fresh.DisableKeepAlives = true
	return &sender{transport: transport, singleUse: fresh, headers: cfg.headers, timeout: cfg.timeout, maxAnswer: cfg.maxAnswer, attemptsCtx: attempts}
}

// refusalTime bounds how long the body of a refusal is read. The status says enough, and the request holds a
// slot meanwhile.
const refusalTime = 5 * time.Second

// reply is the outcome of an attempt.
type reply struct {
	answer *response            // nil if there is an error
	seen   headers.Observations // the server's limits, according to the answer
	err    error
	sends  int  // how often the request was sent, since net/http sends some again by itself
	away   bool // no connection could be made, and that may pass
}

// send makes one attempt. A request that is lost because the server closed an idle connection is sent once more,
// on a new connection.
func (s *sender) send(l *line) reply {
	r, stale := s.sendOnce(l, s.transport)
	if stale {
		first := r
		r, _ = s.sendOnce(l, s.singleUse)
		r.sends += first.sends
	}
	return r
}

// sendOnce sends a request, and reports whether it was lost with an idle connection.
func (s *sender) sendOnce(l *line, transport *http.Transport) (r reply, stale bool) {
	ctx, cancel := context.WithTimeout(s.attemptsCtx, s.timeout)
	defer cancel()
	var sent sendTrace
	defer func() { r.sends = int(sent.times.Load()) }()
	req, err := s.request(httptrace.WithClientTrace(ctx, sent.trace()), l)
	if err != nil {
		return reply{err: err}, false
	}
	res, err := transport.RoundTrip(req)
	if sent.connected.Load() {
		s.reached.Store(true)
	}
	if err != nil {
		return s.noAnswer(ctx, err, sent.connected.Load()), sent.reused.Load() && ctx.Err() == nil
	}
	defer res.Body.Close()
	seen := headers.Parse(res.Header, time.Now())
	success := res.StatusCode/100 == 2
	if !success {
		defer time.AfterFunc(refusalTime, cancel).Stop()
	}
	body, err := s.read(res)
	tooLong := errors.As(err, new(*tooLongError))
	switch {
	case err == nil:
	case success && tooLong:
		return reply{err: err, seen: seen}, false
	case success, s.attemptsCtx.Err() != nil:
		return reply{err: s.retryable(ctx, err), seen: seen}, false
	}
	answer, err := s.interpret(res, body, seen) // a refusal stays one, even if its body is too long, cut off or late
	return reply{answer: answer, err: err, seen: seen}, false
}

func (s *sender) request(ctx context.Context, l *line) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, l.method, l.url, bytes.NewReader(l.body))
	if err != nil {
		return nil, withoutURL(err)
	}
	req.Header = s.headers.Clone()
	if host := req.Header.Get("Host"); host != "" {
		req.Host = host // net/http ignores it in Header
	}
	if req.Header.Get("Content-Type") == "" && len(l.body) > 0 {
		req.Header.Set("Content-Type", "application/json")
	}
	if user := req.URL.User; user != nil && req.Header.Get("Authorization") == "" {
		password, _ := user.Password()
		req.SetBasicAuth(user.Username(), password)
	}
	req.Header.Set("X-Request-Id", l.id())
	return req, nil
}

// sendTrace counts how often a request is sent. Its fields may be written even after the answer has come.
type sendTrace struct {
	connected atomic.Bool
	reused    atomic.Bool // the latest connection was used before, and no answer has begun on it
	wrote     atomic.Bool
	times     atomic.Int32
}

func (s *sendTrace) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GotConn: func(got httptrace.GotConnInfo) {
			s.connected.Store(true)
			s.reused.Store(got.Reused)
			if s.wrote.Swap(false) || s.times.Load() == 0 {
				s.times.Add(1)
			}
		},
		WroteHeaders:         func() { s.wrote.Store(true) },
		GotFirstResponseByte: func() { s.reused.Store(false) },
	}
}

// noAnswer returns the reply to a request without an answer. It tells apart servers that can't be reached for
// now, servers that never can be, and failures of this attempt alone.
func (s *sender) noAnswer(ctx context.Context, err error, connected bool) reply {
	var certificate *tls.CertificateVerificationError
	var name *net.DNSError
	switch {
	case connected:
		return reply{err: s.retryable(ctx, err)}
	case s.attemptsCtx.Err() != nil:
		return reply{err: err}
	case errors.As(err, &certificate), errors.As(err, new(tls.RecordHeaderError)), // the server does not speak TLS
		errors.As(err, &name) && name.IsNotFound && !s.reached.Load(): // probably a typo
		return reply{err: &unreachable{err}}
	}
	return reply{err: s.retryable(ctx, err), away: true}
}

// unreachable is a failure to connect that does not pass.
type unreachable struct{ error }

func (e *unreachable) Unwrap() error { return e.error }

// retryable marks an error as worth a retry. If -timeout has ended the attempt, the error says so.
func (s *sender) retryable(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) && s.attemptsCtx.Err() == nil {
		err = fmt.Errorf("timed out after %v (-timeout): %w", s.timeout, err)
	}
	return retry.Transient(err)
}

// tooLongError is the error of an answer longer than -max-answer.
type tooLongError struct{ limit int64 }

func (e *tooLongError) Error() string {
	return fmt.Sprintf("the answer is longer than %d MiB, which -max-answer allows: raise it, or ask for less", e.limit/mebibyte)
}

// read returns the body of an answer in the form of the result. On a read error it returns the part that has
// come.
func (s *sender) read(res *http.Response) (json.RawMessage, error) {
	if res.ContentLength > s.maxAnswer {
		return nil, &tooLongError{s.maxAnswer}
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, s.maxAnswer+1))
	switch {
	case int64(len(body)) > s.maxAnswer, sizeAsJSON(body) > s.maxAnswer:
		return nil, &tooLongError{s.maxAnswer}
	case err != nil:
		return asJSON(body), fmt.Errorf("reading the answer: %w", err)
	}
	return asJSON(body), nil
}

// interpret returns the answer, or the error that it stands for.
func (s *sender) interpret(res *http.Response, body json.RawMessage, seen headers.Observations) (*response, error) {
	answer := response{StatusCode: res.StatusCode, Body: body}
	said := parseAPIError(body)
	wrong := &statusError{response: answer, status: res.Status, message: said.message(), code: said.code()}
	status := res.StatusCode
	if status/100 == 2 {
		if !said.found() {
			return &answer, nil
		}
		status = said.status()
		wrong.status += butAnError
	}
	if status == http.StatusTooManyRequests {
		s.rateLimited.Add(1)
	}
	v := seen.Verdict(status)
	if wait, ok := headers.RetryInfo(body); ok {
		v.Wait = max(v.Wait, wait)
	}
	if !v.Retryable() || noCredit[wrong.code] { // waiting does not bring credit
		return nil, wrong
	}
	return nil, v.Mark(wrong)
}

// resultOf returns the output's result for a line.
func resultOf(l *line, answer *response, err error) *result {
	r := &result{ID: l.id(), CustomID: l.customID, Response: answer}
	if err != nil {
		r.Response = nil
		r.Error = &resultError{Message: err.Error()}
		var status *statusError
		if errors.As(err, &status) {
			r.Response = &status.response
		}
	}
	return r
}
