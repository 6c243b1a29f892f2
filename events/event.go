// Package events reports what happens to calls, on channels that never block the
// scheduler.
//
// A [Hub] publishes. A [Subscription] is a bounded channel that delivers the kinds of
// events it was made for:
//
//	sub := s.Subscribe(events.Of(events.Retrying, events.Exhausted))
//	defer sub.Close()
//	for ev := range sub.C {
//		fmt.Println(ev)
//	}
//
// # Properties
//
//  1. One order. Every event has a sequence number, and all subscriptions see events
//     in that order. The events of one call come in the order in which they happened.
//  2. Never blocked. When its buffer is full, a subscription loses the older half of it,
//     and [Event.Missed] of the next event says how many. If the subscriber reads at that
//     moment, it may lose more, and a later event reports those.
//  3. Nothing but news. Outcomes are never only in events. The caller gets the result of
//     its call even if the event is lost.
//  4. No gaps at the ends. A subscription sees all events of its kinds from the moment
//     it is made until it is closed. Its channel is then closed, and the events in its
//     buffer can still be read.
package events

import (
	"fmt"
	"strings"
	"time"

	"example.com/fairlead/events/internal/safetext"
)

// Event is one thing that happened. Fields without a meaning for its Kind are zero.
type Event struct {
	Seq    uint64    // the event's number in its hub, from 1, without gaps
	Missed uint64    // events that this subscription lost before this one and that no earlier event reported (property 2)
	At     time.Time // when it happened, by the scheduler's clock
	Kind   Kind

	Call        uint64 // the call's number, in order of arrival; for Held that of the call whose error asked for the wait; 0 for Refused and other events of the scheduler
	Name        string // the name that the caller gave the call
	Key         string // the call's key, or ""; for Held the only key that is held, or "" if all calls are
	Attempt     int    // the number of the attempt, from 1
	MaxAttempts int    // how many attempts the call's policy allows
	Budget      string // the budget of Cost and Available; if the call pays from several, the first by name of those that all keys share; "" if the scheduler has one budget
	Cost        int64  // tokens that an attempt of the call pays

	Available int64         // tokens in the budget afterwards; negative in debt
	Position  int           // Queued: the call's place in the queue of its key, from 1
	Wait      time.Duration // Queued: the estimated wait for the call's tokens
	Delay     time.Duration // Retrying: the wait until the call is queued again; Later: until it arrives; Held: the length of the hold
	Until     time.Time     // Retrying, Later, Held: At plus Delay; Paused: the end of the pause, if known
	Err       error         // the error of the attempt or the call
	Rate      float64       // RateChanged: the new rate, as a fraction of the configured one
	Times     Times         // what the call spent its time on; only in the event that ends it
}

// String returns one line without the time and without control characters, such as
//
//	call 7 "ping" retrying: attempt 2 of 6 failed, next in 1.9s, 93 tokens left: 503 Service Unavailable
func (e Event) String() string {
	var b strings.Builder
	if e.Call != 0 {
		fmt.Fprintf(&b, "call %d ", e.Call)
	}
	if e.Name != "" {
		fmt.Fprintf(&b, "%q ", e.Name)
	}
	if e.Key != "" {
		fmt.Fprintf(&b, "of key %q ", e.Key)
	}
	b.WriteString(e.Kind.String())
	switch e.Kind {
	case Queued:
		fmt.Fprintf(&b, ": position %d, about %v to wait", e.Position, readable(e.Wait))
	case Granted:
		fmt.Fprintf(&b, ": attempt %d of %d for %s, %s left", e.Attempt, e.MaxAttempts, e.tokens(e.Cost), e.tokens(e.Available))
	case Started, Succeeded:
		fmt.Fprintf(&b, ": attempt %d of %d", e.Attempt, e.MaxAttempts)
	case Retrying:
		fmt.Fprintf(&b, ": attempt %d of %d failed, next in %v, %s left", e.Attempt, e.MaxAttempts, readable(e.Delay), e.tokens(e.Available))
	case Later:
		fmt.Fprintf(&b, ": arrives in %v", readable(e.Delay))
	case Held:
		whom := ""
		if e.Key != "" {
			whom = " to that key"
		}
		fmt.Fprintf(&b, ": no grant%s for %v", whom, readable(e.Delay))
	case StoreReset:
		fmt.Fprintf(&b, ": no tokens for %v", readable(e.Delay))
	case RateChanged:
		fmt.Fprintf(&b, ": %.0f%% of what is configured", 100*e.Rate)
	case Paused:
		if !e.Until.IsZero() {
			fmt.Fprintf(&b, " for %v", readable(e.Until.Sub(e.At)))
		}
	}
	if e.Times != (Times{}) {
		fmt.Fprintf(&b, " after %v", e.Times)
	}
	if e.Err != nil {
		b.WriteString(": " + safetext.Line(safetext.Error(e.Err)))
	}
	if e.Missed > 0 {
		fmt.Fprintf(&b, " (%s missed before this one)", count(e.Missed, "event"))
	}
	return b.String()
}

// tokens formats an amount in the event's budget, such as "1 token" or "59 requests".
func (e Event) tokens(n int64) string {
	if e.Budget == "" {
		return count(n, "token")
	}
	return fmt.Sprintf("%d %s", n, safetext.Line(e.Budget))
}

func count[N int64 | uint64](n N, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// readable rounds a duration to milliseconds, or to microseconds if it is below a second.
func readable(d time.Duration) time.Duration {
	if d >= time.Second {
		return d.Round(time.Millisecond)
	}
	return d.Round(time.Microsecond)
}
