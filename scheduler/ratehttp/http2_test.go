package ratehttp_test

import (
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// The frames, flags and codes of RFC 9113 that the tests need.
const (
	frameHeaders, frameReset, frameSettings, frameGoAway = 1, 3, 4, 7

	ack, endStream, endHeaders = 1, 1, 4

	noError, protocolError, internalError, refusedStream, cancelled, enhanceYourCalm = 0, 1, 2, 7, 8, 11
)

// h2 is an HTTP/2 server that does to a request what a test likes. net/http's is too well-behaved.
type h2 struct {
	url      string
	requests atomic.Int64
}

// conn is a connection of it.
type conn struct{ net.Conn }

// serveHTTP2 has a server that calls handle for each request.
func serveHTTP2(t *testing.T, handle func(n int64, c conn, stream uint32)) (*h2, *http.Transport) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &h2{url: "http://" + l.Addr().String()}
	var conns sync.WaitGroup
	conns.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			conns.Go(func() {
				defer c.Close()
				s.serve(conn{c}, handle)
			})
		}
	})
	base := &http.Transport{Protocols: new(http.Protocols)}
	base.Protocols.SetUnencryptedHTTP2(true)
	t.Cleanup(func() {
		base.CloseIdleConnections()
		_ = l.Close()
		conns.Wait()
	})
	return s, base
}

func (s *h2) serve(c conn, handle func(n int64, c conn, stream uint32)) {
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
	_, _ = c.Write(append(b, payload...))
}

// ok answers with 200 and no body.
func (c conn) ok(stream uint32) { c.frame(frameHeaders, endStream|endHeaders, stream, []byte{0x88}) }

// reset ends a stream.
func (c conn) reset(stream, code uint32) {
	c.frame(frameReset, 0, stream, binary.BigEndian.AppendUint32(nil, code))
}

// goAway ends the connection. It has dealt with the streams up to last.
func (c conn) goAway(last, code uint32) {
	c.frame(frameGoAway, 0, 0, binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, last), code))
	_ = c.Close()
}
