// Package frompython has the parts of the Python module in Go: its configuration, execute, the decorator, and
// its exceptions.
package frompython

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

// Config is RateLimitConfig. All values are the defaults, so each may be left out.
var Config = scheduler.Config{
	Limit: bucket.Limit{
		Capacity: 1000, // initial_tokens: a bucket starts full
		Refill:   100,  // refill_rate
		Per:      time.Minute,
	},
	Retry: retry.Policy{
		MaxRetries: 5,           // max_retries
		Initial:    time.Second, // initial_delay
		Max:        time.Minute, // max_delay
		Multiplier: 2,           // backoff_multiplier
		Jitter:     0.1,         // jitter_factor
	},
}

// Execute is limiter.execute(func, tokens, progress_callback, retry_on).
func Execute[T any](ctx context.Context, s *scheduler.Scheduler, fn func(context.Context) (T, error), tokens int64,
	progress func(scheduler.Progress), retryOn ...error) (T, error) {
	return scheduler.Value(ctx, s, fn, scheduler.Cost(tokens), scheduler.OnProgress(progress), RetryOn(retryOn...))
}

// RetryOn is retry_on. It retries these errors, and those that are marked as retryable.
func RetryOn(errs ...error) scheduler.Option {
	return scheduler.Classify(func(err error) retry.Verdict {
		for _, e := range errs {
			if errors.Is(err, e) {
				return retry.Classify(retry.Transient(err)) // a marker inside, such as retry.After, still counts
			}
		}
		return retry.Classify(err)
	})
}

// Limited is the decorator. It returns a function like fn whose calls wait for their turn.
func Limited[In, Out any](s *scheduler.Scheduler, fn func(context.Context, In) (Out, error), opts ...scheduler.Option) func(context.Context, In) (Out, error) {
	return func(ctx context.Context, in In) (Out, error) {
		return scheduler.Value(ctx, s, func(ctx context.Context) (Out, error) { return fn(ctx, in) }, opts...)
	}
}

// Explain shows the except clauses.
func Explain(err error) string {
	var budget *bucket.CostError        // TokenBudgetExceeded(required, available)
	var exhausted *retry.ExhaustedError // RateLimitExhausted(attempts, total_delay, last_error)
	switch {
	case err == nil:
		return "done"
	case errors.As(err, &budget):
		return fmt.Sprintf("%d tokens are needed, and there are never more than %d", budget.Cost, budget.Capacity)
	case errors.As(err, &exhausted):
		return fmt.Sprintf("gave up after %d attempts and %v: %v", exhausted.Attempts, exhausted.Waited, exhausted.Unwrap())
	default:
		return "failed: " + err.Error() // an error of the function that is not retried
	}
}
