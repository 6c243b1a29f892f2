// Webhook delivers webhooks at the pace of each receiver. What it has answered with 202 is delivered, even if it is killed.
//
//	cd examples && go run ./webhook/demo   # kills it ten times, and shows what is delivered
//	cd examples && go run ./webhook &
//	curl -H 'Idempotency-Key: paid-17' -d '{"paid": 17}' 'localhost:8080/?to=https://example.com/hook'
package main

import (
	"context"
	"errors"
	"flag"
	"io"
	"log"
	"net/http"
	"strings"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry"
	"example.com/fairlead/retry/headers"
	"example.com/fairlead/scheduler"
	"example.com/fairlead/scheduler/journal"
)

// A receiver gets up to 50 webhooks a second. If it refuses or does not answer, the others don't wait for it. A journal does
// not keep the levels of keys, so after a restart a receiver may get another burst of 10.
var config = scheduler.Config{
	Limit: bucket.Unlimited, MaxInFlight: 100, PerKey: scheduler.PerKey{Limit: bucket.PerSecond(50).Burst(10), MaxInFlight: 4},
	Retry: retry.Policy{MaxRetries: 10, MaxServerWait: 2 * time.Hour}, Classify: retry.Network,
}

func main() {
	file, address := flag.String("file", "webhooks.db", "the journal"), flag.String("listen", "localhost:8080", "the address")
	flag.Parse()
	j, err := journal.Open(*file, journal.Config{Scheduler: config, Handlers: journal.Handlers{"deliver": deliver}})
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.ListenAndServe(*address, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		payload := append([]byte(r.URL.Query().Get("to")+"\n"), body...)
		hook, err2 := request(r.Context(), payload)
		if err != nil || err2 != nil || hook.URL.Host == "" {
			http.Error(w, "send a body of up to 1 MB, and the receiver as ?to=URL", http.StatusBadRequest)
			return
		}
		call := journal.Call{ID: r.Header.Get("Idempotency-Key"), Handler: "deliver", Key: hook.URL.Host, Payload: payload}
		if _, err := j.Submit(r.Context(), call); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable) // it can be sent again with the same key
			return
		}
		w.WriteHeader(http.StatusAccepted) // it is on disk
	})))
}

// request makes the request for a payload, which is a line with the URL, and the body.
func request(ctx context.Context, payload []byte) (*http.Request, error) {
	to, body, _ := strings.Cut(string(payload), "\n")
	return http.NewRequestWithContext(ctx, http.MethodPost, to, strings.NewReader(body))
}

func deliver(ctx context.Context, payload []byte) error {
	hook, err := request(ctx, payload)
	if err != nil {
		return err
	}
	info, _ := journal.CallInfo(ctx)
	hook.Header.Set("Idempotency-Key", info.ID) // the receiver may have got it before
	res, err := http.DefaultClient.Do(hook)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode >= 300 {
		return headers.Parse(res.Header, time.Now()).Mark(res.StatusCode, errors.New(res.Status))
	}
	return nil
}
