package clocktest

import (
	"fmt"
	"runtime"
	"time"
)

// Syncer is something that runs on a clock and can say where it stands, such as
// a scheduler.
type Syncer interface {
	// Sync returns when all that was sent to the Syncer before the call, and all
	// that is due by now, has been handled. It returns the instant at which it
	// wants to be woken next, which is after now; ok is false if there is none.
	Sync() (next time.Time, ok bool)
}

// Advance moves a mock by d, stopping at each instant at which s has something
// to do until s has done it. It is for tests that cannot run in a bubble; if
// yours can, use [Run]. Each stop takes a few milliseconds of real time.
//
// Advance sees what s sees. Functions that still run on other goroutines when
// Sync returns are not waited for: what they go on to ask of s is handled at
// whatever instant the mock has reached by then. A test whose calls do
// more than return has to wait for them itself, by a channel, before it moves on.
//
// It panics if d is negative, and if s keeps asking to be woken at an instant
// that has come already.
func Advance(s Syncer, mock *Mock, d time.Duration) {
	target := mock.Now().Add(d)
	for {
		next, ok := upcoming(s, mock)
		if !ok || !next.Before(target) {
			break
		}
		mock.Set(next)
	}
	mock.Set(target)
	upcoming(s, mock)
}

// patience is how often a Syncer may ask for an instant that has come already.
// One or two happen when its owner is overtaken by another goroutine.
const patience = 100

// upcoming syncs until what s asks for is in the future.
func upcoming(s Syncer, mock *Mock) (next time.Time, ok bool) {
	for range patience {
		if next, ok = s.Sync(); !ok || next.After(mock.Now()) {
			return next, ok
		}
		runtime.Gosched()
	}
	panic(fmt.Sprintf("clocktest: Advance cannot go on: Sync keeps asking to be woken at %v, and it is %v already", next, mock.Now()))
}
