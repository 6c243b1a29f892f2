package ratehttp

import (
	"context"
	"io"
	"net/http"
	"slices"
	"time"

	"example.com/fairlead/clock"
)

// peekTimeout is how long Peek waits for a body.
const peekTimeout = time.Second

// peekStep is how many bytes Peek reads at a time.
const peekStep = 16 << 10

// Peek returns the first n bytes of the response's body, and leaves the body whole for later readers. It is for a [Transport.Classify]
// that needs to know the body. Peek returns fewer bytes if the body ends or fails first, if they take longer than a second, or if the
// request's context ends. Meanwhile the attempt keeps its slot and a stream is delayed, so check the response's status and
// Content-Type first. Without a body, and for 101 Switching Protocols, Peek returns nil.
func (a Attempt) Peek(n int) []byte {
	res := a.Response
	if n <= 0 || res == nil || res.Body == nil || res.Body == http.NoBody || res.StatusCode == http.StatusSwitchingProtocols {
		return nil
	}
	b, again := res.Body.(*peeked)
	if !again {
		b = &peeked{ReadCloser: res.Body}
		res.Body = b
	}
	ctx := context.Background()
	if a.Request != nil {
		ctx = a.Request.Context()
	}
	timer := clock.System().NewTimer(peekTimeout) // real time, which counts for the server
	defer timer.Stop()
	b.fill(n, ctx.Done(), timer.C())
	return slices.Clone(b.ahead[:min(n, len(b.ahead))])
}

// peeked is a body whose beginning was read ahead.
type peeked struct {
	io.ReadCloser
	ahead []byte // was read ahead, and not returned yet
	err   error  // follows ahead

	late <-chan readResult // of a Read that has not ended; or nil
	into []byte            // the buffer of that Read
}

// fill reads ahead until there are n bytes, the body ends, or done or due comes first.
func (b *peeked) fill(n int, done <-chan struct{}, due <-chan time.Time) {
	for len(b.ahead) < n && b.err == nil {
		if b.late == nil {
			into := make([]byte, min(n-len(b.ahead), peekStep)) // n may be larger than the memory
			b.into, b.late = into, async(func() (int, error) { return b.ReadCloser.Read(into) })
		}
		select {
		case o := <-b.late:
			b.take(o)
		case <-due:
			return
		case <-done:
			return
		}
	}
}

// take adds the result of a Read.
func (b *peeked) take(o readResult) {
	into := b.into
	b.late, b.into = nil, nil
	if o.panicked != nil {
		panic(o.panicked)
	}
	b.ahead, b.err = append(b.ahead, into[:o.n]...), o.err
}

func (b *peeked) Read(p []byte) (int, error) {
	if len(b.ahead) == 0 && b.late != nil {
		b.take(<-b.late)
	}
	switch {
	case len(b.ahead) > 0:
		n := copy(p, b.ahead)
		b.ahead = b.ahead[n:]
		return n, nil
	case b.err != nil:
		return 0, b.err
	}
	return b.ReadCloser.Read(p)
}
