package ratehttp_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
	"example.com/fairlead/scheduler/ratehttp"
)

// A client whose requests wait for their turn. The server refuses the first.
func Example() {
	refused := false
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !refused {
			refused = true
			w.Header().Set("Retry-After-Ms", "20")
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		fmt.Fprint(w, "hello")
	}))
	defer server.Close()

	s, err := scheduler.New(scheduler.Config{Limit: bucket.PerMinute(500).Burst(50), MaxInFlight: 8})
	if err != nil {
		panic(err)
	}
	defer s.Close()
	client := &http.Client{Transport: &ratehttp.Transport{Scheduler: s, Base: new(http.Transport)}}
	defer client.CloseIdleConnections()

	res, err := client.Get(server.URL)
	if err != nil {
		panic(err)
	}
	defer res.Body.Close() // frees the request's slot
	body, err := io.ReadAll(res.Body)
	fmt.Printf("%s %s %v\n", res.Status, body, err)
	fmt.Println(s.Snapshot().Totals.Attempts, "attempts")
	// Output:
	// 200 OK hello <nil>
	// 2 attempts
}

// A request to a model pays for the most tokens that it may use, and gets back those that it did not use. A completion changes
// nothing, so it may be sent again even if its outcome is unknown.
func ExampleTokens() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"choices":[{"message":{"content":"Hi!"}}],"usage":{"prompt_tokens":9,"completion_tokens":3,"total_tokens":12}}`)
	}))
	defer server.Close()

	s, err := scheduler.New(scheduler.Config{
		Limits: bucket.Limits{"requests": bucket.PerMinute(500), "tokens": bucket.PerMinute(30_000)},
		Retry:  retry.Policy{MaxRetries: 8, Initial: time.Second},
	})
	if err != nil {
		panic(err)
	}
	defer s.Close()
	client := &http.Client{Transport: &ratehttp.Transport{
		Scheduler:  s,
		Base:       new(http.Transport),
		Tokens:     &ratehttp.Tokens{Output: 1000}, // if a request sets no maximum
		Repeatable: func(a ratehttp.Attempt) bool { return strings.HasSuffix(a.Request.URL.Path, "/chat/completions") },
	}}
	defer client.CloseIdleConnections()

	ask := `{"model":"m","max_tokens":500,"messages":[{"role":"user","content":"Hello"}]}`
	res, err := client.Post(server.URL+"/v1/chat/completions", "application/json", strings.NewReader(ask))
	if err != nil {
		panic(err)
	}
	defer res.Body.Close()
	paid := func() int64 { l := s.Snapshot().Budgets[1].Ledger; return l.Spent - l.Refunded }
	fmt.Println(paid(), "tokens while it runs")
	_, _ = io.Copy(io.Discard, res.Body)
	fmt.Println(paid(), "tokens when it is over")
	// Output:
	// 520 tokens while it runs
	// 12 tokens when it is over
}

// Functions give all requests their cost and priority, and say which may be repeated.
func ExampleTransport() {
	s, err := scheduler.New(scheduler.Config{Limit: bucket.Per(100, time.Hour), Retry: retry.Policy{Initial: time.Millisecond}})
	if err != nil {
		panic(err)
	}
	defer s.Close()
	answers := []int{http.StatusBadGateway, http.StatusOK, http.StatusOK}
	client := &http.Client{Transport: &ratehttp.Transport{
		Scheduler: s,
		Base: network(func(*http.Request) int { // a program leaves this out and uses the real network
			status := answers[0]
			answers = answers[1:]
			return status
		}),
		Options: func(req *http.Request) []scheduler.Option {
			if req.URL.Path == "/search" {
				return []scheduler.Option{scheduler.Cost(10)}
			}
			return nil
		},
		Repeatable: func(a ratehttp.Attempt) bool { return a.Request.URL.Path == "/search" || ratehttp.Idempotent(a) },
	}}

	for _, path := range []string{"/search", "/order"} {
		res, err := client.Post("https://api.example.com"+path, "text/plain", strings.NewReader("three red apples"))
		if err != nil {
			panic(err)
		}
		res.Body.Close()
		fmt.Println(path, res.Status, s.Snapshot().Ledger.Spent)
	}
	// Output:
	// /search 200 OK 20
	// /order 200 OK 21
}

// network is a network whose responses have the statuses that a function returns.
type network func(*http.Request) int

func (f network) RoundTrip(req *http.Request) (*http.Response, error) {
	status := f(req)
	return &http.Response{
		StatusCode: status, Status: fmt.Sprint(status, " ", http.StatusText(status)),
		Header: http.Header{}, Body: http.NoBody, Request: req,
	}, nil
}

// One API needs a scheduler, and requests to other servers don't wait. For many hosts of the same kind, see Key.
func ExampleTransport_choose() {
	github, err := scheduler.New(scheduler.Config{Limit: bucket.Per(5000, time.Hour)})
	if err != nil {
		panic(err)
	}
	defer github.Close()
	client := &http.Client{Transport: &ratehttp.Transport{
		Base: network(func(*http.Request) int { return http.StatusOK }),
		Choose: func(req *http.Request) *scheduler.Scheduler {
			if req.URL.Host == "api.github.com" {
				return github
			}
			return nil
		},
		Budget: func(string) string { return "" }, // all budgets of GitHub, such as "core", are this one budget
	}}
	for _, url := range []string{"https://api.github.com/zen", "https://example.com"} {
		res, err := client.Get(url)
		if err != nil {
			panic(err)
		}
		res.Body.Close()
		fmt.Println(url, res.StatusCode, github.Snapshot().Totals.Attempts)
	}
	// Output:
	// https://api.github.com/zen 200 1
	// https://example.com 200 1
}

// A POST may not be sent twice, unless it has a key that lets the server recognize it.
func ExampleIdempotent() {
	req, err := http.NewRequest("POST", "https://api.example.com/orders", strings.NewReader(`{"apples":3}`))
	if err != nil {
		panic(err)
	}
	fmt.Println(ratehttp.Idempotent(ratehttp.Attempt{Request: req}))
	req.Header.Set("Idempotency-Key", "order-17")
	fmt.Println(ratehttp.Idempotent(ratehttp.Attempt{Request: req}))
	// Output:
	// false
	// true
}

// A client can get the last response as an error.
func ExampleStatusError() {
	s, err := scheduler.New(scheduler.Config{Retry: retry.Policy{MaxRetries: 1, Initial: time.Millisecond}})
	if err != nil {
		panic(err)
	}
	defer s.Close()
	client := &http.Client{Transport: &ratehttp.Transport{
		Scheduler:          s,
		Base:               network(func(*http.Request) int { return http.StatusServiceUnavailable }),
		ErrorWhenExhausted: true,
	}}
	_, err = client.Get("https://api.example.com/things?key=secret")
	var status *ratehttp.StatusError
	fmt.Println(errors.Is(err, retry.ErrExhausted), errors.As(err, &status))
	fmt.Println(status)
	// Output:
	// true true
	// GET https://api.example.com/things: 503 Service Unavailable
}
