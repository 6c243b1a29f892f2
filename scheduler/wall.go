package scheduler

import (
	"time"

	"example.com/fairlead/scheduler/internal/core"
)

// The owner's instants are by the monotonic clock, which stands still while the machine sleeps and does
// not know when the wall clock is set. Resets are by the wall clock. So the owner of a scheduler that has
// a limit with a Reset compares the two clocks in each turn.

const (
	// leastDrift is how far the two clocks must have moved apart before the core is told.
	leastDrift = time.Second

	// wallInterval is how often the owner looks during a lease, and while the head of the queue waits for
	// a reset. A timer does not go on while the machine sleeps, so it would be hours late.
	wallInterval = time.Minute
)

// readWall tells the core if the wall clock has been set, or the machine has slept. Calls of the fast
// path that the owner does not know of yet may have come after a reset, so they pay after it.
func (o *owner) readWall(now time.Duration) {
	drift := o.s.clock.Now().Round(0).Sub(o.s.origin.Round(0)) - now
	if moved := drift - o.drift; -leastDrift < moved && moved < leastDrift {
		return
	}
	o.drift = drift
	o.core.SetWall(now, drift)
	o.revokeLease(now)
}

// lookBy returns the instant at which the owner has to wake, which is a minute from now or earlier while
// it has to look at the wall clock. A mock's wall clock and instants are the same.
func (o *owner) lookBy(wake time.Duration) time.Duration {
	if o.slack == 0 || !o.core.WaitsForReset() {
		return wake
	}
	next := core.After(o.core.Now, wallInterval)
	if o.core.Now < o.armed && o.armed < next {
		next = o.armed // so that the timer is not set anew in each turn
	}
	return min(wake, next)
}
