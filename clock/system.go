package clock

import (
	"sync"
	"time"
)

// System returns the clock of package time.
//
// Now carries a monotonic reading, so differences between two instants survive
// a change of the wall clock. A timer that is no longer referenced is collected,
// stopped or not. Inside a testing/synctest bubble the clock is the bubble's.
//
// On Linux a timer of up to 100 ms is on time in an idle process too, where one of
// package time is up to a millisecond late. For that the process keeps at most 8 file
// descriptors, however many timers it has; if it gets none, timers are plain ones.
//
// That an unread tick is dropped rests on the timers of Go 1.23 and later; a
// program that sets GODEBUG=asynctimerchan=1 can receive a stale one.
func System() Clock { return system{} }

type system struct{}

func (system) Now() time.Time { return time.Now() }

// Since returns Now().Sub(t) at a little more than half the cost, because it does not read the
// wall clock.
func (system) Since(t time.Time) time.Duration { return time.Since(t) }

func (system) NewTimer(d time.Duration) Timer {
	t := &systemTimer{timer: time.NewTimer(d)}
	t.nudge.after(d)
	return t
}

func (system) String() string { return "system clock" }

// systemTimer is a Go timer, and what makes it be on time.
type systemTimer struct {
	timer *time.Timer
	mu    sync.Mutex // so that the nudge is for the Reset that came last
	nudge nudge
}

func (t *systemTimer) C() <-chan time.Time { return t.timer.C }

func (t *systemTimer) Reset(d time.Duration) {
	t.mu.Lock()
	t.timer.Reset(d)
	t.nudge.after(d)
	t.mu.Unlock()
}

// Stop leaves the nudge alone: without a timer that is due it does nothing.
func (t *systemTimer) Stop() { t.timer.Stop() }
