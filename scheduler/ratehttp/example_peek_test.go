package ratehttp_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"time"

	"example.com/fairlead/retry"
	"example.com/fairlead/retry/headers"
	"example.com/fairlead/scheduler"
	"example.com/fairlead/scheduler/ratehttp"
)

// This API reports the wait of a refusal only in the body, and sends some errors with status 200.
func ExampleAttempt_Peek() {
	answers := []func(w http.ResponseWriter){
		func(w http.ResponseWriter) {
			w.WriteHeader(http.StatusTooManyRequests)
			fmt.Fprint(w, `{"error":{"code":429,"details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"0.02s"}]}}`)
		},
		func(w http.ResponseWriter) { fmt.Fprint(w, `{"error":{"message":"the model is overloaded"}}`) },
		func(w http.ResponseWriter) { fmt.Fprint(w, `{"text":"hello"}`) },
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		answers[0](w)
		answers = answers[1:]
	}))
	defer server.Close()

	classify := func(a ratehttp.Attempt) retry.Verdict {
		v := a.Verdict()
		switch {
		case a.Response == nil || a.Response.Header.Get("Content-Type") != "application/json": // Peek would delay a stream
		case v.Kind == retry.KindRateLimited && v.Wait == 0:
			v.Wait, _ = headers.RetryInfo(a.Peek(8 << 10))
			fmt.Println(v)
		case a.Response.StatusCode == http.StatusOK && bytes.HasPrefix(a.Peek(64), []byte(`{"error":`)):
			v.Kind = retry.KindTransient
			fmt.Println(v)
		}
		return v
	}

	s, err := scheduler.New(scheduler.Config{Retry: retry.Policy{Initial: time.Millisecond}})
	if err != nil {
		panic(err)
	}
	defer s.Close()
	client := &http.Client{Transport: &ratehttp.Transport{Scheduler: s, Base: new(http.Transport), Classify: classify}}
	defer client.CloseIdleConnections()
	res, err := client.Get(server.URL)
	if err != nil {
		panic(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	fmt.Println(string(body), err)
	// Output:
	// rate limited, retry after 20ms
	// transient
	// {"text":"hello"} <nil>
}
