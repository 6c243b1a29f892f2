package compat

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go/middleware"
	"github.com/stretchr/testify/require"

	"example.com/fairlead/scheduler"
	"example.com/fairlead/scheduler/adapters"
)

var _ retry.RateLimiter = adapters.Limiter{}

// service fails a number of times before it succeeds.
type service struct{ failures, requests int }

func (s *service) HandleFinalize(context.Context, middleware.FinalizeInput) (middleware.FinalizeOutput, middleware.Metadata, error) {
	if s.requests++; s.requests <= s.failures {
		return middleware.FinalizeOutput{}, middleware.Metadata{}, errors.New("unavailable")
	}
	return middleware.FinalizeOutput{}, middleware.Metadata{}, nil
}

func TestAWS(t *testing.T) {
	bubble(t, func(t *testing.T, l adapters.Limiter) {
		attempts := retry.NewAttemptMiddleware(retry.NewStandard(func(o *retry.StandardOptions) {
			o.RateLimiter = l
			o.RetryCost, o.ThrottlingRetryCost = 1, 1
			o.MaxAttempts = 10
			o.Retryables = []retry.IsErrorRetryable{retry.IsErrorRetryableFunc(func(error) aws.Ternary { return aws.TrueTernary })}
			o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
		}), func(request any) any { return request })
		call := func(s *service) error {
			_, _, err := attempts.HandleFinalize(t.Context(), middleware.FinalizeInput{}, s)
			return err
		}
		started := time.Now()
		fine := &service{}
		require.NoError(t, call(fine))
		flaky := &service{failures: 1}
		require.NoError(t, call(flaky))
		require.Equal(t, 2, flaky.requests)

		broken := &service{failures: 10}
		require.ErrorIs(t, call(broken), scheduler.ErrWouldWait)
		require.Equal(t, 2, broken.requests, "the first attempt, and a retry with the last token")
		time.Sleep(time.Second)
		require.ErrorIs(t, call(broken), scheduler.ErrWouldWait)
		require.Equal(t, 4, broken.requests, "one more retry, with a new token")
		require.Equal(t, time.Second, time.Since(started), "GetToken has not waited")
	})
}
