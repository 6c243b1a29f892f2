package scheduler

import (
	"fmt"
	"time"
)

// early says why a call ended before its function returned a final result: the front door makes the
// error of the call of it. The core has no errors of its own.
type early struct {
	reason reason
	cause  error // caused: the reason itself

	wait time.Duration // tooLate, queueFull, wouldWait: the estimated wait
	left time.Duration // tooLate: the time left until the deadline

	queued int    // queueFull: how many calls were queued
	most   int    // queueFull: MaxQueued; deadlock: MaxInFlight
	first  string // wouldWait: the first thing that the call would have to wait for
	outer  uint64 // deadlock: the number of the call inside which this one was made

	attempts int   // how many attempts have failed
	last     error // the latest one's error; nil if there was none

	public error // the error that the front door has made of it, or nil
}

// reason says why a call ended early.
type reason uint8

const (
	caused    reason = iota // by the caller, or a cost that can never be granted
	closed                  // the scheduler does not take it, or was closed while it waited
	tooLate                 // its turn would come after its deadline
	queueFull               // the queue had no room
	wouldWait               // it would have to wait, and has NoWait
	deadlock                // it was made inside a call, and could never get a slot
)

// endEarly returns e with the attempts that c has made so far.
func endEarly(e early, c *coreCall) error {
	if e.last = c.lastErr(); e.last != nil {
		e.attempts = len(c.detail.earlier) + 1
	} else if e.reason == caused {
		return e.cause
	}
	return &e
}

// Error returns the text of the error that the front door makes of e.
func (e *early) Error() string {
	if e.last == nil {
		return e.text()
	}
	if e.reason == tooLate {
		return e.text() + fmt.Sprintf(" (last attempt: %v)", e.last)
	}
	return fmt.Sprintf("%s (attempts made: %d, the last failed with: %v)", e.text(), e.attempts, e.last)
}

func (e *early) text() string {
	switch e.reason {
	case closed:
		return "scheduler is closed"
	case tooLate:
		return fmt.Sprintf("would have to wait %v, but the context's deadline is in %v: allow more time or call later", e.wait, e.left)
	case queueFull:
		return fmt.Sprintf("queue is full: %d calls wait, MaxQueued is %d, and this one would have had to wait about %v: call later or give it a higher priority", e.queued, e.most, readable(e.wait))
	case wouldWait:
		what := e.first
		switch e.first {
		case "hold":
			what = "the end of a hold or pause"
		case "queue":
			what = "the calls ahead of it"
		case "slot":
			what = "a slot: MaxInFlight calls run"
		}
		return fmt.Sprintf("call would have to wait for %s; its tokens will be there in about %v", what, readable(e.wait))
	case deadlock:
		return fmt.Sprintf("scheduler: deadlock: the call was made inside call %d and needs a slot of its own, but all slots (MaxInFlight is %d) are held by calls that wait for calls made inside them: give the inner calls a scheduler of their own", e.outer, e.most)
	}
	return e.cause.Error()
}

// readable rounds a duration for people.
func readable(d time.Duration) time.Duration {
	if d >= time.Second {
		return d.Round(time.Millisecond)
	}
	return d.Round(time.Microsecond)
}
