package ratehttp

import (
	"net/http"
	"net/url"
	"strings"
)

// hidden is an error of Base whose text does not have the queries and users of URLs, which may be secret. Events, logs and other errors
// show it. By errors.Is and errors.As it is the error that it was.
type hidden struct {
	error
	text string
}

func (h *hidden) Error() string { return h.text }

func (h *hidden) Unwrap() error { return h.error }

// hide returns err, or a hidden one if its text has the query or the user of the request's URL, or of that of a [url.Error] in it.
func hide(err error, req *http.Request) (safe error) {
	if err == nil {
		return nil
	}
	defer func() {
		if recover() != nil { // err is a nil pointer, or otherwise broken
			safe = err
		}
	}()
	text := err.Error()
	shown := text
	if req.URL != nil {
		shown = without(shown, req.URL)
	}
	eachURL(err, func(u *url.URL) { shown = without(shown, u) })
	if shown == text {
		return err
	}
	return &hidden{err, shown}
}

// without returns a text without a URL's query and user.
func without(text string, u *url.URL) string {
	if u.RawQuery != "" {
		text = strings.ReplaceAll(text, "?"+u.RawQuery, "")
	}
	if u.User == nil {
		return text
	}
	name := url.User(u.User.Username()).String()
	for _, user := range []string{u.User.String(), name + ":***", name + ":xxxxx", name} { // as net/http and URL.Redacted write it, too
		text = strings.ReplaceAll(text, "//"+user+"@", "//")
	}
	return text
}

// eachURL calls f for the URL of each url.Error that err is or wraps.
func eachURL(err error, f func(*url.URL)) {
	if e, ok := err.(*url.Error); ok && e != nil {
		if u, bad := url.Parse(e.URL); bad == nil {
			f(u)
		} else if _, query, ok := strings.Cut(e.URL, "?"); ok {
			f(&url.URL{RawQuery: query})
		}
	}
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		if err := e.Unwrap(); err != nil {
			eachURL(err, f)
		}
	case interface{ Unwrap() []error }:
		for _, err := range e.Unwrap() {
			eachURL(err, f)
		}
	}
}
