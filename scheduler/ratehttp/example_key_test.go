package ratehttp_test

import (
	"fmt"
	"net/http"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
	"example.com/fairlead/scheduler/ratehttp"
)

// answering is a network that gives every request the same answer.
type answering struct {
	status int
	header http.Header
}

func (a answering) RoundTrip(req *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: a.status, Header: a.header, Body: http.NoBody, Request: req}, nil
}

// A crawler sends each host ten requests a minute, and at most two at once. A host that refuses holds its own requests alone.
func ExampleByHost() {
	s, err := scheduler.New(scheduler.Config{
		Limit:  bucket.PerSecond(100), // all hosts together
		PerKey: scheduler.PerKey{Limit: bucket.PerMinute(10), MaxInFlight: 2},
	})
	if err != nil {
		panic(err)
	}
	defer s.Close()
	client := &http.Client{Transport: &ratehttp.Transport{
		Scheduler: s,
		Key:       ratehttp.ByHost,
		Base:      answering{status: http.StatusOK},
	}}
	for _, url := range []string{"https://example.com/a", "https://EXAMPLE.com:443/b", "https://example.org"} {
		res, err := client.Get(url)
		if err != nil {
			panic(err)
		}
		res.Body.Close()
	}
	for _, host := range []string{"example.com", "example.org"} {
		snap, err := s.SnapshotOf(host)
		if err != nil {
			panic(err)
		}
		fmt.Println(snap.Key, "has", snap.Budgets[0].Available, "tokens left")
	}
	// Output:
	// example.com has 8 tokens left
	// example.org has 9 tokens left
}

// A service asks one API for its tenants. They share the API's limit fairly, and what the API refuses holds them all.
func ExampleTransport_key() {
	s, err := scheduler.New(scheduler.Config{
		Limit:  bucket.PerMinute(600), // of the API
		PerKey: scheduler.PerKey{Holds: retry.ScopeAll},
		Retry:  retry.Policy{MaxRetries: retry.None},
	})
	if err != nil {
		panic(err)
	}
	defer s.Close()
	type tenant struct{}
	tr := &ratehttp.Transport{
		Scheduler: s,
		Key: func(req *http.Request) string {
			name, _ := req.Context().Value(tenant{}).(string)
			return name
		},
		Base: answering{http.StatusTooManyRequests, http.Header{"Retry-After": {"30"}}},
	}
	res, err := (&http.Client{Transport: tr}).Get("https://api.example.com")
	if err != nil {
		panic(err)
	}
	res.Body.Close()
	snap := s.Snapshot()
	fmt.Println(res.StatusCode, snap.HeldUntil.Sub(snap.At).Round(10*time.Second))
	// Output: 429 30s
}
