package headers_test

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"example.com/fairlead/retry"
	"example.com/fairlead/retry/headers"
)

// Parse returns the limits of all servers in the same form.
func Example() {
	noon := time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)
	for _, h := range []http.Header{
		{"X-Ratelimit-Remaining-Tokens": {"0"}, "X-Ratelimit-Reset-Tokens": {"6m0s"}},                                            // OpenAI
		{"Anthropic-Ratelimit-Tokens-Remaining": {"0"}, "Anthropic-Ratelimit-Tokens-Reset": {"2026-03-01T12:06:00Z"}},            // Anthropic
		{"X-Ratelimit-Resource": {"core"}, "X-Ratelimit-Remaining": {"0"}, "X-Ratelimit-Reset": {fmt.Sprint(noon.Unix() + 360)}}, // GitHub
		{"Ratelimit": {`"hourly";r=0;t=360`}}, // an IETF draft
	} {
		seen := headers.Parse(h, noon)
		fmt.Printf("%q: %d remaining, wait %v\n", seen.Budgets[0].Name, seen.Budgets[0].Remaining, seen.Wait())
	}
	// Output:
	// "tokens": 0 remaining, wait 6m0s
	// "tokens": 0 remaining, wait 6m0s
	// "core": 0 remaining, wait 6m0s
	// "hourly": 0 remaining, wait 6m0s
}

func ExampleParse() {
	h := http.Header{}
	h.Set("x-ratelimit-limit-tokens", "150000")
	h.Set("x-ratelimit-remaining-tokens", "149984")
	h.Set("x-ratelimit-reset-tokens", "6m0s")
	h.Set("retry-after-ms", "1500")
	h.Set("retry-after", "2")

	now := time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC) // time.Now(), or your scheduler's clock
	seen := headers.Parse(h, now)
	fmt.Println("wait", seen.RetryAfter)
	for _, b := range seen.Budgets {
		fmt.Println(b.Name, b.Remaining, "of", b.Limit, "until", b.Reset.Format(time.TimeOnly))
	}
	// Output:
	// wait 1.5s
	// tokens 149984 of 150000 until 12:06:00
}

// Mark turns a server's refusal into an error that a scheduler understands.
func ExampleObservations_Mark() {
	call := func(res *http.Response) error {
		if res.StatusCode >= 400 {
			return headers.Parse(res.Header, time.Now()).Mark(res.StatusCode, errors.New(res.Status))
		}
		return nil
	}
	fmt.Println(retry.Classify(call(&http.Response{StatusCode: 429, Header: http.Header{"Retry-After": {"30"}}})))
	fmt.Println(retry.Classify(call(&http.Response{StatusCode: 503})))
	fmt.Println(retry.Classify(call(&http.Response{StatusCode: 404})))
	fmt.Println(retry.Classify(call(&http.Response{StatusCode: 429, Header: http.Header{"X-Should-Retry": {"false"}}})))
	// Output:
	// rate limited, retry after 30s
	// transient
	// final
	// final
}

func ExampleObservations_Verdict() {
	h := http.Header{}
	h.Set("x-ratelimit-resource", "core")
	h.Set("x-ratelimit-remaining", "0")
	h.Set("x-ratelimit-reset", "1772366460")
	seen := headers.Parse(h, time.Unix(1772366400, 0))
	fmt.Println(seen.Verdict(http.StatusForbidden))
	// Output: rate limited, retry after 1m0s
}

// The last call that a budget allows succeeds, but the next one should wait.
func ExampleObservations_Wait() {
	seen := headers.Parse(http.Header{"Ratelimit": {`"default";r=0;t=50`}}, time.Now())
	fmt.Println(seen.Verdict(http.StatusOK), seen.Wait())
	// Output: final 50s
}

func ExampleObservations() {
	seen := headers.Parse(http.Header{
		"Retry-After":           {"-120"},
		"X-Ratelimit-Limit":     {"60"},
		"X-Ratelimit-Remaining": {"1000000"},
	}, time.Now())
	fmt.Println(seen.RetryAfter, seen.Budgets[0].Remaining, seen.Doubtful)
	// Output: 0s 60 [Retry-After X-Ratelimit-Remaining]
}

func ExampleBudget() {
	seen := headers.Parse(http.Header{
		"Ratelimit-Policy": {`"burst";q=100;w=60, "daily";q=1000;w=86400`},
		"Ratelimit":        {`"daily";r=58;t=3600`},
	}, time.Now())
	for _, b := range seen.Budgets {
		fmt.Println(b.Name, b.Limit, b.Window, b.Remaining)
	}
	// Output:
	// daily 1000 24h0m0s 58
	// burst 100 1m0s -1
}

// Google's APIs put the wait in the body.
func ExampleRetryInfo() {
	body := `{"error": {
		"code": 429,
		"message": "You exceeded your current quota.",
		"status": "RESOURCE_EXHAUSTED",
		"details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.07s"}]
	}}`
	err := errors.New("429 Too Many Requests")
	if wait, ok := headers.RetryInfo([]byte(body)); ok {
		err = retry.After(err, wait)
	}
	fmt.Println(retry.Classify(err))
	// Output: rate limited, retry after 34.1s
}
