// Package clock says what this library needs of time: the current instant, and
// a timer to be woken by.
//
// Production code uses [System]. Tests move time themselves: see package
// clocktest. No other package of the library reads a clock or makes a timer.
//
// # A clock of your own
//
// A fake clock that is moved by d must stop at the instant of each timer on the way, in order. There it returns that instant
// from Now, sends the tick, and leaves the receiving goroutine time to act, which may include setting the next timer.
// clocktest.Mock does so. clocktest.Advance also waits for the functions that run at each instant.
//
// A scheduler takes a clock that jumps for the clock of a machine that slept. No call is lost, and no more is granted than
// the limit allows. But everything that was due on the way happens at the instant of arrival. A call that fails there and
// backs off for a second waits for another second, however far the clock was moved. So a test that moves such a clock by an
// hour sees only one more attempt.
package clock

import "time"

// Clock tells the time and makes timers. Its methods may be called from any
// goroutine.
type Clock interface {
	// Now returns the current instant. A clock may be set back, so a later call
	// can return an earlier instant.
	Now() time.Time

	// NewTimer returns a timer that is due d from now. A d of zero or less is
	// due at once.
	NewTimer(d time.Duration) Timer
}

// Timer sends a tick once its time has come. It is due once, until the next
// Reset. Its methods may be called from any goroutine.
//
// A tick is a hint that it is worth looking at the clock, no more. It may come
// late, and the instant that it carries may be older than Now. Timers due at the
// same instant tick in no particular order: whoever needs an order keeps one
// timer and a queue.
type Timer interface {
	// C returns the channel of ticks, the same one for the life of the timer. It
	// is never closed. At most one tick waits in it.
	C() <-chan time.Time

	// Reset makes the timer due d from now, whether it was due, ticked or
	// stopped before. A d of zero or less is due at once. A tick that nobody has
	// received is dropped: what C delivers after Reset returns belongs to d.
	Reset(d time.Duration)

	// Stop makes the timer due never, until a Reset. A tick that nobody has
	// received is dropped: after Stop returns, C delivers nothing. Stopping twice
	// is fine.
	Stop()
}
