package core

import (
	"math"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry"
)

// retryBudget is a [retry.Budget] with what is left of it, in thousandths of a retry. Time adds to it also
// during holds and pauses. A nil one has no limit.
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

// newRetryBudget returns a budget that is full at an instant.
func newRetryBudget(b *retry.Budget, at time.Duration) (*retryBudget, error) {
	if b == nil {
		return nil, nil
	}
	limit, perCall := retryLimit(b.WithDefaults())
	filled, err := bucket.New(limit, at)
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

// ownRetries returns the retry budget of a key up to now. It reports false if the key has none.
func (k *Core) ownRetries(l *lane) (own retryBudget, has bool) {
	if k.retriesPerKey == nil || l == &k.plain {
		return own, false
	}
	own = *k.retriesPerKey
	if left, used := k.usedRetries[l]; used {
		own.bucket.Unpack(left)
	}
	own.bucket.Advance(k.Now)
	return own, true
}

// keepRetries keeps what is left of the retry budget of a key, unless that is as new.
func (k *Core) keepRetries(l *lane, own *retryBudget) {
	if own.bucket.AsNew() {
		delete(k.usedRetries, l)
		return
	}
	if k.usedRetries == nil {
		k.usedRetries = map[*lane]bucket.Packed{}
	}
	k.usedRetries[l] = own.bucket.Pack()
}

// hasNewRetries reports whether the retry budget of a key is as new.
func (k *Core) hasNewRetries(l *lane) bool {
	if _, used := k.usedRetries[l]; !used {
		return true
	}
	own, _ := k.ownRetries(l)
	k.keepRetries(l, &own)
	return own.bucket.AsNew()
}

// earnRetries adds the share of a call whose first attempt is granted.
func (k *Core) earnRetries(l *lane) {
	k.retries.add(k.Now, 1)
	if _, used := k.usedRetries[l]; used {
		own, _ := k.ownRetries(l)
		own.add(k.Now, 1)
		k.keepRetries(l, &own)
	}
	if k.unpaid.first != nil {
		k.noteDue()
	}
}

// boundsRetries reports whether there is a retry budget.
func (k *Core) boundsRetries() bool { return k.retries != nil || k.retriesPerKey != nil }

// payForRetry takes one retry from the budget of all calls and from that of the call's key, or none from
// either. The call's backoff is over. If payForRetry reports false, the call has ended, or waits for the
// budget of all.
func (k *Core) payForRetry(c *Call) bool {
	l := k.laneOf(c)
	own, hasOwn := k.ownRetries(l)
	if hasOwn && !own.take(k.Now) {
		k.endOverBudget(c, own.config, l.name)
		return false
	}
	mustWait := k.unpaid.first != nil && k.unpaid.first != c // behind others
	switch {
	case !mustWait && k.retries.take(k.Now):
		if hasOwn {
			k.keepRetries(l, &own)
		}
		return true
	case k.retries.config.Wait:
		c.detail.unpaid = true
		k.unpaid.add(c)
		k.keepWaiting(c)
	default:
		k.endOverBudget(c, k.retries.config, "")
	}
	return false
}

// nextPayment returns when the first of the calls that wait for the retry budget can pay, if no call is granted
// its first attempt before. It returns [bucket.Forever] if none waits.
func (k *Core) nextPayment() time.Duration {
	if k.unpaid.first == nil {
		return bucket.Forever
	}
	return k.retries.bucket.Ready(wholeRetry)
}

// stopWaitingToPay takes a call that pays or ends out of those that wait for the retry budget.
func (k *Core) stopWaitingToPay(c *Call) {
	if c.detail.unpaid {
		c.detail.unpaid = false
		k.unpaid.remove(c)
	}
}

// endOverBudget ends a call, since a budget does not have enough for its retry. key is the key whose budget that
// is, or "".
func (k *Core) endOverBudget(c *Call, b retry.Budget, key string) {
	k.leave(c)
	err := c.exhausted()
	err.Budget, err.Key = &b, key
	k.endExhausted(c, err)
}
