package ratehttp_test

import (
	"fmt"
	"io"
	"net/http"
	"time"

	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler/ratehttp"
)

// judge returns the transport's own verdict, except that it asks again in ten seconds for an answer that is not ready.
func judge(a ratehttp.Attempt) retry.Verdict {
	if a.Response != nil && a.Response.StatusCode == http.StatusAccepted {
		return retry.Verdict{Kind: retry.KindTransient, Wait: 10 * time.Second, Scope: retry.ScopeCall}
	}
	return a.Verdict()
}

// Classify and Repeatable can be tested without a server.
func ExampleAttempt() {
	transport := &ratehttp.Transport{
		Classify: judge,
		// An order may be sent again after any response, and after a lost connection only if it is idempotent.
		Repeatable: func(a ratehttp.Attempt) bool { return a.Response != nil || ratehttp.Idempotent(a) },
	}

	order, err := http.NewRequest(http.MethodPost, "https://api.example.com/orders", nil)
	if err != nil {
		panic(err)
	}
	accepted := ratehttp.Attempt{Request: order, Response: &http.Response{StatusCode: http.StatusAccepted}}
	lost := ratehttp.Attempt{Request: order, Err: io.ErrUnexpectedEOF}
	fmt.Println(transport.Classify(accepted), transport.Repeatable(accepted))
	fmt.Println(transport.Classify(lost), transport.Repeatable(lost))
	// Output:
	// transient, retry after 10s, this call alone true
	// transient false
}

// A Classify can start from the verdict of a nil Classify.
func ExampleAttempt_Verdict() {
	refused := ratehttp.Attempt{Response: &http.Response{
		StatusCode: http.StatusTooManyRequests,
		Header:     http.Header{"Retry-After": {"20"}},
	}}
	fmt.Println(refused.Verdict())
	fmt.Println(ratehttp.Attempt{Err: io.ErrUnexpectedEOF}.Verdict())
	// Output:
	// rate limited, retry after 20s
	// transient
}
