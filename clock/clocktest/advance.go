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

// Runner is a [Syncer] that runs functions on any goroutine, such as a scheduler.
type Runner interface {
	Syncer

	// Running returns how many functions have been started, or are about to be, and have not returned. It also returns
	// how many timers the Runner has set for itself. Before it answers, the Runner handles all that was sent to it before
	// the call and all that is due by now.
	Running() (functions, timers int)
}

// Advance moves a mock by d. It stops at each instant at which s, or a timer of the mock, has something to do. There, and
// before and after, it waits in real time until all that is due has been done and the functions that s runs have returned.
// It does not wait for a function that waits for a timer of the mock. Each stop takes a few milliseconds. Advance is for
// tests that cannot run in a bubble. If yours can, use [Run].
//
// If a function has not returned after 10 s of real time, Advance panics, with a text that says what to do. A function
// that waits for the test must be let go before. One that waits for time must use [Mock.Sleep] or [Mock.NewTimer]. Where
// the function must go on running, move the mock by [Mock.Add]. A context of the mock does not count as a timer here.
//
// Advance knows the functions of s and no other goroutines. It does not wait for the holder of a reservation, such as a
// request of ratehttp's, nor for what the test does when a call has ended. Use [AdvanceUntil] for those. Give each test a
// mock of its own: for every timer that no function waits for, such as a ticker's or another scheduler's, Advance waits
// for one function too few. A function that sets several timers at once should do so without work in between: Advance
// looks twice, a millisecond apart. A function that waits for a call made inside it, with its context, waits as that
// call does.
//
// It panics if d is negative, if it finds that s is on another clock, and if s keeps asking to be woken at an instant that has come already.
func Advance(s Syncer, mock *Mock, d time.Duration) {
	if d < 0 {
		panic(fmt.Sprintf("clocktest: Advance(%v) would move the clock back: that is what Rewind is for", d))
	}
	never := func() bool { return false }
	target := mock.Now().Add(d)
	for {
		next, ok := quiet(s, mock, never)
		if !ok || !next.Before(target) {
			break
		}
		mock.Set(next)
	}
	mock.Set(target)
	quiet(s, mock, never)
}

// AdvanceUntil moves a mock from one instant to the next, as [Advance] does, until done returns true. It calls done
// before each move. While functions run or nothing is due, it calls done every millisecond, so it also sees what
// happens on other goroutines. How far the mock has moved is not exact if something that s does not know of takes real
// time.
// It panics if nothing has been due for 10 s of real time, and if done is still false after a minute of it.
func AdvanceUntil(s Syncer, mock *Mock, done func() bool) {
	if done == nil {
		panic("clocktest: AdvanceUntil(nil): pass a function that reports whether the test has what it waits for")
	}
	from, began := mock.Now(), time.Now()
	for moved := began; !done(); {
		next, ok := quiet(s, mock, done)
		switch {
		case done():
			return
		case time.Since(began) > longestUntil:
			panic(fmt.Sprintf("clocktest: AdvanceUntil has moved the mock by %v in %v of real time, and done is still false: "+
				"look whether it can become true", mock.Now().Sub(from), longestUntil))
		case ok:
			mock.Set(next)
			moved = time.Now()
		case time.Since(moved) > longestRun:
			panic(fmt.Sprintf("clocktest: AdvanceUntil: it is %v, nothing is due any more, and done has been false for %v of real time: "+
				"look whether it can become true", mock, longestRun))
		default:
			time.Sleep(longestPause)
		}
	}
}

// These are bounds in real time.
const (
	longestRun   = 10 * time.Second // of a function, at one instant
	longestUntil = time.Minute      // of AdvanceUntil
	longestPause = time.Millisecond // between two looks
)

// quiet waits until all that is due now is done, or until enough returns true. It returns when something is due next.
func quiet(s Syncer, mock *Mock, enough func() bool) (next time.Time, ok bool) {
	r, runs := s.(Runner)
	if !runs {
		r = sleeper{s}
	}
	began, pause := time.Now(), time.Duration(0)
	seen := 0 // timers of functions, at the look before
	for {
		// Running is asked before Sync, so that Sync knows what the last function has sent. If the number of timers has
		// changed meanwhile, the two answers are of different states.
		before, _ := mock.timers.after(mock.Now())
		functions, own := r.Running()
		next, ok = upcoming(s, mock)
		timers, first := mock.timers.after(mock.Now())
		if timers > 0 && (!ok || first.Before(next)) {
			next, ok = first, true
		}
		waiting := timers - own
		if enough() {
			return next, ok
		}
		if timers == before && waiting >= 0 && functions <= waiting {
			if functions == 0 || waiting == seen {
				return next, ok
			}
			seen, pause = waiting, longestPause // a function may be about to set more than one timer
		}
		if time.Since(began) > longestRun {
			if waiting < 0 {
				panic("clocktest: the scheduler has set a timer that is not the mock's: pass the mock as Config.Clock")
			}
			panic(unreturned(mock, functions-waiting))
		}
		time.Sleep(pause)
		pause = min(pause+10*time.Microsecond, longestPause)
	}
}

// sleeper is a Syncer that runs no function.
type sleeper struct{ Syncer }

func (sleeper) Running() (functions, timers int) { return 0, 0 }

// unreturned returns a text that says what to do about functions that don't return.
func unreturned(mock *Mock, functions int) string {
	have := "functions have"
	if functions == 1 {
		have = "function has"
	}
	return fmt.Sprintf("clocktest: it is %v, and %d %s not returned for %v of real time: a function that waits for the test has to be "+
		"let go before Advance; one that waits for time has to use Mock.Sleep or Mock.NewTimer, and no context of the mock; "+
		"where a function must go on running, move the mock by Mock.Add", mock, functions, have, longestRun)
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
