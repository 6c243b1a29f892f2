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

// Peek returns the first n bytes of the response's body and leaves the body as it was, for those who read it after. It is for a
// [Transport.Classify] that has to know what only the body says. Peek returns fewer bytes if the body has no more or fails, and those
// that are there if the others take longer than a second or than the request's context. Meanwhile the attempt keeps its slot, and a
// response that is a stream is held up: look at its status and Content-Type first. Without a body, and for 101 Switching Protocols, Peek
// returns nil.
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
	timer := clock.System().NewTimer(longestPeek) // a server's time is real, whatever the scheduler's clock
	defer timer.Stop()
	b.fill(n, ctx.Done(), timer.C())
	return slices.Clone(b.ahead[:min(n, len(b.ahead))])
}

// peeked is a body of which some was read ahead.
type peeked struct {
	io.ReadCloser
	ahead []byte // what was read and not given yet
	err   error  // what came after it

	late <-chan outcome // of a Read that goes on; nil: there is none
	into []byte         // what that reads into
}

// fill reads ahead until there are n bytes, or something comes first.
func (b *peeked) fill(n int, done <-chan struct{}, due <-chan time.Time) {
	for len(b.ahead) < n && b.err == nil {
		if b.late == nil {
			into := make([]byte, n-len(b.ahead))
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

// take takes in what the Read has come to.
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
