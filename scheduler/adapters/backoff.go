package adapters

import (
	"math/rand/v2"
	"time"

	"example.com/fairlead/retry"
)

// BackOff has a policy say how long to wait, for github.com/cenkalti/backoff: its BackOff,
// of version 4 and 5. Each operation wants one of its own, which one goroutine uses at a
// time. The zero BackOff is that of the default policy.
type BackOff struct {
	// Policy says how long to wait and how often. If its Seed is zero, chance takes another
	// course each time; BackOffs with the same Seed wait in step.
	//
	// Besides MaxRetries, the library has bounds of its own, such as the 15 minutes of
	// backoff.WithMaxElapsedTime. A backoff.RetryAfter takes the place of a wait and, by
	// the library's doing, starts the count of retries again.
	Policy retry.Policy

	call     uint64
	attempts int
}

// NextBackOff is the wait after one more failed attempt; -1, which is backoff.Stop, when no
// retry is left, until the next Reset.
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

// Reset starts again: no attempt has failed yet.
func (b *BackOff) Reset() { b.attempts = 0 }
