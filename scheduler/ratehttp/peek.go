package ratehttp

import (
	"context"
	"io"
	"net/http"
	"slices"
	"time"

	"example.com/fairlead/clock"
)

// longestPeek is how long Peek waits for a body.
const longestPeek = time.Second

// peekStep is how many bytes Peek asks a body for at a time.
const peekStep = 16 << 10

// Peek returns the first n bytes of the response's body and leaves the body whole for later readers. Use it in a [Transport.Classify]
// that needs to know the body. Peek returns fewer bytes if the body ends or fails before, if they take longer than a second, or if the
// request's context ends. Meanwhile the attempt keeps its slot, and a stream is held up, so look at the response's status and
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
	timer := clock.System().NewTimer(longestPeek) // real time, for the server lives by it
	defer timer.Stop()
	b.fill(n, ctx.Done(), timer.C())
	return slices.Clone(b.ahead[:min(n, len(b.ahead))])
}

// peeked is a body whose beginning was read ahead.
type peeked struct {
	io.ReadCloser
	ahead []byte // was read and not yet returned
	err   error  // follows ahead

	late <-chan outcome // of a Read that goes on; or nil
	into []byte         // the buffer of that Read
}

// fill reads ahead until there are n bytes, the body ends, or done or due comes first.
func (b *peeked) fill(n int, done <-chan struct{}, due <-chan time.Time) {
	for len(b.ahead) < n && b.err == nil {
		if b.late == nil {
			into := make([]byte, min(n-len(b.ahead), peekStep)) // n may be more than there is memory
			b.into, b.late = into, aside(func() (int, error) { return b.ReadCloser.Read(into) })
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

// take adds the outcome of a Read.
func (b *peeked) take(o outcome) {
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
