package ratehttp

import (
	"context"
	"io"
	"net/http"
)

// upload is the body of a request that is read before the request's turn. Its bytes may never come, so a Read also ends with the
// request's context.
type upload struct {
	io.ReadCloser
	ctx    context.Context
	direct bool   // the base transport reads it from now on, and watches the context by itself
	buf    []byte // for the body's Read, because the caller may reuse its own buffer once the context has ended
}

// uploadOf returns a copy of the request whose body is an upload, and that upload. If estimate will not read the body, or if the
// context never ends, it returns the request itself and nil.
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

// within returns a reader of a copied body. The reader ends with the context, unless the copy is in memory.
func within(ctx context.Context, copied io.ReadCloser) io.Reader {
	if _, inMemory := copied.(io.WriterTo); inMemory || ctx.Done() == nil {
		return copied
	}
	return &upload{ReadCloser: copied, ctx: ctx}
}

// Read reads on a goroutine of its own. If the context ends first, Read returns and its caller closes the body. Most
// Reads end then. The goroutine stays until the body's Read returns.
func (u *upload) Read(p []byte) (int, error) {
	if u.direct {
		return u.ReadCloser.Read(p)
	}
	if len(u.buf) < len(p) {
		u.buf = make([]byte, len(p))
	}
	buf := u.buf[:len(p)]
	select {
	case o := <-async(func() (int, error) { return u.ReadCloser.Read(buf) }):
		if o.panicked != nil {
			panic(o.panicked)
		}
		return copy(p, buf[:o.n]), o.err
	case <-u.ctx.Done():
		return 0, context.Cause(u.ctx)
	}
}
