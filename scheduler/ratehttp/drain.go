package ratehttp

import (
	"io"
	"net/http"
	"time"

	"example.com/fairlead/clock"
)

// An HTTP/1 connection can be used again if the body of its response is read to the end. For a body of up to maxDrained bytes that is
// cheaper than a new connection. drainTimeout bounds how long it may take.
const (
	maxDrained   = 64 << 10
	drainTimeout = 250 * time.Millisecond
)

// discard closes the body of a response that the caller will not see. It does not wait for the body.
func discard(res *http.Response) {
	switch {
	case res == nil || res.Body == nil || res.Body == http.NoBody:
	case res.ProtoMajor >= 2:
		_ = res.Body.Close() // ends only the stream
	default:
		go drain(res.Body)
	}
}

// drain reads a body, within bounds, and closes it. If the body panics, drain ignores that, because the caller is gone.
func drain(body io.ReadCloser) {
	defer func() { _ = recover() }()
	timer := clock.System().NewTimer(drainTimeout) // real time, which counts for the server
	defer timer.Stop()
	read := async(func() (int, error) {
		n, err := io.CopyN(io.Discard, body, maxDrained)
		return int(n), err
	})
	select {
	case <-read: // if the read failed, the body is closed all the same
	case <-timer.C():
	}
	_ = body.Close() // also ends a Read that takes too long
}
