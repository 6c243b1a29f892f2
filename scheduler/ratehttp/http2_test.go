package ratehttp_test

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/scheduler"
	"example.com/fairlead/scheduler/ratehttp"
)

// TestH68_RefusedStream checks that a request of any method is retried after an HTTP/2 server refused it until net/http gave up. That
// takes half a minute of virtual time.
func TestH68_RefusedStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := new(h2)
		base := &http.Transport{Protocols: new(http.Protocols)}
		base.Protocols.SetUnencryptedHTTP2(true)
		base.DialContext = func(context.Context, string, string) (net.Conn, error) {
			ours, theirs := net.Pipe()
			go srv.serve(theirs, func(n int64, c conn, stream uint32) {
				if n <= 8 {
					c.reset(stream, refusedStream)
					return
				}
				c.ok(stream)
			})
			return ours, nil
		}
		defer func() {
			synctest.Wait() // the connection is idle shortly after its last response
			base.CloseIdleConnections()
		}()
		s := open(t, scheduler.Config{})
		res, err := (&ratehttp.Transport{Scheduler: s, Base: base}).RoundTrip(request(t, "POST", "http://example.com/", "an order"))
		require.Empty(t, text(t, res, err))
		require.EqualValues(t, 2, s.Snapshot().Totals.Attempts)
		require.EqualValues(t, 9, srv.requests.Load())
		require.EqualValues(t, 9, s.Snapshot().Ledger.Spent)
	})
}

// TestH68_HTTP2Resets checks that a GET is retried after an HTTP/2 server resets it or goes away, as after a lost connection.
func TestH68_HTTP2Resets(t *testing.T) {
	for name, c := range map[string]struct {
		end         func(c conn, stream uint32)
		again       bool
		rateLimited int64
	}{
		"ENHANCE_YOUR_CALM":        {func(c conn, stream uint32) { c.reset(stream, enhanceYourCalm) }, true, 1},
		"INTERNAL_ERROR":           {func(c conn, stream uint32) { c.reset(stream, internalError) }, true, 0},
		"CANCEL":                   {func(c conn, stream uint32) { c.reset(stream, canceled) }, true, 0},
		"NO_ERROR":                 {func(c conn, stream uint32) { c.reset(stream, noError) }, true, 0},
		"FLOW_CONTROL_ERROR":       {func(c conn, stream uint32) { c.reset(stream, flowControlError) }, false, 0},
		"GOAWAY ENHANCE_YOUR_CALM": {func(c conn, stream uint32) { c.goAway(stream, enhanceYourCalm) }, true, 1},
		"GOAWAY INTERNAL_ERROR":    {func(c conn, stream uint32) { c.goAway(stream, internalError) }, true, 0},
	} {
		for _, method := range []string{"GET", "POST"} {
			srv, base := serveHTTP2(t, func(n int64, to conn, stream uint32) {
				if n == 1 {
					c.end(to, stream)
					return
				}
				to.ok(stream)
			})
			s := open(t, scheduler.Config{})
			res, err := client(t, &ratehttp.Transport{Scheduler: s, Base: base}).Do(request(t, method, srv.url, "x"))
			again := c.again && method == "GET" // a server may have acted on a POST
			require.Equal(t, again, err == nil, "%s %s: %v", method, name, err)
			if again {
				require.Empty(t, text(t, res, err))
			}
			require.EqualValues(t, c.rateLimited, s.Snapshot().Totals.RateLimited, name)
			idle(t, s, nil)
		}
	}
}

// The frames, flags and codes of RFC 9113 that the tests need.
const (
	frameHeaders, frameReset, frameSettings, frameGoAway = 1, 3, 4, 7

	ack, endStream, endHeaders = 1, 1, 4

	noError, internalError, flowControlError, refusedStream, canceled, enhanceYourCalm = 0, 2, 3, 7, 8, 11
)

// h2 is an HTTP/2 server that misbehaves as a test wants. net/http's server can't.
type h2 struct {
	url      string
	requests atomic.Int64
}

// conn is a connection of an h2. Its frames wait in out, because a client may write before it reads.
type conn struct {
	net.Conn
	out chan []byte
}

// serveHTTP2 starts a server that calls handle for each request.
func serveHTTP2(t *testing.T, handle func(n int64, c conn, stream uint32)) (*h2, *http.Transport) {
	s := new(h2)
	s.url = listen(t, func(c net.Conn) { s.serve(c, handle) })
	base := &http.Transport{Protocols: new(http.Protocols)}
	base.Protocols.SetUnencryptedHTTP2(true)
	t.Cleanup(base.CloseIdleConnections)
	return s, base
}

func (s *h2) serve(nc net.Conn, handle func(n int64, c conn, stream uint32)) {
	c := conn{nc, make(chan []byte, 100)}
	var writing sync.WaitGroup
	writing.Go(func() {
		defer c.Close()
		for b := range c.out {
			if b == nil {
				_ = c.Conn.(*net.TCPConn).CloseWrite()
			} else {
				_, _ = c.Write(b)
			}
		}
	})
	defer writing.Wait()
	defer close(c.out)
	if _, err := io.ReadFull(c, make([]byte, len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))); err != nil {
		return
	}
	c.frame(frameSettings, 0, 0, nil)
	for {
		var head [9]byte
		if _, err := io.ReadFull(c, head[:]); err != nil {
			return
		}
		if _, err := io.CopyN(io.Discard, c, int64(binary.BigEndian.Uint32(head[:4])>>8)); err != nil {
			return
		}
		switch {
		case head[3] == frameSettings && head[4]&ack == 0:
			c.frame(frameSettings, ack, 0, nil)
		case head[3] == frameHeaders:
			handle(s.requests.Add(1), c, binary.BigEndian.Uint32(head[5:]))
		}
	}
}

func (c conn) frame(kind, flags byte, stream uint32, payload []byte) {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(payload))<<8|uint32(kind))
	b = binary.BigEndian.AppendUint32(append(b, flags), stream)
	c.out <- append(b, payload...)
}

// ok answers with 200 and no body.
func (c conn) ok(stream uint32) { c.frame(frameHeaders, endStream|endHeaders, stream, []byte{0x88}) }

// reset resets a stream.
func (c conn) reset(stream, code uint32) {
	c.frame(frameReset, 0, stream, binary.BigEndian.AppendUint32(nil, code))
}

// goAway ends the connection. It reports that the server has processed the streams up to last. The server then still reads, because a
// write of the client to a closed connection may fail before the client reads the frame, and then net/http returns the error of the
// write.
func (c conn) goAway(last, code uint32) {
	c.frame(frameGoAway, 0, 0, binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, last), code))
	c.out <- nil // ends our side of the connection
}
