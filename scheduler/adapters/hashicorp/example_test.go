package hashicorp_test

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler/adapters/hashicorp"
)

// A client that waits as a policy and its server say.
//
//	client := retryablehttp.NewClient()
//	client.CheckRetry, client.Backoff, client.RetryMax = r.CheckRetry, r.Backoff, policy.Attempts()-1
func ExampleRetry() {
	policy := retry.Policy{MaxRetries: 4, Initial: 2 * time.Second, Jitter: retry.None, MaxServerWait: time.Minute}
	r := &hashicorp.Retry{Policy: policy}

	busy := &http.Response{StatusCode: http.StatusServiceUnavailable}
	again, err := r.CheckRetry(context.Background(), busy, nil)
	fmt.Println(again, err, r.Backoff(0, 0, 0, busy), r.Backoff(0, 0, 1, busy))

	tomorrow := &http.Response{StatusCode: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {"86400"}}}
	again, err = r.CheckRetry(context.Background(), tomorrow, nil)
	fmt.Println(again, err)
	// Output:
	// true <nil> 2s 4s
	// false <nil>
}
