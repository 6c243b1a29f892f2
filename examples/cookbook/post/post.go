// Package post retries POSTs without doing anything twice.
package post

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net/http"

	"example.com/fairlead/scheduler"
	"example.com/fairlead/scheduler/ratehttp"
)

// Client returns a client whose requests wait for their turn in s. It sends a POST again in these cases only: the
// server refused it with a 429, no server has begun with it, it has an Idempotency-Key, or the answer was a 503. Leave
// out the 503 if it may come from a proxy after the server has acted.
func Client(s *scheduler.Scheduler, base http.RoundTripper) *http.Client {
	return &http.Client{Transport: &ratehttp.Transport{Scheduler: s, Base: base, Repeatable: func(a ratehttp.Attempt) bool {
		return ratehttp.Idempotent(a) || a.Err == nil && a.Response.StatusCode == http.StatusServiceUnavailable
	}}}
}

// Key returns a new Idempotency-Key. Save it with the work if the program may be stopped and send it again later.
func Key() string { return rand.Text() }

// Create posts a body. An empty key is for servers that know no such keys.
func Create(ctx context.Context, client *http.Client, url, key string, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body)) // can be read again
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	if key != "" {
		req.Header.Set("Idempotency-Key", key) // the same in every attempt
	}
	res, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode >= 300 {
		return nil, errors.New(res.Status)
	}
	return io.ReadAll(res.Body)
}
