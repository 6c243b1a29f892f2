package adapters

import (
	"context"

	"example.com/fairlead/scheduler"
)

// GetToken takes tokens for a retry if they are there at once, for the retry.RateLimiter of
// aws-sdk-go-v2. It never waits. Without the tokens there is no retry, and the error says why,
// such as a [scheduler.WouldWaitError] or the error of ctx.
//
// release does nothing. A token stands for a request that the server has counted, even if it
// succeeded. By default the SDK asks for 14 tokens for a retry, or 5 after a rate-limit error. To
// take one for each request, set its RetryCost and ThrottlingRetryCost to 1.
func (l Limiter) GetToken(ctx context.Context, cost uint) (release func() error, err error) {
	err = l.take(ctx, l.with(scheduler.Cost(tokens(cost)), scheduler.NoWait())...)
	if err != nil {
		return nil, err
	}
	return released, nil
}

func released() error { return nil }

// AddTokens does nothing, for retry.RateLimiter. The SDK calls it after a success at the first
// attempt, but tokens come only with time.
func (l Limiter) AddTokens(uint) error { return nil }
