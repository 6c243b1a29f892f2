package ratehttp_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/scheduler"
	"example.com/fairlead/scheduler/ratehttp"
)

// hangsUp starts a server that answers the first request of each connection, and hangs up after it has read the second.
func hangsUp(t *testing.T, field, answer string) (url string, requests *atomic.Int64) {
	requests = new(atomic.Int64)
	return listen(t, func(c net.Conn) {
		in := bufio.NewReader(c)
		for first := true; ; first = false {
			req, err := http.ReadRequest(in)
			if err != nil {
				return
			}
			_, _ = io.Copy(io.Discard, req.Body)
			if requests.Add(1); !first {
				return
			}
			fmt.Fprintf(c, "HTTP/1.1 200 OK\r\n%s\r\nContent-Length: %d\r\n\r\n%s", field, len(answer), answer)
		}
	}), requests
}

// TestH67_ResentPays checks that a request pays each time that net/http sends it again, in any attempt.
func TestH67_ResentPays(t *testing.T) {
	url, requests := hangsUp(t, "Content-Type: text/plain", "ok")
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

// TestH67_RefusedStreamPays checks that a stream that an HTTP/2 server refused pays when it is sent again.
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

// TestH67_TokensOfResends checks that each earlier send of a request keeps its estimate, and that the response settles the last.
func TestH67_TokensOfResends(t *testing.T) {
	const answer = `{"usage":{"prompt_tokens":2,"completion_tokens":3,"total_tokens":5}}`
	url, _ := hangsUp(t, "Content-Type: application/json", answer)
	slow := bucket.Per(1000, time.Hour)
	s := open(t, scheduler.Config{Limits: bucket.Limits{"requests": slow, "tokens": slow, "input-tokens": slow, "output-tokens": slow}})
	c := client(t, &ratehttp.Transport{Scheduler: s, Tokens: &ratehttp.Tokens{Output: 100}})
	for range 2 {
		req := request(t, "POST", url, strings.Repeat("x", 400))
		req.Header.Set("Idempotency-Key", "7") // otherwise net/http does not send it again
		req.Header.Set("Content-Type", "application/json")
		res, err := c.Do(req)
		require.Equal(t, answer, text(t, res, err))
	}
	require.EqualValues(t, 2, s.Snapshot().Totals.Attempts)
	want := map[string]int64{"requests": 3, "input-tokens": 2*2 + 100, "output-tokens": 2*3 + 100, "tokens": 2*5 + 200}
	for _, b := range s.Snapshot().Budgets {
		require.Equal(t, want[b.Name], b.Ledger.Spent-b.Ledger.Refunded, b.Name)
	}
}

// TestWhatIsSentOncePaysOnce checks that a request pays once if it waits for 100 Continue, or uses a connection that was used before.
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
