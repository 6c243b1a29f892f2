package hashicorp_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler/adapters/hashicorp"
)

// After each attempt the client asks whether there is another, and how long to wait for it.
func Example() {
	policy := retry.Policy{MaxRetries: 2, Initial: 2 * time.Second, Jitter: retry.None}
	r := &hashicorp.Retry{Policy: policy}
	for attempt := range policy.Attempts() {
		res := &http.Response{StatusCode: http.StatusServiceUnavailable} // each time
		again, err := r.CheckRetry(context.Background(), res, nil)
		if !again || err != nil || attempt == policy.Attempts()-1 {
			fmt.Println("that was all")
			break
		}
		fmt.Println("again in", r.Backoff(0, 0, attempt, res))
	}
	// Output:
	// again in 2s
	// again in 4s
	// that was all
}

// A client waits as a policy says:
//
//	client := retryablehttp.NewClient()
//	client.CheckRetry, client.Backoff, client.RetryMax = r.CheckRetry, r.Backoff, policy.Attempts()-1
func ExampleRetry() {
	r := &hashicorp.Retry{Policy: retry.Policy{Initial: 2 * time.Second, Jitter: retry.None}}
	again, err := r.CheckRetry(context.Background(), nil, &net.DNSError{IsTimeout: true})
	fmt.Println(again, err, r.Backoff(0, 0, 0, nil))
	// Output: true <nil> 2s
}

// A server that asks for a wait of a day gets no retry.
func ExampleRetry_CheckRetry() {
	r := &hashicorp.Retry{Policy: retry.Policy{MaxServerWait: time.Minute}}
	for _, wait := range []string{"30", "86400"} {
		refused := &http.Response{StatusCode: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {wait}}}
		fmt.Println(r.CheckRetry(context.Background(), refused, nil))
	}
	// Output:
	// true <nil>
	// false <nil>
}

// A server's wait replaces the backoff. A little more is added, against a thundering herd.
func ExampleRetry_Backoff() {
	r := &hashicorp.Retry{Policy: retry.Policy{Initial: 2 * time.Second, Jitter: retry.None}}
	busy := &http.Response{StatusCode: http.StatusServiceUnavailable}
	fmt.Println(r.Backoff(0, 0, 0, busy), r.Backoff(0, 0, 1, busy))
	busy.Header = http.Header{"Retry-After": {"30"}}
	fmt.Println(r.Backoff(0, 0, 0, busy).Truncate(10 * time.Second))
	// Output:
	// 2s 4s
	// 30s
}
