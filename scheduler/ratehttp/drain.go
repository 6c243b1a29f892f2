package ratehttp

import (
	"io"
	"net/http"
	"time"

	"example.com/fairlead/clock"
)

// An HTTP/1 connection can be used again if the body of its response is read to the end. Up to mostDrained bytes that is cheaper
// than a new connection. longestDrain bounds how long it may take.
const (
	mostDrained  = 64 << 10
	longestDrain = 250 * time.Millisecond
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

// drain reads a body, within bounds, and closes it. A panic of the body is dropped, since its caller is
// gone.
func drain(body io.ReadCloser) {
	defer func() { _ = recover() }()
	timer := clock.System().NewTimer(longestDrain) // real time, for the server lives by it
	defer timer.Stop()
	read := aside(func() (int, error) {
		n, err := io.CopyN(io.Discard, body, mostDrained)
		return int(n), err
	})
	select {
	case <-read: // the body is closed even if it can't be read
	case <-timer.C():
	}
	_ = body.Close() // also ends a Read that takes too long
}
