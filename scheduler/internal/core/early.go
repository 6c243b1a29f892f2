package core

import (
	"fmt"
	"time"

	"example.com/fairlead/scheduler/internal/durations"
)

// Early says why a call has ended, if that is not what its function returned. Package scheduler makes an error of one of its
// own types from it.
type Early struct {
	Reason Reason
	Cause  error // Caused: the reason itself

	Wait    time.Duration // TooLate, QueueFull, WouldWait: the estimated wait
	Left    time.Duration // TooLate, WouldWait: the time left until the deadline, or until MaxWait ends
	MaxWait time.Duration // WouldWait: that of the call; 0: NoWait
	RetryAt time.Time     // TooLate, QueueFull, WouldWait: when its turn would come; zero if that is not known

	Queued int    // QueueFull: how many calls were queued
	Most   int    // QueueFull: MaxQueued; Deadlock: MaxInFlight; TooManyKeys: MaxKeys
	Key    string // QueueFull, Deadlock: the key whose bound it is, or ""
	First  string // WouldWait: the first thing that the call would have to wait for: "later", "hold", "queue", "tokens" or "slot"; TooLate: "later" or ""
	Outer  uint64 // Deadlock: the number of the call inside which this one was made

	Attempts int   // how many attempts have failed
	Last     error // the latest one's error; nil if there was none

	Public error // the error that package scheduler has made of it, or nil
}

// Reason says why a call ended early.
type Reason uint8

const (
	Caused      Reason = iota // by Cause: a canceled context or handle, or a cost that can never be granted
	Closed                    // the scheduler does not take it, or was closed while it waited
	TooLate                   // its turn would come after its deadline
	QueueFull                 // the queue had no room
	WouldWait                 // it would have to wait longer than its MaxWait allows
	Deadlock                  // it was made inside a call, and could never get a slot
	TooManyKeys               // its key is new, and MaxKeys are remembered
)

// EndEarly returns e as an error, with the failed attempts of c. If none has failed and e has only a
// Cause, EndEarly returns the Cause.
func EndEarly(e Early, c *Call) error {
	if e.Last = c.LastErr(); e.Last != nil {
		e.Attempts = int(c.Attempts)
	} else if e.Reason == Caused {
		return e.Cause
	}
	return &e
}

// Error returns the text of the error that package scheduler makes of e.
func (e *Early) Error() string {
	if e.Last == nil {
		return e.text()
	}
	if e.Reason == TooLate {
		return e.text() + fmt.Sprintf(" (last attempt: %v)", e.Last)
	}
	return fmt.Sprintf("%s (attempts made: %d, the last failed with: %v)", e.text(), e.Attempts, e.Last)
}

func (e *Early) text() string {
	switch e.Reason {
	case Closed:
		return "scheduler is closed"
	case TooLate:
		if e.First == "later" {
			return fmt.Sprintf("scheduler: the call is to arrive only after its context's deadline, which is in %v: give it an earlier NotBefore or Delay, or allow more time", durations.Down(e.Left))
		}
		return fmt.Sprintf("scheduler: the call would have to wait %v, but the context's deadline is in %v: allow more time or call later", durations.Up(e.Wait), durations.Down(e.Left))
	case QueueFull:
		calls, wait := "calls", "wait"
		if e.Queued == 1 {
			calls, wait = "call", "waits"
		}
		of, bound := "", "MaxQueued"
		if e.Key != "" {
			of, bound = fmt.Sprintf(" of the key %q", e.Key), "PerKey.MaxQueued"
		}
		return fmt.Sprintf("scheduler: queue is full: %d %s%s %s, %s is %d, and this one would have had to wait about %v: call later or give it a higher priority", e.Queued, calls, of, wait, bound, e.Most, durations.Round(e.Wait))
	case WouldWait:
		return "scheduler: the call " + e.wouldWait()
	case TooManyKeys:
		return fmt.Sprintf("scheduler: too many keys: %d are remembered, as many as PerKey.MaxKeys allows, and each has calls, a budget that is not full, or settings: use fewer keys or allow more", e.Most)
	case Deadlock:
		slots, remedy := "all slots (MaxInFlight", "a scheduler"
		if e.Key != "" {
			slots, remedy = fmt.Sprintf("all slots of the key %q (PerKey.MaxInFlight", e.Key), "a key"
		}
		return fmt.Sprintf("scheduler: deadlock: the call was made inside call %d and needs a slot of its own, but %s is %d) are held by calls that wait for calls made inside them: give the inner calls %s of their own", e.Outer, slots, e.Most, remedy)
	}
	return e.Cause.Error()
}

// wouldWait says what a call would have to do because of which it has ended.
func (e *Early) wouldWait() string {
	const remedy = "allow more or call later"
	switch {
	case e.MaxWait == 0:
		return "would have to wait " + e.obstacle()
	case e.Left <= 0:
		return fmt.Sprintf("has waited %v, as long as its MaxWait allows, and would have to wait %s: %s", durations.Down(e.MaxWait), e.obstacle(), remedy)
	case e.Left < e.MaxWait:
		return fmt.Sprintf("would have to wait another %v, but of its MaxWait of %v only %v is left: %s", durations.Up(e.Wait), durations.Down(e.MaxWait), durations.Down(e.Left), remedy)
	}
	arrives := e.Left - e.MaxWait
	after := ""
	if arrives > 0 {
		after = " after its arrival"
	}
	return fmt.Sprintf("would have to wait %v%s, but its MaxWait is %v: %s", durations.Up(e.Wait-arrives), after, durations.Down(e.MaxWait), remedy)
}

// obstacle says for what a call would have to wait, and until when if that is known.
func (e *Early) obstacle() string {
	what := ""
	switch e.First {
	case "later":
		return fmt.Sprintf("about %v, since it has a NotBefore or Delay: give it that or NoWait", durations.Round(e.Wait))
	case "tokens":
		return fmt.Sprintf("about %v for its tokens", durations.Round(e.Wait))
	case "hold":
		what = "for the end of a hold or pause"
	case "queue":
		what = "for the calls ahead of it"
	case "slot":
		what = "for a slot: MaxInFlight calls run"
	}
	if e.Wait <= 0 {
		return what
	}
	return fmt.Sprintf("%s; its tokens will be there in about %v", what, durations.Round(e.Wait))
}
