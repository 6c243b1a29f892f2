// Package quota measures how the jobs of a queue engine keep an API's quota. [New] starts a real local HTTP API with
// a quota of 20 requests a second, which refuses what is above it:
//
//	api := quota.New(t)
//	for job := range jobs {
//		insert(api.URL(job)) // the worker calls [API.Ran] with it and makes a POST to it
//	}
//	api.Wait(jobs, time.Minute)
//	figures := api.Figures()
//	t.Log(figures)
//	figures.Check(t, 40)
//
// The workers share the budget [Limit], whose burst is half of the API's. Jobs are numbers from 0, in the order in
// which they were inserted. All methods may be called by several goroutines.
package quota

import (
	"math"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/examples/engines/call"
	"example.com/fairlead/examples/internal/strict"
)

// Limit is the budget that the workers share. The API accepts twice the burst, since requests that are sent evenly do
// not arrive evenly.
var Limit = bucket.PerSecond(20).Burst(5)

// Answer is how long the API takes to answer a request that it accepts.
const Answer = 50 * time.Millisecond

// API is a local API with a quota. It counts with another library's limiter.
type API struct {
	t       testing.TB
	url     string
	handler http.Handler

	mu        sync.Mutex
	runs      map[int]int  // by job
	accepted  []int        // jobs, in the order of their requests
	done      map[int]bool // jobs whose request was accepted
	at        []time.Time  // when
	refused   int
	changed   chan struct{} // closed at the next accepted request
	holdAfter int           // how many requests are accepted before the hold
	hold      time.Duration
	heldUntil time.Time
}

// New starts an API, which ends with the test.
func New(t testing.TB) *API {
	a := &API{t: t, runs: map[int]int{}, done: map[int]bool{}, changed: make(chan struct{}), holdAfter: math.MaxInt}
	var err error
	a.handler, err = strict.New(strict.Config{
		PerMinute: int(60 * Limit.Refill), Burst: int(2 * Limit.Capacity), SlowRate: 1, Slow: Answer, Log: a.count,
	})
	require.NoError(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	a.url = "http://" + listener.Addr().String() + "/jobs/"
	server, ended := &http.Server{Handler: a}, make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(listener) // ends with the server
	}()
	t.Cleanup(func() {
		require.NoError(t, server.Close())
		<-ended
		call.Client.CloseIdleConnections()
	})
	return a
}

// URL returns the address to which a job makes its request.
func (a *API) URL(job int) string { return a.url + strconv.Itoa(job) }

// Hold makes the API refuse all requests for a time, which begins with the next request after n were accepted. Each refusal
// says how long, in whole seconds.
func (a *API) Hold(n int, d time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.holdAfter, a.hold = n, d
}

// ServeHTTP answers or refuses the request of a job.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, job, _ := strings.Cut(r.URL.Path, "/jobs/")
	r.Header.Set("X-Request-Id", job)
	if left := a.held(); left > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(left.Seconds()))))
		w.WriteHeader(http.StatusTooManyRequests)
		return
	}
	a.handler.ServeHTTP(w, r)
}

// held returns how long the API refuses all requests, and counts such a refusal.
func (a *API) held() time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.accepted) >= a.holdAfter && a.heldUntil.IsZero() {
		a.heldUntil = time.Now().Add(a.hold)
	}
	left := time.Until(a.heldUntil)
	if left > 0 {
		a.refused++
	}
	return left
}

// count counts a request that was answered.
func (a *API) count(e strict.Entry) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if e.Status != http.StatusOK {
		a.refused++
		return
	}
	job, _ := strconv.Atoi(e.ID) // URL wrote it
	a.done[job] = true
	a.accepted, a.at = append(a.accepted, job), append(a.at, e.At)
	close(a.changed)
	a.changed = make(chan struct{})
}

// Ran counts a run of a job. The worker calls it when it takes the job up.
func (a *API) Ran(url string) {
	_, text, _ := strings.Cut(url, "/jobs/")
	job, err := strconv.Atoi(text)
	if err != nil {
		a.t.Errorf("not the URL of a job: %q", url)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.runs[job]++
}

// Wait waits until requests of so many jobs have been accepted, or fails the test.
func (a *API) Wait(jobs int, most time.Duration) {
	a.t.Helper()
	late := time.After(most)
	for {
		a.mu.Lock()
		have, changed := len(a.done), a.changed
		a.mu.Unlock()
		if have >= jobs {
			return
		}
		select {
		case <-changed:
		case <-late:
			a.t.Fatalf("requests of %d of %d jobs were accepted in %v", have, jobs, most)
		}
	}
}
