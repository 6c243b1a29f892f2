package ratehttp_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/events"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
	"example.com/fairlead/scheduler/ratehttp"
)

// quick is a policy with negligible backoffs.
var quick = retry.Policy{MaxRetries: 3, Initial: time.Millisecond, Max: 2 * time.Millisecond}

// plenty is a limit that never makes a request wait.
var plenty = bucket.PerSecond(1_000_000)

func open(t *testing.T, cfg scheduler.Config) *scheduler.Scheduler {
	t.Helper()
	if cfg.Limit == (bucket.Limit{}) && cfg.Limits == nil {
		cfg.Limit = plenty
	}
	if cfg.Retry == (retry.Policy{}) {
		cfg.Retry = quick
	}
	s, err := scheduler.New(cfg)
	require.NoError(t, err)
	t.Cleanup(s.Close)
	return s
}

// server is a real server on this machine. It counts the requests that it gets.
type server struct {
	*httptest.Server
	requests atomic.Int64
}

func serve(t *testing.T, handle func(n int64, w http.ResponseWriter, r *http.Request)) *server {
	s := new(server)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handle(s.requests.Add(1), w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

// answers starts a server that gives these answers one after the other, and then repeats the last. An answer is a status and perhaps
// header fields, such as "429 Retry-After: 1; X-Should-Retry: false". Its body has the answer's number.
func answers(t *testing.T, all ...string) *server {
	return serve(t, func(n int64, w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		write(w, all[min(int(n), len(all))-1])
		fmt.Fprintf(w, "answer %d", n)
	})
}

// write writes an answer without its body.
func write(w http.ResponseWriter, answer string) {
	status, fields, _ := strings.Cut(answer, " ")
	for field := range strings.SplitSeq(fields, "; ") {
		if name, value, ok := strings.Cut(field, ": "); ok {
			w.Header().Set(name, value)
		}
	}
	code := 0
	_, _ = fmt.Sscan(status, &code)
	w.WriteHeader(code)
}

// listen starts a server that calls serve for each connection. It closes connections that are open at the end of the test.
func listen(t *testing.T, serve func(net.Conn)) (url string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, over := context.WithCancel(context.Background())
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			stop := context.AfterFunc(ctx, func() { _ = c.Close() })
			all.Go(func() {
				defer stop()
				defer c.Close()
				serve(c)
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		over()
		all.Wait()
	})
	return "http://" + l.Addr().String()
}

// client returns a client of the transport, which gets connections of its own.
func client(t *testing.T, tr *ratehttp.Transport) *http.Client {
	if tr.Base == nil {
		tr.Base = new(http.Transport)
	}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

// request returns a request. If it has a body, it also has GetBody.
func request(t *testing.T, method, url, body string) *http.Request {
	var r io.Reader
	if body != "" {
		r = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, url, r)
	require.NoError(t, err)
	return req
}

// once hides the other methods of a reader, so that net/http sets no GetBody.
type once struct{ io.Reader }

// text reads a response to its end.
func text(t *testing.T, res *http.Response, err error) string {
	t.Helper()
	require.NoError(t, err)
	b, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	return string(b)
}

// idle checks that no call is left, and that the server has seen each attempt.
func idle(t *testing.T, s *scheduler.Scheduler, srv *server) {
	t.Helper()
	snap := s.Snapshot()
	require.Zero(t, snap.Running, "running")
	require.Zero(t, snap.Queued+snap.BackingOff, "waiting")
	if srv != nil {
		require.EqualValues(t, srv.requests.Load(), snap.Totals.Attempts, "requests that the server has seen")
	}
}

// until reads events up to the first of a kind.
func until(t *testing.T, sub *events.Subscription, kind events.Kind) events.Event {
	t.Helper()
	for ev := range sub.C {
		if ev.Kind == kind {
			return ev
		}
	}
	t.Fatalf("no %v", kind)
	return events.Event{}
}
