package compat

import (
	"net/http"
	"testing"
	"time"

	"github.com/hashicorp/go-retryablehttp"
	"github.com/stretchr/testify/require"
	gitlab "gitlab.com/gitlab-org/api/client-go/v2"
	"resty.dev/v3"

	"example.com/fairlead/scheduler"
	"example.com/fairlead/scheduler/adapters"
	"example.com/fairlead/scheduler/adapters/hashicorp"
)

var (
	_ gitlab.RateLimiter = adapters.Limiter{}
	_ resty.RateLimiter  = adapters.Resty{}

	_ retryablehttp.CheckRetry = (*hashicorp.Retry)(nil).CheckRetry
	_ retryablehttp.Backoff    = (*hashicorp.Retry)(nil).Backoff
)

var (
	busy    = answer(http.StatusServiceUnavailable, "")
	after   = answer(http.StatusTooManyRequests, "", "Retry-After", "30")
	afterA  = answer(http.StatusTooManyRequests, "", "Retry-After", "61")
	version = answer(http.StatusOK, `{"version":"19.0"}`)
)

func TestRetryableHTTP(t *testing.T) {
	client := func(s *server) *retryablehttp.Client {
		c, r := retryablehttp.NewClient(), &hashicorp.Retry{Policy: exact}
		c.HTTPClient, c.Logger = s.client, nil
		c.CheckRetry, c.Backoff, c.RetryMax = r.CheckRetry, r.Backoff, exact.Attempts()-1
		return c
	}
	tests := []struct {
		name    string
		answers []http.HandlerFunc
		status  int // 0 for an error
		want    []time.Duration
	}{
		{"success", []http.HandlerFunc{ok}, 200, seconds(0)},
		{"success after a while", []http.HandlerFunc{busy, busy, ok}, 200, seconds(0, 1, 3)},
		{"no end", []http.HandlerFunc{busy}, 0, seconds(0, 1, 3, 7)},
		{"too long a wait", []http.HandlerFunc{afterA}, 429, seconds(0)},
		{"nothing that helps", []http.HandlerFunc{answer(http.StatusNotFound, "")}, 404, seconds(0)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, _ adapters.Limiter) {
				s := serve(t, tt.answers...)
				res, err := client(s).Get(s.URL)
				require.Equal(t, tt.want, s.asked())
				if tt.status == 0 {
					require.ErrorContains(t, err, "giving up after 4 attempt(s)")
					return
				}
				require.NoError(t, err)
				require.Equal(t, tt.status, res.StatusCode)
				require.NoError(t, res.Body.Close())
			})
		})
	}
	t.Run("as long as the server says", func(t *testing.T) {
		bubble(t, func(t *testing.T, _ adapters.Limiter) {
			s := serve(t, after, ok)
			res, err := client(s).Get(s.URL)
			require.NoError(t, err)
			require.NoError(t, res.Body.Close())
			waited := s.asked()[1]
			require.GreaterOrEqual(t, waited, 30*time.Second)
			require.LessOrEqual(t, waited, 33*time.Second)
		})
	})
}

func TestGitLab(t *testing.T) {
	bubble(t, func(t *testing.T, l adapters.Limiter) {
		s, r := serve(t, busy, version), &hashicorp.Retry{Policy: exact}
		client, err := gitlab.NewClient("token", gitlab.WithBaseURL(s.URL), gitlab.WithHTTPClient(s.client), gitlab.WithCustomLimiter(l),
			gitlab.WithCustomRetry(r.CheckRetry), gitlab.WithCustomBackoff(r.Backoff), gitlab.WithCustomRetryMax(exact.Attempts()-1))
		require.NoError(t, err)
		for range 4 {
			v, _, err := client.Version.GetVersion(gitlab.WithContext(t.Context()))
			require.NoError(t, err)
			require.Equal(t, "19.0", v.Version)
		}
		// The client takes no token for the retry after a second, so there are two for the
		// next requests.
		require.Equal(t, seconds(0, 1, 1, 1, 2), s.asked())

		l.Scheduler.Close()
		_, _, err = client.Version.GetVersion(gitlab.WithContext(t.Context()))
		require.ErrorIs(t, err, scheduler.ErrClosed)
	})
}

func TestResty(t *testing.T) {
	bubble(t, func(t *testing.T, l adapters.Limiter) {
		s := serve(t, ok)
		client := resty.NewWithClient(s.client).SetRateLimiter(adapters.Resty(l))
		for range 4 {
			res, err := client.R().SetContext(t.Context()).Get(s.URL)
			require.NoError(t, err)
			require.Equal(t, http.StatusOK, res.StatusCode())
		}
		require.Equal(t, seconds(0, 0, 1, 2), s.asked())

		l.Scheduler.Close()
		_, err := client.R().SetContext(t.Context()).Get(s.URL)
		require.ErrorIs(t, err, scheduler.ErrClosed)
		require.NoError(t, client.Close())
	})
}
