package fromrate

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"

	"github.com/cenkalti/backoff/v5"
	"golang.org/x/time/rate"
)

// Before is a client with golang.org/x/time/rate and cenkalti/backoff at their best. Each attempt waits for a
// token, and Retry-After is obeyed.
type Before struct {
	Client  *http.Client
	Limiter *rate.Limiter
}

// Get returns the content at a URL.
func (b Before) Get(ctx context.Context, url string) (string, error) {
	return backoff.Retry(ctx, func() (string, error) {
		if err := b.Limiter.Wait(ctx); err != nil {
			return "", backoff.Permanent(err)
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return "", backoff.Permanent(err)
		}
		res, err := b.Client.Do(req)
		if err != nil {
			return "", err
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		switch seconds, e := strconv.Atoi(res.Header.Get("Retry-After")); {
		case res.StatusCode < 400:
			return string(text), err
		case res.StatusCode != http.StatusTooManyRequests && res.StatusCode < 500:
			return "", backoff.Permanent(errors.New(res.Status))
		case e == nil:
			return "", backoff.RetryAfter(seconds)
		default:
			return "", errors.New(res.Status)
		}
	}, backoff.WithMaxTries(6))
}
