package core

import (
	"math"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry"
)

// retryBudget is a [retry.Budget] with what is left of it, in thousandths of a retry. It is full at the
// instant 0. Time adds to it also during holds and pauses. A nil one has no limit.
//
// A retry pays before it is queued. In the queue, where a retry goes before calls that came after it, one
// that waits for the budget would block the first attempts that add to it.
type retryBudget struct {
	config  retry.Budget
	bucket  bucket.Bucket
	perCall int64
}

// wholeRetry is one retry.
const wholeRetry = 1000

func newRetryBudget(b *retry.Budget) (*retryBudget, error) {
	if b == nil {
		return nil, nil
	}
	limit, perCall := retryLimit(b.WithDefaults())
	filled, err := bucket.New(limit, 0)
	return &retryBudget{b.WithDefaults(), filled, perCall}, err
}

// retryLimit returns a budget as a limit, and what a call adds.
func retryLimit(b retry.Budget) (l bucket.Limit, perCall int64) {
	thousandths := func(n float64) int64 { return int64(math.Round(n * wholeRetry)) }
	return bucket.Limit{Capacity: int64(b.Burst) * wholeRetry, Refill: thousandths(b.PerSecond), Per: time.Second}, thousandths(b.Ratio)
}

// add adds the shares of n calls.
func (b *retryBudget) add(now time.Duration, n uint64) {
	if b != nil {
		b.bucket.Refund(now, int64(min(n, uint64(b.bucket.Limit().Capacity)))*b.perCall)
	}
}

// take takes one retry from the budget. It reports whether there was one.
func (b *retryBudget) take(now time.Duration) bool {
	return b == nil || b.bucket.Take(now, wholeRetry)
}

// endOverBudget ends a call for whose retry no budget is left.
func (k *Core) endOverBudget(c *Call) {
	err := c.exhausted()
	budget := k.retries.config
	err.Budget = &budget
	k.endExhausted(c, err)
}
