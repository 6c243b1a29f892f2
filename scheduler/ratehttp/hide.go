package ratehttp

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// hidden is an error of Base whose text leaves out the queries, fragments and users of URLs. They may be secret, and the text is shown
// in events, logs and other errors. errors.Is and errors.As find the original error.
type hidden struct {
	error
	text string
}

func (h *hidden) Error() string { return h.text }

func (h *hidden) Unwrap() error { return h.error }

// hide returns err, or a hidden error if its text contains the query or user of the request's URL or of a [url.Error]'s URL.
func hide(err error, req *http.Request) (safe error) {
	if err == nil {
		return nil
	}
	defer func() {
		if recover() != nil { // err may be a nil pointer
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

// without returns a text without the query, fragment and user of a URL.
func without(text string, u *url.URL) string {
	if f := u.EscapedFragment(); f != "" {
		text = cut(text, "#"+f)
	}
	if u.RawQuery != "" {
		text = cut(text, "?"+u.RawQuery)
	}
	if u.User == nil {
		return text
	}
	name := url.User(u.User.Username()).String()
	for _, user := range []string{u.User.String(), name + ":***", name + ":xxxxx", name} { // net/http and URL.Redacted also write these
		text = strings.ReplaceAll(text, "//"+user+"@", "//")
	}
	return text
}

// cut returns a text without a part. The part may also be in quotes, with escapes, as in the text of a [url.Error].
func cut(text, part string) string {
	quoted := strconv.Quote(part)
	return strings.NewReplacer(part, "", quoted[1:len(quoted)-1], "").Replace(text)
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
