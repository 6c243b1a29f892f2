package ratehttp

import (
	"context"
	"io"
	"net/http"
	"sync"

	"example.com/fairlead/scheduler"
)

// keepSlot keeps the slot as long as net/http keeps the connection.
func (x *exchange) keepSlot(res *http.Response, failure error) {
	b := &body{x: x, r: x.r, failure: failure}
	if res.Body == nil || res.Body == http.NoBody {
		b.end(nil)
		return
	}
	b.ReadCloser = res.Body
	if x.t.Tokens != nil {
		b.watch = watcherFor(res.Header)
	}
	if w, ok := res.Body.(io.Writer); ok { // 101 Switching Protocols
		res.Body = &duplex{b, w}
	} else {
		res.Body = b
	}
	if ctx := x.req.Context(); ctx.Done() != nil {
		b.mu.Lock() // end may be called before AfterFunc has returned
		defer b.mu.Unlock()
		b.unwatch = context.AfterFunc(ctx, func() { b.end(context.Cause(ctx)) })
	}
}

// body is the body of a response. It frees the slot when it ends. It keeps none of the bytes that it passes on.
type body struct {
	io.ReadCloser
	x       *exchange
	r       *scheduler.Reservation
	failure error // of the attempt, by its status

	mu      sync.Mutex // Read, Close and the end of the context may come at the same time
	ended   bool
	watch   *watcher // nil if there can be no usage
	unwatch func() bool
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.feed(p[:n])
	switch err {
	case nil:
	case io.EOF:
		b.end(nil)
	default:
		b.end(err)
	}
	return n, err
}

func (b *body) Close() error {
	err := b.ReadCloser.Close()
	b.end(nil)
	return err
}

func (b *body) feed(p []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.watch != nil && !b.ended {
		b.watch.feed(p)
	}
}

// end settles the cost and frees the slot, once.
func (b *body) end(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended {
		return
	}
	b.ended = true
	if b.unwatch != nil {
		b.unwatch()
	}
	if b.watch != nil {
		b.x.settle(b.r, &b.watch.usage)
	}
	err = hide(err, b.x.req)
	if b.failure != nil {
		err = b.failure
	}
	b.r.Done(err)
}

// duplex is the body of a protocol with traffic in both directions.
type duplex struct {
	io.ReadCloser
	io.Writer
}
