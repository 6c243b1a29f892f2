package main

import (
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync"
)

// receiver is a server that gets webhooks, and keeps a log of its own.
type receiver struct {
	*httptest.Server
	refuses float64 // how often it refuses, from 0 to 1

	mu     sync.Mutex
	got    map[string]int // how often it has taken a webhook, by its key
	bodies map[string]string
	come   chan struct{} // of capacity 1: something has come
}

func newReceiver(refuses float64) *receiver {
	r := &receiver{refuses: refuses, got: map[string]int{}, bodies: map[string]string{}, come: make(chan struct{}, 1)}
	r.Server = httptest.NewServer(r)
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return // the sender was killed
	}
	if rand.Float64() < r.refuses {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	key := req.Header.Get("Idempotency-Key")
	r.mu.Lock()
	defer r.mu.Unlock()
	r.got[key]++
	r.bodies[key] = string(body)
	select {
	case r.come <- struct{}{}:
	default:
	}
}

// counts returns how many webhooks were taken, and how many of them more than once.
func (r *receiver) counts() (all, twice int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, n := range r.got {
		if n > 1 {
			twice++
		}
	}
	return len(r.got), twice
}
