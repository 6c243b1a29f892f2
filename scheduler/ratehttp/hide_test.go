package ratehttp_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/events"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
	"example.com/fairlead/scheduler/ratehttp"
)

// clientAsBase is a client as a base. Its errors contain the URL.
type clientAsBase struct{ http.Client }

func (c *clientAsBase) RoundTrip(req *http.Request) (*http.Response, error) {
	again := req.Clone(req.Context())
	again.RequestURI = ""
	return c.Do(again)
}

// TestURLsAreHidden checks that secrets in a URL are neither in events nor in this package's errors.
func TestURLsAreHidden(t *testing.T) {
	s := open(t, scheduler.Config{})
	sub := s.Subscribe(events.All)
	const at = "http://sec:ret@127.0.0.1:1/path?key=secret&x=secret" // no server has that port
	_, err := (&ratehttp.Transport{Scheduler: s, Base: new(clientAsBase)}).RoundTrip(request(t, "GET", at, ""))
	require.ErrorIs(t, err, retry.ErrExhausted)
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
	require.ErrorAs(t, err, new(*url.Error))
	require.NotContains(t, err.Error(), "sec")
	require.Contains(t, err.Error(), "http://127.0.0.1:1/path")
	ev := until(t, sub, events.Exhausted)
	require.NotContains(t, ev.String(), "sec")
	require.Contains(t, ev.String(), "http://127.0.0.1:1/path")
}

// TestURLsOfBodiesAreHidden checks that secrets in a URL are not in the error of a body.
func TestURLsOfBodiesAreHidden(t *testing.T) {
	s := open(t, scheduler.Config{})
	sub := s.Subscribe(events.Of(events.Failed))
	const at = "https://example.com/path?key=secret"
	for _, broken := range []error{
		&url.Error{Op: "read", URL: at, Err: io.ErrUnexpectedEOF},
		fmt.Errorf("read %q: %w", at, io.ErrUnexpectedEOF),
		errors.Join(io.EOF, fmt.Errorf("again: %w", &url.Error{Op: "read", URL: "https://sec:ret@example.com/path?key=secret", Err: io.EOF})),
		&url.Error{Op: "read", URL: "https://example.com:port/path?other=secret", Err: io.EOF},
		&url.Error{Op: "read", URL: `https://example.com/path?key=sec"ret\`, Err: io.EOF},
		&url.Error{Op: "read", URL: "https://example.com/path#access_token=secret", Err: io.EOF},
	} {
		base := roundTrip(func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, Body: io.NopCloser(io.MultiReader(strings.NewReader("x"), iotest.ErrReader(broken)))}, nil
		})
		res, err := (&ratehttp.Transport{Scheduler: s, Base: base}).RoundTrip(request(t, "GET", at, ""))
		require.NoError(t, err)
		_, err = io.ReadAll(res.Body)
		require.Equal(t, broken, err, "the caller gets the body's own error")
		said := until(t, sub, events.Failed).Err.Error()
		require.NotContains(t, said, "sec")
	}
}

// TestErrorsThatPanic checks that a request ends even if its error's methods panic.
func TestErrorsThatPanic(t *testing.T) {
	s := open(t, scheduler.Config{})
	broken := (*url.Error)(nil)
	base := roundTrip(func(*http.Request) (*http.Response, error) { return nil, broken })
	_, err := (&ratehttp.Transport{Scheduler: s, Base: base}).RoundTrip(request(t, "GET", "https://example.com/?key=secret", ""))
	require.Same(t, broken, err)
	idle(t, s, nil)
}
