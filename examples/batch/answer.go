package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode/utf8"

	"example.com/fairlead/retry"
)

// statusError is the error of an answer that is not a success.
type statusError struct {
	response
	status  string
	message string // from the API; may be empty
	code    string
}

func (e *statusError) Error() string {
	if e.message != "" {
		return e.status + ": " + e.message
	}
	return e.status
}

// butAnError is appended to the status of a success whose body is an error.
const butAnError = ", but its body is an error"

// blame is the likely cause of a failure: the line itself, or something that all lines share.
type blame string

const (
	theLine    blame = ""
	theAccount blame = "the key or the account"
	theURL     blame = "the URL"
	theServer  blame = "the server"
	theOutage  blame = "an outage" // the retries are used up
)

// noCredit has the codes of APIs for an account without credit, where a retry is of no use.
var noCredit = map[string]bool{"insufficient_quota": true, "billing_not_active": true, "billing_hard_limit_reached": true}

func (e *statusError) blame() blame {
	switch e.StatusCode {
	case http.StatusUnauthorized, http.StatusPaymentRequired, http.StatusForbidden, http.StatusProxyAuthRequired:
		return theAccount
	case http.StatusNotFound, http.StatusMethodNotAllowed:
		return theURL
	}
	switch {
	case noCredit[e.code]:
		return theAccount
	case e.StatusCode/100 == 3:
		return theURL
	}
	return theLine
}

// blameFor returns the likely cause of a line's final error.
func blameFor(err error) blame {
	var status *statusError
	switch {
	case errors.Is(err, retry.ErrExhausted):
		return theOutage
	case errors.As(err, new(*unreachable)):
		return theServer
	case errors.As(err, &status):
		return status.blame()
	}
	return theLine
}

// asJSON returns the body itself if it is JSON, and otherwise the body as a JSON string.
func asJSON(body []byte) json.RawMessage {
	var line bytes.Buffer
	if json.Valid(body) {
		line.Grow(len(body))
		_ = json.Compact(&line, body) // valid JSON can't fail; a result is one line
		return line.Bytes()
	}
	line.Grow(int(sizeAsJSON(body)))
	enc := json.NewEncoder(&line)
	enc.SetEscapeHTML(false)     // escaping would make a page six times as long
	_ = enc.Encode(string(body)) // strings always encode
	return bytes.TrimSuffix(line.Bytes(), []byte("\n"))
}

// sizeAsJSON returns the length of asJSON's result without building it. Escaping may make a text six times as
// long.
func sizeAsJSON(body []byte) int64 {
	if json.Valid(body) {
		return int64(len(body)) // at most
	}
	n := int64(len(`""` + "\n"))
	for len(body) > 0 {
		r, size := utf8.DecodeRune(body)
		switch {
		case strings.ContainsRune("\"\\\b\f\n\r\t", r):
			n += 2
		case r < ' ', r == utf8.RuneError && size == 1, r == '\u2028', r == '\u2029':
			n += 6
		default:
			n += int64(size)
		}
		body = body[size:]
	}
	return n
}

// apiError is the error in an answer, in the form of most APIs: the member "error" with an object, a string or
// any other value that is not empty.
type apiError struct {
	raw json.RawMessage

	Message string
	Code    any
	Type    string
}

// parseAPIError reads the error in an answer, and keeps a bounded part of it.
func parseAPIError(body json.RawMessage) apiError {
	var answer struct{ Error json.RawMessage }
	if len(body) == 0 || body[0] != '{' || json.Unmarshal(body, &answer) != nil { // other forms have no message
		return apiError{}
	}
	e := apiError{raw: answer.Error}
	if json.Unmarshal(e.raw, &e) != nil {
		_ = json.Unmarshal(e.raw, &e.Message) // may be a string
	}
	return e
}

// found reports whether the answer has an error. Some APIs send "error": null in every answer.
func (e apiError) found() bool {
	switch string(e.raw) {
	case "", "null", "false", "0", `""`, "{}", "[]":
		return false
	}
	return true
}

func (e apiError) message() string { return truncated(e.Message, 500) }

func (e apiError) code() string {
	if code, ok := e.Code.(string); ok && code != "" {
		return truncated(code, 100)
	}
	return truncated(e.Type, 100)
}

// status returns the status that an error inside a 200 counts as: its code if that is a status, and otherwise
// 500, which is retried.
func (e apiError) status() int {
	if code, ok := e.Code.(float64); ok && code >= 400 && code < 600 {
		return int(code)
	}
	return http.StatusInternalServerError
}

// truncated returns the first n bytes of a text, without keeping the rest in memory.
func truncated(text string, n int) string {
	if len(text) <= n {
		return strings.Clone(text)
	}
	return strings.ToValidUTF8(text[:n], "") + "…"
}

// reason returns why a line failed, in the form that the summary counts.
func (r *result) reason() string {
	text := r.Error.Message
	if _, last, ok := strings.Cut(text, ", the last with: "); ok { // without the time spent, which differs
		text = last
	}
	if r.Response != nil {
		text = fmt.Sprintf("%d %s", r.Response.StatusCode, http.StatusText(r.Response.StatusCode))
		if r.Response.StatusCode/100 == 2 {
			text += butAnError
		}
		if message := parseAPIError(r.Response.Body).message(); message != "" {
			text += ": " + message
		}
	}
	return text
}
