// Package fromrate shows the same client with golang.org/x/time/rate and cenkalti/backoff, and with a scheduler.
package fromrate

import (
	"context"
	"errors"
	"io"
	"net/http"

	"example.com/fairlead/retry/headers"
	"example.com/fairlead/scheduler"
)

// After is the client with a scheduler. Its configuration is the limit and the policy:
//
//	rate.NewLimiter(2, 10)    Limit: bucket.PerSecond(2).Burst(10)
//	backoff.WithMaxTries(6)   Retry: retry.Policy{MaxRetries: 5}
//	any error but Permanent   Classify: retry.Network
type After struct {
	Client    *http.Client
	Scheduler *scheduler.Scheduler
}

// Get returns the content at a URL.
func (a After) Get(ctx context.Context, url string) (string, error) {
	return scheduler.Value(ctx, a.Scheduler, func(ctx context.Context) (string, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return "", err
		}
		res, err := a.Client.Do(req)
		if err != nil {
			return "", err
		}
		defer res.Body.Close()
		if res.StatusCode >= 400 {
			return "", headers.Parse(res.Header, a.Scheduler.Now()).Mark(res.StatusCode, errors.New(res.Status))
		}
		text, err := io.ReadAll(res.Body)
		return string(text), err
	})
}
