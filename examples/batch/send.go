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

// maxBody is the most that -max-answer may be, in bytes.
const maxBody = mostMebibytes * mebibyte

// sender makes attempts.
type sender struct {
	transport *http.Transport // without a client: that would follow redirects, which have not paid
	fresh     *http.Transport // uses each connection once
	headers   http.Header
	timeout   time.Duration
	maxAnswer int64           // bytes
	attempts  context.Context // when it is done, those that run are given up
	refused   atomic.Int64    // 429s seen
	reached   atomic.Bool     // a connection was made once
}

func newSender(cfg config, attempts context.Context) *sender {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = cfg.inFlight
	fresh := transport.Clone()
	fresh.DisableKeepAlives = true
	return &sender{transport: transport, fresh: fresh, headers: cfg.headers, timeout: cfg.timeout, maxAnswer: cfg.maxAnswer, attempts: attempts}
}

// reply is what came of an attempt.
type reply struct {
	answer *response            // nil if there is an error
	seen   headers.Observations // what the answer says of the server's limits
	err    error
	sends  int  // how often the request went out: net/http sends some once more by itself
	away   bool // no connection could be made, and that may pass
}

// send makes one attempt. If the server has closed a connection that was idle, which shows only when a
// request goes out on it, the request goes out once more, on a new one.
func (s *sender) send(l *line) reply {
	r, stale := s.once(l, s.transport)
	if stale {
		first := r
		r, _ = s.once(l, s.fresh)
		r.sends += first.sends
	}
	return r
}

// once sends a request, and reports whether it was lost with a connection that was idle before.
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
	body, err := s.read(res)
	if err != nil && !errors.As(err, new(*tooLongError)) {
		return reply{err: s.late(ctx, err), seen: seen}, false
	}
	if err != nil && res.StatusCode/100 == 2 {
		return reply{err: err, seen: seen}, false
	}
	answer, err := s.judge(res, body, seen) // a refusal stays one if it is too long to be kept
	return reply{answer: answer, err: err, seen: seen}, false
}

func (s *sender) request(ctx context.Context, l *line) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, l.method, l.url, bytes.NewReader(l.body))
	if err != nil {
		return nil, cause(err)
	}
	req.Header = s.headers.Clone()
	if host := req.Header.Get("Host"); host != "" {
		req.Host = host // where net/http looks for it
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

// sends counts how often a request goes out. Its fields may be written after the answer is there.
type sends struct {
	connected atomic.Bool
	reused    atomic.Bool // the latest connection, and no answer has begun on it
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

// failure returns what a request without an answer means: that no connection could be made, that
// none ever will be, or that it may work the next time.
func (s *sender) failure(ctx context.Context, err error, connected bool) reply {
	var certificate *tls.CertificateVerificationError
	var name *net.DNSError
	switch {
	case connected:
		return reply{err: s.late(ctx, err)}
	case s.attempts.Err() != nil:
		return reply{err: err}
	case errors.As(err, &certificate), errors.As(err, new(tls.RecordHeaderError)), // it does not speak TLS at all
		errors.As(err, &name) && name.IsNotFound && !s.reached.Load(): // a typing error, probably
		return reply{err: &unreachable{err}}
	}
	return reply{err: s.late(ctx, err), away: true}
}

// unreachable is a failure to connect that does not pass.
type unreachable struct{ error }

func (e *unreachable) Unwrap() error { return e.error }

// late marks an error as worth a retry, and says if it was -timeout that ended the attempt.
func (s *sender) late(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) && s.attempts.Err() == nil {
		err = fmt.Errorf("not over after %v (-timeout): %w", s.timeout, err)
	}
	return retry.Transient(err)
}

// tooLongError is about an answer.
type tooLongError struct{ most int64 }

func (e *tooLongError) Error() string {
	return fmt.Sprintf("the answer is longer than %d MiB, which -max-answer allows: raise it, or ask for less", e.most/mebibyte)
}

// read reads an answer as it will stand in the result.
func (s *sender) read(res *http.Response) (json.RawMessage, error) {
	if res.ContentLength > s.maxAnswer {
		return nil, &tooLongError{s.maxAnswer}
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, s.maxAnswer+1))
	if err != nil {
		return nil, fmt.Errorf("reading the answer: %w", err)
	}
	if int64(len(body)) > s.maxAnswer || sizeAsJSON(body) > s.maxAnswer {
		return nil, &tooLongError{s.maxAnswer}
	}
	return asJSON(body), nil
}

// judge says what an answer means.
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
	if wait, ok := headers.RetryInfo(body); ok && v.Retryable() {
		v.Wait = max(v.Wait, wait)
	}
	if !v.Retryable() || noCredit[wrong.code] { // waiting doesn't pay bills
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
