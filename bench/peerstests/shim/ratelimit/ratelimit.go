// Package ratelimit replaces go.uber.org/ratelimit for that package's own tests. That package has three
// implementations, so this one uses a [bucket.Bucket] in three ways.
package ratelimit

import (
	"sync"
	"time"

	"github.com/benbjohnson/clock"

	"example.com/fairlead/bucket"
)

// Limiter makes its callers wait.
type Limiter interface{ Take() time.Time }

// Clock is the clock that tests pass to a limiter.
type Clock interface {
	Now() time.Time
	Sleep(time.Duration)
}

type config struct {
	clock Clock
	slack int
	per   time.Duration
}

// Option is an option of a limiter.
type Option func(*config)

// WithClock sets the clock.
func WithClock(c Clock) Option { return func(cfg *config) { cfg.clock = c } }

// WithSlack sets how many unused takes may be made up for.
func WithSlack(n int) Option { return func(cfg *config) { cfg.slack = n } }

// WithoutSlack allows no take to be made up for.
var WithoutSlack = WithSlack(0)

// Per sets the period of the rate, a second by default.
func Per(per time.Duration) Option { return func(cfg *config) { cfg.per = per } }

// New returns a limiter.
func New(rate int, opts ...Option) Limiter { return newMutexBased(rate, opts...) }

func configure(rate int, opts []Option) base {
	cfg := config{clock: clock.New(), slack: 10, per: time.Second}
	for _, opt := range opts {
		opt(&cfg)
	}
	// A token for each take that may be made up for, and one that is due. Like the peer's, the interval is a
	// whole number of nanoseconds.
	return base{clock: cfg.clock, limit: bucket.Limit{Capacity: int64(cfg.slack) + 1, Refill: 1, Per: cfg.per / time.Duration(rate)}}
}

// first is the state at the first take, when nothing can be made up for.
var first = bucket.State{Tokens: 1}

// base is the common part of the three limiters.
type base struct {
	mu    sync.Mutex
	clock Clock
	limit bucket.Limit
}

// sleep sleeps unless d is zero, which a mock would take for an event.
func (l *base) sleep(d time.Duration) {
	if d > 0 {
		l.clock.Sleep(d)
	}
}

// inDebt takes its token at once, and then sleeps until it comes.
type inDebt struct {
	base
	running
}

func newMutexBased(rate int, opts ...Option) *inDebt { return &inDebt{base: configure(rate, opts)} }

func (l *inDebt) Take() time.Time {
	l.mu.Lock()
	at := l.now(&l.base)
	l.bucket.Advance(at)
	due := l.bucket.Ready(1)
	l.bucket.Charge(at, 1)
	l.mu.Unlock()
	l.sleep(due - at)
	return l.origin.Add(due)
}

// polling sleeps until there should be a token, and then looks whether another caller has taken it.
type polling struct {
	base
	running
}

//lint:ignore U1000 the tests call it
func newAtomicBased(rate int, opts ...Option) *polling { return &polling{base: configure(rate, opts)} }

func (l *polling) Take() time.Time {
	for {
		l.mu.Lock()
		at := l.now(&l.base)
		taken, due := l.bucket.Take(at, 1), l.bucket.Ready(1)
		l.mu.Unlock()
		if taken {
			return l.origin.Add(at)
		}
		l.sleep(due - at)
	}
}

// running is a bucket whose time begins with the first take.
type running struct {
	bucket bucket.Bucket
	origin time.Time
}

func (r *running) now(l *base) time.Duration {
	now := l.clock.Now()
	if r.origin.IsZero() {
		r.origin, r.bucket = now, restored(l.limit, first, now)
	}
	return now.Sub(r.origin)
}

// saved keeps only a bucket.State between two takes, as over a restart.
type saved struct {
	base
	state bucket.State
}

//lint:ignore U1000 the tests call it
func newAtomicInt64Based(rate int, opts ...Option) *saved {
	return &saved{base: configure(rate, opts), state: first}
}

func (l *saved) Take() time.Time {
	l.mu.Lock()
	now := l.clock.Now()
	b := restored(l.limit, l.state, now)
	due := b.Ready(1)
	b.Charge(0, 1)
	l.state = b.State(0, now)
	l.mu.Unlock()
	l.sleep(due)
	return now.Add(due)
}

func restored(l bucket.Limit, s bucket.State, now time.Time) bucket.Bucket {
	b, err := bucket.Restore(l, s, 0, now)
	if err != nil {
		panic(err)
	}
	return b
}
