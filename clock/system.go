package clock

import "time"

// System returns the clock of package time.
//
// Now carries a monotonic reading, so differences between two instants survive
// a change of the wall clock. A timer that is no longer referenced is collected,
// stopped or not. Inside a testing/synctest bubble the clock is the bubble's.
//
// That an unread tick is dropped rests on the timers of Go 1.23 and later; a
// program that sets GODEBUG=asynctimerchan=1 can receive a stale one.
func System() Clock { return system{} }

type system struct{}

func (system) Now() time.Time { return time.Now() }

func (system) NewTimer(d time.Duration) Timer { return systemTimer{time.NewTimer(d)} }

func (system) String() string { return "system clock" }

type systemTimer struct{ timer *time.Timer }

func (t systemTimer) C() <-chan time.Time   { return t.timer.C }
func (t systemTimer) Reset(d time.Duration) { t.timer.Reset(d) }
func (t systemTimer) Stop()                 { t.timer.Stop() }
