package ratehttp

import (
	"context"
	"io"
	"net/http"
)

// upload is the body of a request while it is read before the request's turn. The body may never come, so a
// Read also ends with the request's context.
type upload struct {
	io.ReadCloser
	ctx    context.Context
	direct bool // the base transport reads it from now on, and ends with the context by itself
}

// uploadOf returns a copy of the request whose body is an upload, and that upload. If estimate will not read
// the body itself, or if the context never ends, it returns the request as it is and nil.
func uploadOf(req *http.Request) (*http.Request, *upload) {
	ctx := req.Context()
	if replayable(req) || ctx.Done() == nil || !isJSON(req.Header) {
		return req, nil
	}
	u := &upload{ReadCloser: req.Body, ctx: ctx}
	req = req.WithContext(ctx)
	req.Body = u
	return req, u
}

// Read reads on a goroutine of its own. If the context ends first, that goroutine stays until the body's Read returns. RoundTrip then
// closes the body, which ends the Read of most.
func (u *upload) Read(p []byte) (int, error) {
	if u.direct {
		return u.ReadCloser.Read(p)
	}
	buf := make([]byte, len(p)) // after the context's end the caller may use p for something else
	select {
	case o := <-aside(func() (int, error) { return u.ReadCloser.Read(buf) }):
		if o.panicked != nil {
			panic(o.panicked)
		}
		return copy(p, buf[:o.n]), o.err
	case <-u.ctx.Done():
		return 0, context.Cause(u.ctx)
	}
}
