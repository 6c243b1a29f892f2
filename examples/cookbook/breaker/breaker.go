// Package breaker is a circuit breaker: it pauses a scheduler while a server is down.
package breaker

import (
	"context"
	"sync"
	"time"

	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

// Breaker opens after a number of failures in a row. Then no call is started for a while, and after that one at a time
// until one succeeds. Calls that wait keep their places, and those whose deadlines come too soon end at once.
type Breaker struct {
	Scheduler   *scheduler.Scheduler
	Failures    int           // in a row, that open it
	Rest        time.Duration // how long no call is started
	MaxInFlight int           // the scheduler's, to go back to

	mu     sync.Mutex
	failed int
	open   bool
	until  time.Time // the end of the rest
}

// Guard returns fn with its outcome watched. Give it to Do, Submit or Stream.
func (b *Breaker) Guard(fn func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		err := fn(ctx)
		b.saw(err)
		return err
	}
}

// saw counts failures of the server. Other errors, such as a 404, show that it is there.
func (b *Breaker) saw(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.Scheduler.Now()
	switch {
	case retry.Network(err).Kind != retry.KindTransient:
		b.failed = 0
		if b.open {
			b.open = false
			_ = b.Scheduler.SetMaxInFlight(b.MaxInFlight) // these fail only if the scheduler is closed
			_ = b.Scheduler.Resume()
		}
	case now.Before(b.until): // began before the rest
	default:
		if b.failed++; b.failed >= b.Failures {
			b.open, b.until = true, now.Add(b.Rest)
			_ = b.Scheduler.SetMaxInFlight(1)
			_ = b.Scheduler.PauseUntil(b.until)
		}
	}
}
