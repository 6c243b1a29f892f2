package ratehttp

import (
	"io"
	"net/http"
	"time"

	"example.com/fairlead/clock"
)

// A connection of HTTP/1 can be used again if the body of its response is read to the end. Up to mostDrained that is cheaper than
// another connection. The server may take its time, but no longer than longestDrain.
const (
	mostDrained  = 64 << 10
	longestDrain = 250 * time.Millisecond
)

// discard gets rid of the body of a response that the caller will not see. It does not wait for the body.
func discard(res *http.Response) {
	switch {
	case res == nil || res.Body == nil || res.Body == http.NoBody:
	case res.ProtoMajor >= 2:
		_ = res.Body.Close() // ends the stream, not the connection
	default:
		go drain(res.Body)
	}
}

// drain reads a body, within bounds, and closes it. A panic of the body is dropped, for its caller is gone.
func drain(body io.ReadCloser) {
	defer func() { _ = recover() }()
	timer := clock.System().NewTimer(longestDrain) // a server's time is real, whatever the scheduler's clock
	defer timer.Stop()
	read := aside(func() (int, error) {
		n, err := io.CopyN(io.Discard, body, mostDrained)
		return int(n), err
	})
	select {
	case <-read: // a body that can't be read is closed all the same
	case <-timer.C():
	}
	_ = body.Close() // also ends a Read that takes too long
}
