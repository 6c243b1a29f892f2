// Package fromfailsafe shows the same client with failsafe-go and with a scheduler.
package fromfailsafe

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry"
	"example.com/fairlead/retry/headers"
	"example.com/fairlead/scheduler"
)

// After is the client with a scheduler.
type After struct {
	client *http.Client
	s      *scheduler.Scheduler
}

// NewAfter returns a client. Close it when done.
func NewAfter(c *http.Client) (*After, error) {
	s, err := scheduler.New(scheduler.Config{
		Retry:          retry.Policy{MaxRetries: 5, Initial: time.Second, Max: time.Minute, Jitter: 0.1},
		Classify:       retry.Network,
		Limit:          bucket.PerSecond(1).Burst(10), // the rate limiter, smooth after a burst
		MaxInFlight:    4,                             // the bulkhead
		AttemptTimeout: 10 * time.Second,
	})
	if err != nil {
		return nil, err
	}
	return &After{c, s}, nil
}

// Close ends the calls that wait.
func (a *After) Close() { a.s.Close() }

// Get returns the content at a URL.
func (a *After) Get(ctx context.Context, url string) (string, error) {
	return scheduler.Value(ctx, a.s, func(ctx context.Context) (string, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return "", err
		}
		res, err := a.client.Do(req)
		if err != nil {
			return "", err
		}
		defer res.Body.Close()
		if res.StatusCode >= 400 {
			return "", headers.Parse(res.Header, a.s.Now()).Mark(res.StatusCode, errors.New(res.Status))
		}
		text, err := io.ReadAll(res.Body)
		return string(text), err
	})
}
