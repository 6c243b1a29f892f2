// Package call makes the request of a job, and marks its error with what the server says about the next one. All
// recipes use it.
package call

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"example.com/fairlead/retry/headers"
)

// Client makes requests.
var Client = &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 100}}

// Post makes a request. A 429 is marked as rate limited, so a scheduler holds its other calls as long as the
// server says. The job's id is the same in every attempt, so a server that heeds it does nothing twice.
func Post(ctx context.Context, url, id string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Idempotency-Key", id)
	res, err := Client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	_, _ = io.CopyN(io.Discard, res.Body, 64<<10) // so that the connection can be reused
	if res.StatusCode >= 300 {
		return headers.Parse(res.Header, time.Now()).Mark(res.StatusCode, errors.New(res.Status))
	}
	return nil
}
