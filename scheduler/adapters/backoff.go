package adapters

import (
	"math/rand/v2"
	"time"

	"example.com/fairlead/retry"
)

// BackOff makes a policy decide how long to wait, as a BackOff of github.com/cenkalti/backoff,
// versions 4 and 5. Each operation needs its own, used by one goroutine at a time. The zero
// BackOff has the default policy.
type BackOff struct {
	// Policy says how long to wait and how often. If its Seed is zero, the jitter differs each
	// time. BackOffs with the same other Seed wait in step.
	//
	// The library adds bounds of its own, such as the 15 minutes of backoff.WithMaxElapsedTime. A
	// backoff.RetryAfter replaces a wait and restarts the count of retries.
	Policy retry.Policy

	call     uint64
	attempts int
}

// NextBackOff returns the wait after one more failed attempt. If no retry is left, it returns -1,
// which is backoff.Stop, until the next Reset.
func (b *BackOff) NextBackOff() time.Duration {
	const stop = -1
	if b.attempts == 0 && b.Policy.Seed == 0 {
		b.call = rand.Uint64()
	}
	d := b.Policy.Decide(b.call, b.attempts+1, retry.Verdict{Kind: retry.KindTransient})
	if d.Action != retry.Again {
		return stop
	}
	b.attempts++
	return d.Delay
}

// Reset starts anew, as if no attempt had failed.
func (b *BackOff) Reset() { b.attempts = 0 }
