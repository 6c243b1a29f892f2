package fromfailsafe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/bulkhead"
	"github.com/failsafe-go/failsafe-go/ratelimiter"
	"github.com/failsafe-go/failsafe-go/retrypolicy"
	"github.com/failsafe-go/failsafe-go/timeout"
)

// Before is a client with four policies, each around the next.
type Before struct {
	client   *http.Client
	policies failsafe.Executor[string]
}

// NewBefore returns a client.
func NewBefore(c *http.Client) *Before {
	return &Before{c, failsafe.With(
		retrypolicy.NewBuilder[string]().
			HandleIf(func(_ string, err error) bool { // any error except a final status
				var no *refusal
				return err != nil && (!errors.As(err, &no) || no.status == http.StatusTooManyRequests || no.status >= 500)
			}).
			WithMaxRetries(5).WithBackoff(time.Second, time.Minute).WithJitterFactor(0.1).
			WithDelayFunc(func(exec failsafe.ExecutionAttempt[string]) time.Duration {
				var no *refusal
				if errors.As(exec.LastError(), &no) && no.wait > 0 {
					return no.wait
				}
				return -1 // use the backoff
			}).Build(),
		ratelimiter.NewBurstyBuilder[string](10, 10*time.Second).WithMaxWaitTime(time.Hour).Build(),
		bulkhead.NewBuilder[string](4).WithMaxWaitTime(time.Hour).Build(),
		timeout.New[string](10*time.Second),
	)}
}

type refusal struct {
	status int
	wait   time.Duration
}

func (r *refusal) Error() string { return fmt.Sprint("status ", r.status) }

// Get returns the content at a URL.
func (b *Before) Get(ctx context.Context, url string) (string, error) {
	return b.policies.WithContext(ctx).GetWithExecution(func(exec failsafe.Execution[string]) (string, error) {
		req, err := http.NewRequestWithContext(exec.Context(), http.MethodGet, url, nil)
		if err != nil {
			return "", err
		}
		res, err := b.client.Do(req)
		if err != nil {
			return "", err
		}
		defer res.Body.Close()
		if res.StatusCode >= 400 {
			seconds, _ := strconv.Atoi(res.Header.Get("Retry-After"))
			return "", &refusal{res.StatusCode, time.Duration(seconds) * time.Second}
		}
		text, err := io.ReadAll(res.Body)
		return string(text), err
	})
}
