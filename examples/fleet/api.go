package main

import (
	"maps"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"example.com/fairlead/examples/internal/strict"
)

// api is a local API with a quota. It counts by itself, with another library's limiter.
type api struct {
	url    string
	server *http.Server
	ended  chan struct{}

	mu       sync.Mutex
	accepted map[int]int // requests by worker
	answers  []int       // by job
	refused  int
	from     time.Time // the first request
	last     time.Time // the latest one
	burst    float64   // requests beyond the rate, at the moment
	largest  float64   // the most there ever were
	rate     float64
}

// tolerance returns how many requests at once the API allows beyond the budget's burst. Processes that were busy spend
// tokens late, by four seconds at most: see rule F10 of shared budgets.
func (p plan) tolerance() int { return p.rate * p.late }

// startAPI starts an API with the quota of a plan.
func startAPI(p plan) (*api, error) {
	a := &api{accepted: map[int]int{}, answers: make([]int, p.jobs), ended: make(chan struct{}), rate: float64(p.rate)}
	handler, err := strict.New(strict.Config{PerMinute: 60 * p.rate, Burst: p.burst + p.tolerance(), SlowRate: 1, Slow: 50 * time.Millisecond, Log: a.count})
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	a.url, a.server = "http://"+listener.Addr().String(), &http.Server{Handler: handler}
	go func() {
		defer close(a.ended)
		_ = a.server.Serve(listener) // ends with the server
	}()
	return a, nil
}

// requestID returns the id of a worker's request for a job.
func requestID(worker, job int) string { return strconv.Itoa(worker) + "-" + strconv.Itoa(job) }

// count counts a request. It also measures how many requests came at once, beyond the rate.
func (a *api) count(e strict.Entry) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.from.IsZero() {
		a.from, a.last = e.At, e.At
	}
	a.burst = max(0, a.burst-a.rate*e.At.Sub(a.last).Seconds()) + 1
	a.largest, a.last = max(a.largest, a.burst), e.At
	if e.Status != http.StatusOK {
		a.refused++
		return
	}
	worker, job, _ := strings.Cut(e.ID, "-")
	w, _ := strconv.Atoi(worker) // both are numbers that requestID wrote
	j, _ := strconv.Atoi(job)
	a.accepted[w]++
	a.answers[j]++
}

// counts returns how many requests of each worker were accepted.
func (a *api) counts() map[int]int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return maps.Clone(a.accepted)
}

func (a *api) close() {
	_ = a.server.Close() // all jobs are done, or the run has failed
	<-a.ended
}
