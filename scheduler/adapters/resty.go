package adapters

import "context"

// Resty is a [Limiter] for resty.dev/v3, whose RateLimiter has a method Allow that waits.
// Make it of the same fields, or as Resty(limiter).
type Resty Limiter

// Allow waits for a token, as [Limiter.Wait] does and with its errors. Where resty's own
// limiters have its ErrRateLimitExceeded, there is the error of ctx alone.
func (l Resty) Allow(ctx context.Context) error { return Limiter(l).Wait(ctx) }
