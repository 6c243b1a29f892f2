// Package clock defines the interface through which this library tells time and sets timers.
//
// Programs use [System]. Tests use package clocktest and move time themselves. No other package of
// the library reads the time or makes a timer.
//
// # A clock of your own
//
// A fake clock that is moved by d must stop at the instant of each timer on the way, in order. At
// each stop, Now returns that instant, the tick is sent, and the receiving goroutine gets time to
// act, for example to set the next timer. clocktest.Mock does so. clocktest.Advance also waits for
// the functions that run at each instant.
//
// If a fake clock jumps instead, a scheduler treats that as a machine that was suspended. No call is
// lost, and no more calls are granted than the limit allows. But everything that was due on the way
// happens at the instant of arrival. A call that fails then and backs off for a second waits for
// another second. So a test that jumps by an hour sees only one more attempt.
package clock

import "time"

// Clock tells the time and makes timers. Its methods are safe for concurrent use.
type Clock interface {
	// Now returns the current instant. A clock may be set back, so a later call can return an
	// earlier instant.
	Now() time.Time

	// NewTimer returns a timer that is due d from now, or at once if d is zero or less.
	NewTimer(d time.Duration) Timer
}

// Timer sends one tick when it is due. After that it is due again only after a Reset. Its methods
// are safe for concurrent use.
//
// A tick is only a hint to look at the clock. It may come late, and its instant may be earlier than
// Now. Timers that are due at the same instant tick in any order. Code that needs an order should
// use one timer and a queue.
type Timer interface {
	// C returns the channel of ticks. It is the same channel for the life of the timer and is never
	// closed. It holds at most one tick.
	C() <-chan time.Time

	// Reset makes the timer due d from now, or at once if d is zero or less. The timer may be
	// running, ticked or stopped. Reset drops an unread tick, so the next tick in C belongs to d.
	Reset(d time.Duration)

	// Stop keeps the timer from ticking until a Reset. It drops an unread tick, so C delivers
	// nothing after Stop returns. Stop may be called twice.
	Stop()
}
