package adapters

import (
	"context"

	"example.com/fairlead/scheduler"
)

// GetToken takes tokens for a retry if that is possible at once, for the retry.RateLimiter
// of aws-sdk-go-v2. It never waits: without the tokens there is no retry, and the error
// says why, such as a [scheduler.WouldWaitError] or the error of ctx.
//
// What is returned besides gives nothing back. A token stands for a request that the
// server has counted, also if it was a success, and new ones come with time. By default
// the SDK asks for 14 tokens for a retry, or 5 after a refusal for coming too often: to
// take one for each request, set its RetryCost and ThrottlingRetryCost to 1.
func (l Limiter) GetToken(ctx context.Context, cost uint) (release func() error, err error) {
	err = l.take(ctx, l.with(scheduler.Cost(tokens(cost)), scheduler.NoWait())...)
	if err != nil {
		return nil, err
	}
	return released, nil
}

func released() error { return nil }

// AddTokens does nothing, for retry.RateLimiter: the SDK calls it after a success at the
// first attempt, and tokens come with time.
func (l Limiter) AddTokens(uint) error { return nil }
