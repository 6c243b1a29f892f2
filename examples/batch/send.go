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
const maxBody = mostMebibytes * mebibyte

// sender makes attempts.
type sender struct {
	transport *http.Transport // without a client, which would follow unpaid redirects
	fresh     *http.Transport // uses each connection once
	headers   http.Header
	timeout   time.Duration
	maxAnswer int64           // bytes
	attempts  context.Context // when it is done, running attempts are given up
	refused   atomic.Int64    // how many answers were 429
	reached   atomic.Bool     // a connection was made once
}

func newSender(cfg config, attempts context.Context) *sender {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = cfg.inFlight
	fresh := transport.Clone()
	fresh.DisableKeepAlives = true
	return &sender{transport: transport, fresh: fresh, headers: cfg.headers, timeout: cfg.timeout, maxAnswer: cfg.maxAnswer, attempts: attempts}
}

// refusalTime bounds how long the body of a refusal is read. Its status says enough, and the request
// holds a slot meanwhile.
const refusalTime = 5 * time.Second

// reply is the outcome of an attempt.
type reply struct {
	answer *response            // nil if there is an error
	seen   headers.Observations // the server's limits, as the answer tells them
	err    error
	sends  int  // how often the request went out, since net/http sends some again by itself
	away   bool // no connection could be made, and that may pass
}

// send makes one attempt. If the request is lost because the server has closed an idle connection, it
// goes out once more on a new one.
func (s *sender) send(l *line) reply {
	r, stale := s.once(l, s.transport)
	if stale {
		first := r
		r, _ = s.once(l, s.fresh)
		r.sends += first.sends
	}
	return r
}

// once sends a request, and reports whether it was lost with an idle connection.
func (s *sender) once(l *line, transport *http.Transport) (r reply, stale bool) {
	ctx, cancel := context.WithTimeout(s.attempts, s.timeout)
	defer cancel()
	var sent sends
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
		return s.failure(ctx, err, sent.connected.Load()), sent.reused.Load() && ctx.Err() == nil
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
	case success, s.attempts.Err() != nil:
		return reply{err: s.late(ctx, err), seen: seen}, false
	}
	answer, err := s.judge(res, body, seen) // a refusal stays one, even if its body is too long, cut off or late
	return reply{answer: answer, err: err, seen: seen}, false
}

func (s *sender) request(ctx context.Context, l *line) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, l.method, l.url, bytes.NewReader(l.body))
	if err != nil {
		return nil, cause(err)
	}
	req.Header = s.headers.Clone()
	if host := req.Header.Get("Host"); host != "" {
		req.Host = host // net/http takes it from here
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

// sends counts how often a request goes out. Its fields may still be written after the answer has
// come.
type sends struct {
	connected atomic.Bool
	reused    atomic.Bool // of the latest connection: used before, and no answer has begun on it
	wrote     atomic.Bool
	times     atomic.Int32
}

func (s *sends) trace() *httptrace.ClientTrace {
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

// failure returns the reply to a request without an answer. Either no connection could be made,
// or none ever will be, or another attempt may work.
func (s *sender) failure(ctx context.Context, err error, connected bool) reply {
	var certificate *tls.CertificateVerificationError
	var name *net.DNSError
	switch {
	case connected:
		return reply{err: s.late(ctx, err)}
	case s.attempts.Err() != nil:
		return reply{err: err}
	case errors.As(err, &certificate), errors.As(err, new(tls.RecordHeaderError)), // the server does not speak TLS
		errors.As(err, &name) && name.IsNotFound && !s.reached.Load(): // probably a typing error
		return reply{err: &unreachable{err}}
	}
	return reply{err: s.late(ctx, err), away: true}
}

// unreachable is a failure to connect that does not pass.
type unreachable struct{ error }

func (e *unreachable) Unwrap() error { return e.error }

// late marks an error as worth a retry. If -timeout has ended the attempt, the error says so.
func (s *sender) late(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) && s.attempts.Err() == nil {
		err = fmt.Errorf("not over after %v (-timeout): %w", s.timeout, err)
	}
	return retry.Transient(err)
}

// tooLongError is the error of an answer longer than -max-answer.
type tooLongError struct{ most int64 }

func (e *tooLongError) Error() string {
	return fmt.Sprintf("the answer is longer than %d MiB, which -max-answer allows: raise it, or ask for less", e.most/mebibyte)
}

// read reads an answer in the form that it has in the result. If reading fails, it returns the part that has
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

// judge returns the answer, or the error that it stands for.
func (s *sender) judge(res *http.Response, body json.RawMessage, seen headers.Observations) (*response, error) {
	answer := response{StatusCode: res.StatusCode, Body: body}
	said := readError(body)
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
		s.refused.Add(1)
	}
	v := seen.Verdict(status)
	if wait, ok := headers.RetryInfo(body); ok {
		v.Wait = max(v.Wait, wait)
	}
	if !v.Retryable() || noCredit[wrong.code] { // waiting does not pay bills
		return nil, wrong
	}
	return nil, v.Mark(wrong)
}

// resultOf is what the output says of a line.
func resultOf(l *line, answer *response, err error) *result {
	r := &result{ID: l.id(), CustomID: l.customID, Response: answer}
	if err != nil {
		r.Response = nil
		r.Error = &failure{Message: err.Error()}
		var status *statusError
		if errors.As(err, &status) {
			r.Response = &status.response
		}
	}
	return r
}
