package ratehttp

import (
	"net/http"
	"net/http/httptrace"
	"sync/atomic"

	"example.com/fairlead/scheduler"
)

// sends counts how often net/http sends an attempt again by itself.
type sends struct {
	r     *scheduler.Reservation
	wrote atomic.Bool  // the request was sent on the latest connection
	again atomic.Int64 // how often it was sent again
}

// counted returns a copy of the request that pays each time net/http sends it again. net/http does so if its connection turns out to
// be lost, or if an HTTP/2 server has refused the stream.
func (s *sends) counted(req *http.Request) *http.Request {
	return req.WithContext(httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) {
			if s.wrote.Swap(false) {
				s.again.Add(1)
				s.r.Resent()
			}
		},
		WroteHeaders: func() { s.wrote.Store(true) },
	}))
}
