package ratehttp_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/scheduler"
	"example.com/fairlead/scheduler/ratehttp"
)

// hangsUp is a server that answers the first request of each connection, and reads the second and hangs up.
func hangsUp(t *testing.T) (url string, requests *atomic.Int64) {
	requests = new(atomic.Int64)
	return listen(t, func(c net.Conn) {
		in := bufio.NewReader(c)
		for first := true; ; first = false {
			if _, err := http.ReadRequest(in); err != nil {
				return
			}
			if requests.Add(1); !first {
				return
			}
			fmt.Fprint(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		}
	}), requests
}

// TestH67_ResentPays: what net/http sends again by itself pays, in each of its attempts.
func TestH67_ResentPays(t *testing.T) {
	url, requests := hangsUp(t)
	s := open(t, scheduler.Config{})
	cost := func(*http.Request) []scheduler.Option { return []scheduler.Option{scheduler.Cost(3)} }
	c := client(t, &ratehttp.Transport{Scheduler: s, Options: cost})
	traced := 0
	for range 20 {
		trace := &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { traced++ }}
		req := request(t, "GET", url, "")
		req = req.WithContext(httptrace.WithClientTrace(req.Context(), trace))
		res, err := c.Do(req)
		require.Equal(t, "ok", text(t, res, err))
		require.Same(t, req, res.Request)
	}
	require.EqualValues(t, 39, requests.Load(), "20 requests, of which 19 were sent on a connection that was used before")
	require.EqualValues(t, 3*39, s.Snapshot().Ledger.Spent)
	require.EqualValues(t, 20, s.Snapshot().Totals.Attempts)
	require.Equal(t, 39, traced, "a trace of the caller's own sees them all")
}

// TestH67_RefusedStreamPays: so does a stream that an HTTP/2 server has refused.
func TestH67_RefusedStreamPays(t *testing.T) {
	srv, base := serveHTTP2(t, func(n int64, c conn, stream uint32) {
		if n == 1 {
			c.reset(stream, refusedStream)
			return
		}
		c.ok(stream)
	})
	s := open(t, scheduler.Config{})
	res, err := client(t, &ratehttp.Transport{Scheduler: s, Base: base}).Get(srv.url)
	require.Empty(t, text(t, res, err))
	require.EqualValues(t, 2, srv.requests.Load())
	require.EqualValues(t, 2, s.Snapshot().Ledger.Spent)
}

// TestWhatIsSentOncePaysOnce: not one that waits for the server's leave to send its body, nor one over a connection that was used before.
func TestWhatIsSentOncePaysOnce(t *testing.T) {
	srv := serve(t, func(_ int64, w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) })
	s := open(t, scheduler.Config{})
	c := client(t, &ratehttp.Transport{Scheduler: s})
	for range 5 {
		req := request(t, "PUT", srv.URL, "an apple")
		req.Header.Set("Expect", "100-continue")
		res, err := c.Do(req)
		require.Empty(t, text(t, res, err))
	}
	require.EqualValues(t, 5, s.Snapshot().Ledger.Spent)
	idle(t, s, srv)
}
