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

// statusError is an answer that is not a success.
type statusError struct {
	response
	status  string
	message string // of the API; may be empty
	code    string
}

func (e *statusError) Error() string {
	if e.message != "" {
		return e.status + ": " + e.message
	}
	return e.status
}

// butAnError is added to the status of a success whose body is an error.
const butAnError = ", but its body is an error"

// blame is the cause of a refusal that is not the line's own fault.
type blame string

const (
	theLine    blame = ""
	theAccount blame = "the key or the account"
	theURL     blame = "the URL"
	theServer  blame = "the server"
	theOutage  blame = "an outage" // the retries are used up
)

// noCredit has the APIs' codes for an account that waiting does not help.
var noCredit = map[string]bool{"insufficient_quota": true, "billing_not_active": true, "billing_hard_limit_reached": true}

func (e *statusError) about() blame {
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

// about returns what is to blame for the final error of a line.
func about(err error) blame {
	var status *statusError
	switch {
	case errors.Is(err, retry.ErrExhausted):
		return theOutage
	case errors.As(err, new(*unreachable)):
		return theServer
	case errors.As(err, &status):
		return status.about()
	}
	return theLine
}

// asJSON returns the body itself if it is JSON, and otherwise a JSON string of it.
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

// sizeAsJSON returns how long asJSON's result will be, without making it. A text may become six
// times as long.
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

// apiError is the error in an answer, in the form that most APIs use: the member "error" with an
// object, a text or anything else that is not empty.
type apiError struct {
	raw json.RawMessage

	Message string
	Code    any
	Type    string
}

// readError reads the error in an answer. It keeps only a bounded part of it.
func readError(body json.RawMessage) apiError {
	var answer struct{ Error json.RawMessage }
	if len(body) == 0 || body[0] != '{' || json.Unmarshal(body, &answer) != nil { // other forms have no message
		return apiError{}
	}
	e := apiError{raw: answer.Error}
	if json.Unmarshal(e.raw, &e) != nil {
		_ = json.Unmarshal(e.raw, &e.Message) // may be a text
	}
	return e
}

// found reports whether the answer has an error. Some APIs have "error": null in every answer.
func (e apiError) found() bool {
	switch string(e.raw) {
	case "", "null", "false", "0", `""`, "{}", "[]":
		return false
	}
	return true
}

func (e apiError) message() string { return bounded(e.Message, 500) }

func (e apiError) code() string {
	if code, ok := e.Code.(string); ok && code != "" {
		return bounded(code, 100)
	}
	return bounded(e.Type, 100)
}

// status returns the status that an error in an answer of 200 stands for. If its code is a status,
// it is that one. Otherwise it is the status of a transient failure.
func (e apiError) status() int {
	if code, ok := e.Code.(float64); ok && code >= 400 && code < 600 {
		return int(code)
	}
	return http.StatusInternalServerError
}

// bounded returns the beginning of a text, without keeping the rest in memory.
func bounded(text string, most int) string {
	if len(text) <= most {
		return strings.Clone(text)
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}

// reason returns why a line has failed, as the summary counts it.
func (r *result) reason() string {
	text := r.Error.Message
	if _, last, ok := strings.Cut(text, ", the last with: "); ok { // the time that it took is no reason
		text = last
	}
	if r.Response != nil {
		text = fmt.Sprintf("%d %s", r.Response.StatusCode, http.StatusText(r.Response.StatusCode))
		if r.Response.StatusCode/100 == 2 {
			text += butAnError
		}
		if message := readError(r.Response.Body).message(); message != "" {
			text += ": " + message
		}
	}
	return text
}
