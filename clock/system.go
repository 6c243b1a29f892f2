package clock

import (
	"sync"
	"time"
)

// System returns the clock of package time.
//
// Now has a monotonic reading, so a change of the wall clock does not affect the difference of two
// instants. A timer that is no longer referenced is garbage collected, stopped or not. In a
// testing/synctest bubble, System returns the bubble's time.
//
// In an idle process, a timer of package time is up to a millisecond late. On Linux, a timer of this
// clock is on time if it waits for 100 ms or less. For that the process opens at most 8 file
// descriptors, however many timers it has. If it can't open them, timers work as elsewhere. [Plain]
// returns a clock that does not open them.
//
// With GODEBUG=asynctimerchan=1, a program may receive a stale tick after Reset or Stop.
func System() Clock { return system{} }

// Plain returns a clock as [System] does, but its timers are those of package time and nothing more. In
// an idle process they are up to a millisecond late. Use it where the process may not open file
// descriptors, for example under a seccomp filter that ends it.
func Plain() Clock { return system{plain: true} }

type system struct {
	plain bool // timers have no alarm
}

func (system) Now() time.Time { return time.Now() }

// Since returns Now().Sub(t). It costs about half as much, because it does not read the wall clock.
func (system) Since(t time.Time) time.Duration { return time.Since(t) }

func (s system) NewTimer(d time.Duration) Timer {
	t := &systemTimer{timer: time.NewTimer(d), plain: s.plain}
	t.wakeAfter(d)
	return t
}

// AfterFunc is found by [AfterFunc].
func (system) AfterFunc(d time.Duration, f func()) (stop func() bool) {
	return time.AfterFunc(d, f).Stop
}

func (s system) String() string {
	if s.plain {
		return "plain system clock"
	}
	return "system clock"
}

// systemTimer is a Go timer with an alarm that makes it tick on time.
type systemTimer struct {
	timer *time.Timer
	mu    sync.Mutex // makes the alarm be that of the latest Reset
	alarm alarmUse
	plain bool
}

func (t *systemTimer) C() <-chan time.Time { return t.timer.C }

func (t *systemTimer) Reset(d time.Duration) {
	t.mu.Lock()
	t.timer.Reset(d)
	t.wakeAfter(d)
	t.mu.Unlock()
}

func (t *systemTimer) wakeAfter(d time.Duration) {
	if !t.plain {
		t.alarm.wakeAfter(d)
	}
}

// Stop leaves the alarm set, because an alarm does nothing if no timer is due.
func (t *systemTimer) Stop() { t.timer.Stop() }
