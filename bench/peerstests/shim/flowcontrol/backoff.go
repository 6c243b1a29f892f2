package flowcontrol

import (
	"time"

	"k8s.io/utils/clock"

	"example.com/fairlead/retry"
)

// Backoff counts the failures of each key, as the peer does. The waits are those of the retry policy. Only the
// peer forgets a key after a while, so that is done here.
type Backoff struct {
	HasExpiredFunc func(eventTime, lastUpdate time.Time, max time.Duration) bool

	clock  clock.Clock
	policy retry.Policy
	keys   map[string]*failures
}

type failures struct {
	call  uint64 // the key's number, in the order of first failures
	count int
	last  time.Time
}

// NewFakeBackOff returns backoffs without jitter.
func NewFakeBackOff(initial, max time.Duration, c clock.Clock) *Backoff {
	return NewFakeBackOffWithJitter(initial, max, c, retry.None)
}

// NewFakeBackOffWithJitter returns backoffs with jitter.
func NewFakeBackOffWithJitter(initial, max time.Duration, c clock.Clock, jitter float64) *Backoff {
	return &Backoff{
		HasExpiredFunc: func(eventTime, lastUpdate time.Time, max time.Duration) bool {
			return eventTime.Sub(lastUpdate) > 2*max
		},
		clock:  c,
		policy: retry.Policy{Initial: initial, Max: max, Multiplier: 2, Jitter: jitter},
		keys:   map[string]*failures{},
	}
}

// Next counts one more failure.
func (b *Backoff) Next(id string, eventTime time.Time) {
	f := b.keys[id]
	if f == nil || b.expired(f, eventTime) {
		f = &failures{call: uint64(len(b.keys))}
		b.keys[id] = f
	}
	f.count++
	f.last = b.clock.Now()
}

// Get returns the wait after the failures so far.
func (b *Backoff) Get(id string) time.Duration {
	f := b.keys[id]
	if f == nil {
		return 0
	}
	return b.policy.Delay(f.call, f.count)
}

// Reset forgets the failures of a key.
func (b *Backoff) Reset(id string) { delete(b.keys, id) }

// IsInBackOffSince reports whether a wait that began at eventTime still lasts.
func (b *Backoff) IsInBackOffSince(id string, eventTime time.Time) bool {
	f := b.keys[id]
	return f != nil && !b.expired(f, eventTime) && b.clock.Since(eventTime) < b.Get(id)
}

// IsInBackOffSinceUpdate reports whether the wait that began with the last failure still lasts at eventTime.
func (b *Backoff) IsInBackOffSinceUpdate(id string, eventTime time.Time) bool {
	f := b.keys[id]
	return f != nil && !b.expired(f, eventTime) && eventTime.Sub(f.last) < b.Get(id)
}

func (b *Backoff) expired(f *failures, at time.Time) bool {
	return b.HasExpiredFunc(at, f.last, b.policy.Max)
}
