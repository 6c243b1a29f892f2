package clocktest

import (
	"fmt"
	"runtime"
	"time"
)

// Syncer is something that runs on a clock and can report when it has work to do next, such as a
// scheduler.
type Syncer interface {
	// Sync waits until the Syncer has handled all that was sent to it before the call and all that
	// is due by now. It returns the next instant at which the Syncer has work to do, which is after
	// now; ok is false if there is none.
	Sync() (next time.Time, ok bool)
}

// Runner is a [Syncer] that runs functions on other goroutines, such as a scheduler.
type Runner interface {
	Syncer

	// Running returns how many functions have been started, or are about to be, and have not
	// returned. It also returns how many timers the Runner has set for itself. Before it answers,
	// the Runner handles all that was sent to it before the call and all that is due by now.
	Running() (functions, timers int)
}

// Advance moves a mock by d, for tests that cannot run in a bubble. If yours can, use [Run].
//
// Advance stops at each instant at which s or a timer of the mock is due. At each stop it waits, in
// real time, until all that is due is done and the functions that s runs have returned. It does not
// wait for a function that waits for a timer of the mock. Each stop takes a few milliseconds.
//
// If a function has not returned after 10 s of real time, Advance panics. Release a function that
// waits for the test before calling Advance. In a function that waits for time, use [Mock.Sleep] or
// [Mock.NewTimer]; a context of the mock does not count as a timer here, and neither does that of a
// scheduler's AttemptTimeout. While a function has to keep
// running, move the mock by [Mock.Add].
//
// Advance knows only the functions of s, and no other goroutines. It does not wait for the holder of
// a reservation, such as a request of ratehttp's, nor for what the test does after a call has ended.
// For those, use [AdvanceUntil].
//
// Advance assumes that each timer of the mock belongs to a function of s that waits for it. So give each test its own
// mock, and make no other timers with it, such as a ticker's or another scheduler's. A function that
// sets several timers at once must not work in between, because Advance looks only twice, a
// millisecond apart. A function that waits for a call made inside it, with its context, counts as
// waiting if that call does.
//
// Advance panics if d is negative, if s is on another clock, or if Sync keeps returning an instant
// that has passed.
func Advance(s Syncer, mock *Mock, d time.Duration) {
	if d < 0 {
		panic(fmt.Sprintf("clocktest: Advance(%v) would move the clock back: use Rewind for that", d))
	}
	never := func() bool { return false }
	target := mock.Now().Add(d)
	for {
		next, ok := waitIdle(s, mock, never)
		if !ok || !next.Before(target) {
			break
		}
		mock.Set(next)
	}
	mock.Set(target)
	waitIdle(s, mock, never)
}

// AdvanceUntil moves a mock from one instant to the next, as [Advance] does, until done returns true.
// It calls done before each move. While functions run or nothing is due, it calls done every
// millisecond, so it also sees what happens on other goroutines. If work that s does not know of
// takes real time, it is not exact how far the mock moves.
//
// AdvanceUntil panics if nothing has been due for 10 s of real time, or if done is still false after
// a minute.
func AdvanceUntil(s Syncer, mock *Mock, done func() bool) {
	if done == nil {
		panic("clocktest: AdvanceUntil(nil): pass a function that reports whether to stop")
	}
	from, began := mock.Now(), time.Now()
	for moved := began; !done(); {
		next, ok := waitIdle(s, mock, done)
		switch {
		case done():
			return
		case time.Since(began) > maxUntil:
			panic(fmt.Sprintf("clocktest: AdvanceUntil has moved the mock by %v in %v of real time, and done is still false: "+
				"check that it can become true", mock.Now().Sub(from), maxUntil))
		case ok:
			mock.Set(next)
			moved = time.Now()
		case time.Since(moved) > maxRun:
			panic(fmt.Sprintf("clocktest: AdvanceUntil: nothing is due, and done has been false for %v of real time (%v): "+
				"check that it can become true", maxRun, mock))
		default:
			time.Sleep(maxPause)
		}
	}
}

// Bounds in real time.
const (
	maxRun   = 10 * time.Second // for a function to return at one instant
	maxUntil = time.Minute      // for AdvanceUntil
	maxPause = time.Millisecond // between two looks
)

// waitIdle waits until all that is due now is done, or until stop returns true. It returns the next
// instant at which something is due.
func waitIdle(s Syncer, mock *Mock, stop func() bool) (next time.Time, ok bool) {
	r, runs := s.(Runner)
	if !runs {
		r = noFunctions{s}
	}
	began, pause := time.Now(), time.Duration(0)
	seen := 0 // timers of functions, at the previous look
	for {
		// Running is called before Sync, so that Sync also handles what the last function has sent.
		// If the number of timers changes meanwhile, the two answers do not belong together.
		before, _ := mock.timers.after(mock.Now())
		functions, own := r.Running()
		next, ok = nextDue(s, mock)
		timers, first := mock.timers.after(mock.Now())
		if timers > 0 && (!ok || first.Before(next)) {
			next, ok = first, true
		}
		waiting := timers - own
		if stop() {
			return next, ok
		}
		if timers == before && waiting >= 0 && functions <= waiting {
			if functions == 0 || waiting == seen {
				return next, ok
			}
			seen, pause = waiting, maxPause // a function may be about to set another timer
		}
		if time.Since(began) > maxRun {
			if waiting < 0 {
				panic("clocktest: the scheduler has set a timer that is not the mock's: pass the mock as Config.Clock")
			}
			panic(adviceOnRunning(mock, functions-waiting))
		}
		time.Sleep(pause)
		pause = min(pause+10*time.Microsecond, maxPause)
	}
}

// noFunctions makes a Runner of a Syncer that runs no functions.
type noFunctions struct{ Syncer }

func (noFunctions) Running() (functions, timers int) { return 0, 0 }

// adviceOnRunning returns a text that says what to do about functions that do not return.
func adviceOnRunning(mock *Mock, functions int) string {
	have := "functions have"
	if functions == 1 {
		have = "function has"
	}
	return fmt.Sprintf("clocktest: %d %s not returned for %v of real time (%v): release a function that waits for the test "+
		"before Advance; in one that waits for time, use Mock.Sleep or Mock.NewTimer, not a context of the mock; "+
		"while one has to keep running, move the mock by Mock.Add", functions, have, maxRun, mock)
}

// maxSyncs is how often a Syncer may ask for an instant that has passed. One or two times are normal,
// if its owner is overtaken by another goroutine.
const maxSyncs = 100

// nextDue calls Sync until s asks for an instant in the future.
func nextDue(s Syncer, mock *Mock) (next time.Time, ok bool) {
	for range maxSyncs {
		if next, ok = s.Sync(); !ok || next.After(mock.Now()) {
			return next, ok
		}
		runtime.Gosched()
	}
	panic(fmt.Sprintf("clocktest: Advance cannot go on: Sync keeps returning %v, and it is %v already", next, mock.Now()))
}
