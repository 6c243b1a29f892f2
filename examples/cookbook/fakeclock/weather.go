// Package fakeclock is a client with a configurable clock, and a test that moves the clock.
package fakeclock

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/clock"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
	"example.com/fairlead/scheduler/ratehttp"
)

// Weather is a client of a server that allows one request a minute.
type Weather struct {
	Scheduler *scheduler.Scheduler
	client    *http.Client
}

// New returns a client that uses the clock c; a nil clock is the system's. Close its scheduler when done.
func New(c clock.Clock, base http.RoundTripper) (*Weather, error) {
	s, err := scheduler.New(scheduler.Config{
		Clock: c,
		Limit: bucket.PerMinute(1),
		Retry: retry.Policy{MaxServerWait: 2 * time.Hour},
	})
	if err != nil {
		return nil, err
	}
	transport := &ratehttp.Transport{Scheduler: s, Base: base}
	return &Weather{Scheduler: s, client: &http.Client{Transport: transport}}, nil
}

// At returns the server's answer at a URL.
func (w *Weather) At(ctx context.Context, url string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	res, err := w.client.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return "", errors.New(res.Status)
	}
	text, err := io.ReadAll(res.Body)
	return string(text), err
}
