package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"example.com/fairlead/retry"
	"example.com/fairlead/retry/headers"
)

// maxBody bounds what is read of an answer.
const maxBody = 64 << 20

// sender makes attempts.
type sender struct {
	client   *http.Client
	headers  http.Header
	timeout  time.Duration
	attempts context.Context // when it is done, those that run are given up
	refused  atomic.Int64    // 429s seen
}

// statusError is an answer that is not a success. It says what it means for retrying.
type statusError struct {
	response
	status string
}

func (e *statusError) Error() string {
	if message := apiMessage(e.Body); message != "" {
		return e.status + ": " + message
	}
	return e.status
}

// send makes one attempt. What the answer says of the server's limits comes back, too.
func (s *sender) send(l *line) (*response, headers.Observations, error) {
	var silence headers.Observations
	ctx, cancel := context.WithTimeout(s.attempts, s.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, l.method, l.url, bytes.NewReader(l.body))
	if err != nil {
		return nil, silence, err
	}
	// Without these net/http could send the request once more by itself, without paying.
	req.Body, req.GetBody = io.NopCloser(bytes.NewReader(l.body)), nil
	req.Header = s.headers.Clone()
	if req.Header.Get("Content-Type") == "" && len(l.body) > 0 {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("X-Request-Id", l.id())
	res, err := s.client.Do(req)
	if err != nil {
		return nil, silence, retry.Transient(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxBody+1))
	if err != nil {
		return nil, silence, retry.Transient(fmt.Errorf("reading the answer: %w", err))
	}
	if len(body) > maxBody {
		return nil, silence, fmt.Errorf("the answer is longer than %d bytes", maxBody)
	}
	seen := headers.Parse(res.Header, time.Now())
	answer, err := s.judge(res, asJSON(body), seen)
	return answer, seen, err
}

// judge says what an answer means.
func (s *sender) judge(res *http.Response, body json.RawMessage, seen headers.Observations) (*response, error) {
	answer := response{StatusCode: res.StatusCode, Body: body}
	if res.StatusCode/100 == 2 {
		return &answer, nil
	}
	if res.StatusCode == http.StatusTooManyRequests {
		s.refused.Add(1)
	}
	err := seen.Mark(res.StatusCode, &statusError{response: answer, status: res.Status})
	if apiCode(body) == "insufficient_quota" { // waiting doesn't pay bills
		err = retry.Permanent(err)
	}
	return nil, err
}

// asJSON is the body itself if it is JSON, or a JSON string of it.
func asJSON(body []byte) json.RawMessage {
	if json.Valid(body) {
		var line bytes.Buffer
		_ = json.Compact(&line, body) // valid, so it can't fail; results are a line each
		return line.Bytes()
	}
	text, _ := json.Marshal(string(body)) // strings always marshal
	return text
}

// apiError is the form in which most APIs say what is wrong.
type apiError struct {
	Error struct {
		Message string
		Code    any
		Type    string
	}
}

func apiMessage(body json.RawMessage) string {
	var e apiError
	_ = json.Unmarshal(body, &e) // other forms have no message for us
	return e.Error.Message
}

func apiCode(body json.RawMessage) string {
	var e apiError
	_ = json.Unmarshal(body, &e)
	if code, ok := e.Error.Code.(string); ok {
		return code
	}
	return e.Error.Type
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
