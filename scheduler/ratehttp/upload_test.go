package ratehttp_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/scheduler"
	"example.com/fairlead/scheduler/ratehttp"
)

// stuck is a body whose Read blocks until the end of the test.
type stuck struct {
	reading chan struct{}
	over    <-chan struct{}
	closed  chan struct{}
}

func (b *stuck) Read([]byte) (int, error) {
	close(b.reading)
	<-b.over
	return 0, io.EOF
}

func (b *stuck) Close() error {
	close(b.closed)
	return nil
}

// TestH66_UploadEndsWithTheContext reads a body before the turn, or a copy of it, that blocks even after Close.
func TestH66_UploadEndsWithTheContext(t *testing.T) {
	for name, copied := range map[string]bool{"the body": false, "a copy": true} {
		t.Run(name, func(t *testing.T) {
			srv := answers(t, "200")
			s := open(t, scheduler.Config{})
			c := client(t, &ratehttp.Transport{Scheduler: s, Tokens: new(ratehttp.Tokens)})
			over := make(chan struct{})
			defer close(over)
			body := &stuck{make(chan struct{}), over, make(chan struct{})}
			reason := errors.New("not wanted any more")
			ctx, cancel := context.WithCancelCause(t.Context())
			req := request(t, "POST", srv.URL, "x").WithContext(ctx)
			req.Header.Set("Content-Type", "application/json")
			if copied {
				req.GetBody = func() (io.ReadCloser, error) { return body, nil }
			} else {
				req.Body, req.GetBody = body, nil
			}
			failed := make(chan error, 1)
			go func() {
				_, err := c.Do(req)
				failed <- err
			}()
			<-body.reading
			cancel(reason)
			require.ErrorIs(t, <-failed, reason)
			<-body.closed
			idle(t, s, srv)
		})
	}
}

// TestUploadIsSentWhole checks that bytes that were read before the turn are sent, in pieces of any size, and that a failure is passed on.
func TestUploadIsSentWhole(t *testing.T) {
	srv := serve(t, func(_ int64, w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body) // fails at the end, because net/http's server stops reading after its answer
		_, _ = w.Write(body)
	})
	s := open(t, scheduler.Config{})
	c := client(t, &ratehttp.Transport{Scheduler: s, Tokens: &ratehttp.Tokens{MaxBody: 10_000}})
	sent := `{"text":"` + strings.Repeat("word ", 5_000) + `"}`
	do := func(body io.Reader) (string, error) {
		req := request(t, "POST", srv.URL, "x").WithContext(t.Context())
		req.Header.Set("Content-Type", "application/json")
		req.Body, req.GetBody, req.ContentLength = io.NopCloser(body), nil, int64(len(sent))
		res, err := c.Do(req)
		if err != nil {
			return "", err
		}
		return text(t, res, err), nil
	}
	got, err := do(iotest.HalfReader(strings.NewReader(sent)))
	require.NoError(t, err)
	require.Equal(t, sent, got)
	broken := errors.New("broken")
	_, err = do(io.MultiReader(strings.NewReader(sent[:100]), iotest.ErrReader(broken)))
	require.ErrorIs(t, err, broken)
	idle(t, s, nil)
}
