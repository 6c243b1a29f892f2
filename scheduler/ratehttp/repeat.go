package ratehttp

import (
	"net/http"
	"net/url"

	"example.com/fairlead/retry"
)

// Idempotent reports whether the request of an attempt may be sent twice. As in net/http, it may if RFC 9110 calls its method idempotent
// (GET, HEAD, OPTIONS, TRACE, PUT and DELETE), or if it has an Idempotency-Key or X-Idempotency-Key.
func Idempotent(a Attempt) bool {
	switch a.Request.Method {
	case "", http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodPut, http.MethodDelete:
		return true
	}
	return len(a.Request.Header["Idempotency-Key"]) > 0 || len(a.Request.Header["X-Idempotency-Key"]) > 0
}

// mayRepeat reports whether the request may be sent again after this attempt.
func (x *exchange) mayRepeat(a Attempt) bool {
	switch {
	case !replayable(x.req):
		return false
	case refused(a.Response) || retry.NotProcessed(a.Err):
		return true
	case x.t.Repeatable != nil:
		return x.t.Repeatable(a)
	}
	return Idempotent(a)
}

// refused reports whether a server rejected a request without acting on it.
func refused(res *http.Response) bool {
	if res == nil {
		return false
	}
	switch res.StatusCode {
	case http.StatusTooManyRequests, http.StatusForbidden, http.StatusRequestEntityTooLarge:
		return true
	}
	return false // a proxy may send a 503 after the server has acted
}

// replayable reports whether the request has no body, or one that can be read again.
func replayable(req *http.Request) bool {
	return req.Body == nil || req.Body == http.NoBody || req.GetBody != nil
}

// rewind gives a copy of a request a body that was not read.
func rewind(req *http.Request) (err error) {
	if req.Body != nil && req.Body != http.NoBody {
		req.Body, err = req.GetBody()
	}
	return err
}

// StatusError is a response as an error. It is the error of an attempt in events, and inside a [retry.ExhaustedError].
type StatusError struct {
	Method     string
	URL        string // without its query and user, which may be secret
	StatusCode int
	Status     string // as in "429 Too Many Requests"
}

func statusError(req *http.Request, res *http.Response) *StatusError {
	e := &StatusError{Method: req.Method, StatusCode: res.StatusCode, Status: res.Status}
	if e.Method == "" {
		e.Method = http.MethodGet
	}
	if req.URL != nil {
		e.URL = (&url.URL{Scheme: req.URL.Scheme, Host: req.URL.Host, Path: req.URL.Path}).String()
	}
	return e
}

// Error returns a text like "POST https://api.example.com/v1/chat: 429 Too Many Requests".
func (e *StatusError) Error() string { return e.Method + " " + e.URL + ": " + e.Status }
