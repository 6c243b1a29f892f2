package ratehttp

import (
	"net/http"
	"net/http/httptrace"
	"sync/atomic"

	"example.com/fairlead/scheduler"
)

// counted returns a copy of the request that pays each time that net/http sends it. Without asking, net/http sends a request again
// when the connection turns out to be lost that it was sent on, or when an HTTP/2 server has refused it.
func counted(req *http.Request, r *scheduler.Reservation) *http.Request {
	var wrote atomic.Bool // on the latest connection
	return req.WithContext(httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) {
			if wrote.Swap(false) {
				r.Resent()
			}
		},
		WroteHeaders: func() { wrote.Store(true) },
	}))
}
