package ratehttp_test

import (
	"context"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/events"
	"example.com/fairlead/scheduler"
	"example.com/fairlead/scheduler/ratehttp"
)

// halves starts a server that sends the first half of an answer, and the second once the first was read.
func halves(t *testing.T) *server {
	return serve(t, func(_ int64, w http.ResponseWriter, r *http.Request) {
		if r.Method == "HEAD" {
			return
		}
		_, _ = io.WriteString(w, "first ")
		w.(http.Flusher).Flush()
		if r.URL.Path == "/stuck" {
			<-r.Context().Done()
		}
		_, _ = io.WriteString(w, "second")
	})
}

// TestSlotIsKept checks that a response keeps its slot until Close, or the end of the body or the context.
func TestSlotIsKept(t *testing.T) {
	for name, c := range map[string]struct {
		method, path string
		over         func(*testing.T, *http.Response, context.CancelFunc)
		kept         bool
	}{
		"until Close": {"GET", "/", func(t *testing.T, res *http.Response, _ context.CancelFunc) { require.NoError(t, res.Body.Close()) }, true},
		"until the end": {"GET", "/", func(t *testing.T, res *http.Response, _ context.CancelFunc) {
			b, err := io.ReadAll(res.Body)
			require.NoError(t, err)
			require.Equal(t, "first second", string(b))
		}, true},
		"until its context is done": {"GET", "/stuck", func(_ *testing.T, _ *http.Response, cancel context.CancelFunc) { cancel() }, true},
		"not without a body":        {"HEAD", "/", nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			srv := halves(t)
			s := open(t, scheduler.Config{MaxInFlight: 1})
			h := client(t, &ratehttp.Transport{Scheduler: s})
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			res, err := h.Do(request(t, c.method, srv.URL+c.path, "").WithContext(ctx))
			require.NoError(t, err)
			defer res.Body.Close()
			if !c.kept {
				idle(t, s, srv)
				return
			}
			sub := s.Subscribe(events.Of(events.Queued, events.Granted))
			answered := make(chan string)
			go func() {
				res, err := h.Get(srv.URL)
				answered <- text(t, res, err)
			}()
			until(t, sub, events.Queued)
			require.Equal(t, 1, s.Snapshot().Running)
			require.Equal(t, 1, s.Snapshot().Queued)
			require.EqualValues(t, 1, srv.requests.Load())
			c.over(t, res, cancel)
			require.Equal(t, "first second", <-answered)
			idle(t, s, srv)
		})
	}
}

// TestBodyBreaksOff checks that a call fails if its response's body breaks off.
func TestBodyBreaksOff(t *testing.T) {
	srv := serve(t, func(_ int64, w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "first")
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	})
	s := open(t, scheduler.Config{MaxInFlight: 1})
	res, err := client(t, &ratehttp.Transport{Scheduler: s}).Get(srv.URL)
	require.NoError(t, err)
	_, err = io.ReadAll(res.Body)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.EqualValues(t, 1, s.Snapshot().Totals.Failed)
	idle(t, s, srv)
	require.NoError(t, res.Body.Close())
}

// TestSwitchedProtocols checks that the connection of a 101 can be written to, and keeps its slot.
func TestSwitchedProtocols(t *testing.T) {
	srv := serve(t, func(_ int64, w http.ResponseWriter, r *http.Request) {
		conn, rw, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		_, _ = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		_ = rw.Flush()
		line, _ := rw.ReadString('\n')
		_, _ = rw.WriteString(line)
		_ = rw.Flush()
	})
	s := open(t, scheduler.Config{})
	req := request(t, "GET", srv.URL, "")
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", "echo")
	res, err := client(t, &ratehttp.Transport{Scheduler: s}).Do(req)
	require.NoError(t, err)
	_, err = io.WriteString(res.Body.(io.Writer), "hello\n")
	require.NoError(t, err)
	require.Equal(t, 1, s.Snapshot().Running)
	b, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.Equal(t, "hello\n", string(b))
	require.NoError(t, res.Body.Close())
	idle(t, s, srv)
}

// size is the size of a huge body.
const size = 32 << 20

// TestHugeBodiesAreNotKept checks that huge bodies of requests and responses are scanned for tokens in little memory.
func TestHugeBodiesAreNotKept(t *testing.T) {
	srv := serve(t, func(_ int64, w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		if n != size || err != nil {
			t.Errorf("%d bytes, %v", n, err)
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.Copy(w, &filler{size})
	})
	s := open(t, scheduler.Config{Limit: bucket.PerSecond(size)})
	c := client(t, &ratehttp.Transport{Scheduler: s, Tokens: &ratehttp.Tokens{MaxBody: size}})
	req := request(t, "POST", srv.URL, "x")
	req.Header.Set("Content-Type", "application/json")
	req.ContentLength = size
	req.Body = io.NopCloser(&filler{size})
	req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(&filler{size}), nil }

	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	res, err := c.Do(req)
	require.NoError(t, err)
	n, err := io.Copy(io.Discard, res.Body)
	require.NoError(t, err)
	require.EqualValues(t, size, n)
	require.NoError(t, res.Body.Close())
	runtime.ReadMemStats(&after)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(4<<20))
	require.EqualValues(t, size/4, s.Snapshot().Ledger.Spent)
}

// filler reads like a JSON string of that length, without its end.
type filler struct{ left int }

var filling = strings.Repeat("x", 1<<15)

func (f *filler) Read(p []byte) (int, error) {
	if f.left == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), f.left)], filling)
	f.left -= n
	if f.left+n == size {
		p[0] = '"'
	}
	return n, nil
}
