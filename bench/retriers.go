package main

import (
	"context"
	"errors"
	"time"

	avast "github.com/avast/retry-go/v5"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	awsretry "github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go/middleware"
	"github.com/cenkalti/backoff/v5"
	failsafego "github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/ratelimiter"
	"github.com/failsafe-go/failsafe-go/retrypolicy"
	sethvargo "github.com/sethvargo/go-retry"
)

// work is a function that is called, and called again if it fails.
type work = func(context.Context) error

// retrier is a library that retries: up to three times, after initial, doubling. All
// errors are retried. What can be shared by all calls, as the library's documentation
// has it, is.
type retrier struct {
	name string
	open func(initial time.Duration, wait work) func(context.Context, work) error
}

// attempt makes an attempt of fn inside the retries, after wait if that is not nil.
func attempt(ctx context.Context, wait, fn work) error {
	if wait != nil {
		if err := wait(ctx); err != nil {
			return err
		}
	}
	return fn(ctx)
}

const (
	avastShared  = "retry-go, shared"
	avastPerCall = "retry-go"
	cenkalti     = "cenkalti/backoff"
	goRetry      = "go-retry"
	workqueueK8s = "client-go workqueue"

	maxRetries = 3
	maxWait    = 24 * time.Hour
)

var retriers = []retrier{
	{avastShared, openAvastShared},
	{avastPerCall, openAvastPerCall},
	{cenkalti, openCenkalti},
	{goRetry, openGoRetry},
	{failsafe, openFailsafeRetry},
	{awsSDK, openAWSRetry},
}

func retrierNamed(name string) retrier {
	for _, r := range retriers {
		if r.name == name {
			return r
		}
	}
	panic("no retrier " + name)
}

func avastOptions(initial time.Duration) []avast.Option {
	return []avast.Option{
		avast.Attempts(maxRetries + 1), avast.Delay(initial), avast.MaxDelay(maxWait),
		avast.DelayType(avast.BackOffDelay), avast.LastErrorOnly(true),
	}
}

func openAvastShared(initial time.Duration, wait work) func(context.Context, work) error {
	r := avast.New(avastOptions(initial)...)
	return func(ctx context.Context, fn work) error { return r.Do(func() error { return attempt(ctx, wait, fn) }) }
}

// openAvastPerCall makes a retrier for each call, which is how a context gets in.
func openAvastPerCall(initial time.Duration, wait work) func(context.Context, work) error {
	options := avastOptions(initial)
	options = options[:len(options):len(options)]
	return func(ctx context.Context, fn work) error {
		return avast.New(append(options, avast.Context(ctx))...).Do(func() error { return attempt(ctx, wait, fn) })
	}
}

func openCenkalti(initial time.Duration, wait work) func(context.Context, work) error {
	return func(ctx context.Context, fn work) error {
		b := backoff.ExponentialBackOff{InitialInterval: initial, Multiplier: 2, MaxInterval: maxWait}
		_, err := backoff.Retry(ctx, func() (struct{}, error) { return struct{}{}, attempt(ctx, wait, fn) },
			backoff.WithBackOff(&b), backoff.WithMaxTries(maxRetries+1), backoff.WithMaxElapsedTime(0))
		return err
	}
}

func openGoRetry(initial time.Duration, wait work) func(context.Context, work) error {
	return func(ctx context.Context, fn work) error {
		return sethvargo.Do(ctx, sethvargo.WithMaxRetries(maxRetries, sethvargo.NewExponential(initial)),
			func(ctx context.Context) error { return sethvargo.RetryableError(attempt(ctx, wait, fn)) })
	}
}

func failsafeRetryPolicy(initial time.Duration) retrypolicy.RetryPolicy[any] {
	return retrypolicy.NewBuilder[any]().WithMaxRetries(maxRetries).WithBackoff(initial, maxWait).Build()
}

func openFailsafeRetry(initial time.Duration, wait work) func(context.Context, work) error {
	return failsafeRun(failsafego.With[any](failsafeRetryPolicy(initial)), wait)
}

// openFailsafePair puts failsafe-go's limiter inside its retries.
func openFailsafePair() func(context.Context, work) error {
	limiter := ratelimiter.NewBurstyBuilder[any](uint(unfelt.burst), time.Second).WithMaxWaitTime(time.Hour).Build()
	return failsafeRun(failsafego.With[any](failsafeRetryPolicy(time.Second), limiter), nil)
}

func failsafeRun(executor failsafego.Executor[any], wait work) func(context.Context, work) error {
	return func(ctx context.Context, fn work) error {
		return executor.WithContext(ctx).Run(func() error { return attempt(ctx, wait, fn) })
	}
}

func awsMiddleware(initial time.Duration, tokens awsretry.RateLimiter) *awsretry.Attempt {
	retryer := awsretry.NewStandard(func(o *awsretry.StandardOptions) {
		o.MaxAttempts = maxRetries + 1
		o.RateLimiter = tokens
		o.Retryables = append(o.Retryables, awsretry.IsErrorRetryableFunc(func(error) aws.Ternary { return aws.TrueTernary }))
		o.Backoff = awsretry.BackoffDelayerFunc(func(attempt int, _ error) (time.Duration, error) {
			return initial << (attempt - 1), nil
		})
	})
	return awsretry.NewAttemptMiddleware(retryer, func(request any) any { return request })
}

type awsHandler struct{ wait, fn work }

func (h awsHandler) HandleFinalize(ctx context.Context, _ middleware.FinalizeInput) (middleware.FinalizeOutput, middleware.Metadata, error) {
	return middleware.FinalizeOutput{}, middleware.Metadata{}, attempt(ctx, h.wait, h.fn)
}

// openAWSRetry makes the SDK's retry loop, without its retry budget, which would end most of them.
func openAWSRetry(initial time.Duration, wait work) func(context.Context, work) error {
	return awsRun(awsMiddleware(initial, ratelimit.None), wait)
}

func awsRun(m *awsretry.Attempt, wait work) func(context.Context, work) error {
	return func(ctx context.Context, fn work) error {
		_, _, err := m.HandleFinalize(ctx, middleware.FinalizeInput{}, awsHandler{wait, fn})
		return err
	}
}

// pair is a limiter and a retrier around a function.
type pair struct {
	name string
	open func() func(context.Context, work) error
}

func limited(l limiter, r retrier) pair {
	return pair{l.name + " + " + r.name, func() func(context.Context, work) error {
		return r.open(time.Second, l.open(unfelt).wait)
	}}
}

const (
	failsafePair = "failsafe-go, both"
	awsPair      = "aws-sdk-go-v2, both"
)

var pairs = []pair{
	limited(limiterNamed(xrate), retrierNamed(avastShared)),
	limited(limiterNamed(jujuLimit), retrierNamed(avastShared)),
	limited(limiterNamed(uberLimit), retrierNamed(avastShared)),
	limited(limiterNamed(xrate), retrierNamed(avastPerCall)),
	limited(limiterNamed(xrate), retrierNamed(goRetry)),
	limited(limiterNamed(xrate), retrierNamed(cenkalti)),
	limited(limiterNamed(k8s), retrierNamed(cenkalti)),
	{failsafePair, openFailsafePair},
	{awsPair, func() func(context.Context, work) error {
		return awsRun(awsMiddleware(time.Second, ratelimit.NewTokenRateLimit(awsretry.DefaultRetryRateTokens)), nil)
	}},
}

var errFlaky = errors.New("flaky")
