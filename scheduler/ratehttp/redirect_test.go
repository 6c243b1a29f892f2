package ratehttp_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
	"example.com/fairlead/scheduler/ratehttp"
)

// pipes connects clients to a real server in virtual time.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { close(p.closed); return nil }
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipes"} }

// served serves a handler in a synctest bubble with net/http's server. It returns a transport of net/http that connects to it.
func served(t *testing.T, handle http.HandlerFunc) *http.Transport {
	p := &pipes{make(chan net.Conn), make(chan struct{})}
	srv := &http.Server{Handler: handle}
	over := make(chan error)
	go func() { over <- srv.Serve(p) }()
	base := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		p.conns <- theirs
		return ours, nil
	}}
	t.Cleanup(func() {
		base.CloseIdleConnections()
		require.NoError(t, srv.Close())
		require.ErrorIs(t, <-over, http.ErrServerClosed)
	})
	return base
}

// TestH70_RedirectIsWaitedFor checks that a redirected request waits as long as its redirect asks, and that other requests don't.
func TestH70_RedirectIsWaitedFor(t *testing.T) {
	for _, wait := range []string{"60", time.Date(2000, 1, 1, 0, 1, 0, 0, time.UTC).Format(http.TimeFormat)} { // a bubble begins in 2000
		synctest.Test(t, func(t *testing.T) {
			started := time.Now()
			came := map[string]time.Duration{}
			base := served(t, func(w http.ResponseWriter, r *http.Request) {
				came[r.URL.Path] = time.Since(started)
				if r.URL.Path == "/here" {
					w.Header().Set("Retry-After", wait)
					http.Redirect(w, r, "/there", http.StatusSeeOther)
				}
			})
			s := open(t, scheduler.Config{MaxInFlight: 1})
			c := client(t, &ratehttp.Transport{Scheduler: s, Base: base})
			done := make(chan error)
			go func() {
				_, err := c.Post("http://example.com/here", "", nil)
				done <- err
			}()
			synctest.Wait()
			res, err := c.Get("http://example.com/other")
			require.Empty(t, text(t, res, err))
			require.NoError(t, <-done)
			require.Equal(t, map[string]time.Duration{"/here": 0, "/other": 0, "/there": time.Minute}, came)
			idle(t, s, nil)
		})
	}
}

// TestH70_RedirectIsNotWaitedFor checks that a request ends at once if the wait of its redirect is longer than two minutes or the
// deadline, or if its context ends.
func TestH70_RedirectIsNotWaitedFor(t *testing.T) {
	stop := errors.New("not wanted any more")
	for name, c := range map[string]struct {
		wait  string
		ctx   func(context.Context) (context.Context, context.CancelFunc)
		check func(*testing.T, error)
		after time.Duration
	}{
		"too long": {"121", nil, func(t *testing.T, err error) {
			require.ErrorIs(t, err, retry.ErrWaitTooLong)
			require.ErrorContains(t, err, "asks for 2m1s, more than 2m0s")
		}, 0},
		"after the deadline": {"60", func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, 50*time.Second)
		}, func(t *testing.T, err error) {
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.ErrorAs(t, err, new(*scheduler.DeadlineError))
		}, 0},
		"canceled": {"60", func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancelCause(ctx)
			time.AfterFunc(5*time.Second, func() { cancel(stop) })
			return ctx, func() { cancel(nil) }
		}, func(t *testing.T, err error) { require.ErrorIs(t, err, stop) }, 5 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				started := time.Now()
				requests := 0
				base := served(t, func(w http.ResponseWriter, r *http.Request) {
					requests++
					w.Header().Set("Retry-After", c.wait)
					http.Redirect(w, r, "/there?key=secret", http.StatusTemporaryRedirect)
				})
				s := open(t, scheduler.Config{})
				ctx, cancel := t.Context(), context.CancelFunc(func() {})
				if c.ctx != nil {
					ctx, cancel = c.ctx(ctx)
				}
				defer cancel()
				tr := &ratehttp.Transport{Scheduler: s, Base: base}
				_, err := client(t, tr).Do(request(t, "PUT", "http://example.com/here?key=secret", "x").WithContext(ctx))
				c.check(t, err)
				status := new(ratehttp.StatusError)
				require.ErrorAs(t, err, &status)
				require.Equal(t, "PUT http://example.com/here: 307 Temporary Redirect", status.Error())
				require.Equal(t, c.after, time.Since(started))
				require.Equal(t, 1, requests)
				idle(t, s, nil)
			})
		})
	}
}
