package ratehttp_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
	"example.com/fairlead/scheduler/ratehttp"
)

// The stream of this server stalls. A program allows seconds and not milliseconds.
func ExampleTransport_timeouts() {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "data: once upon a time")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}))
	defer srv.Close()
	s, err := scheduler.New(scheduler.Config{Limit: bucket.PerSecond(10), Retry: retry.Policy{MaxRetries: 2}})
	if err != nil {
		panic(err)
	}
	defer s.Close()
	client := &http.Client{Transport: &ratehttp.Transport{
		Scheduler:      s,
		AttemptTimeout: 30 * time.Second,       // until the headers of a response have come
		ReadTimeout:    200 * time.Millisecond, // for each Read of its body
	}}
	res, err := client.Get(srv.URL)
	if err != nil {
		panic(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	fmt.Println(string(text))
	fmt.Println(err)
	fmt.Println(errors.Is(err, context.DeadlineExceeded))
	// Output:
	// data: once upon a time
	// ratehttp: the response's body has stalled: no bytes came for 200ms, which is Transport.ReadTimeout
	// true
}
