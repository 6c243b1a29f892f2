package adapters

import "context"

// Resty is a [Limiter] for resty.dev/v3, whose RateLimiter has a method Allow that waits. Make one
// from the same fields, or as Resty(limiter).
type Resty Limiter

// Allow waits for a token, like [Limiter.Wait] and with its errors. If ctx ends first, the error is
// that of ctx, without resty's ErrRateLimitExceeded.
func (l Resty) Allow(ctx context.Context) error { return Limiter(l).Wait(ctx) }
