// Package events tells what happens to calls, on channels that never hold up
// the one who tells.
//
// A [Hub] publishes; a [Subscription] is a bounded channel of the kinds of events
// that somebody asked for. Ranging over it is all there is to do:
//
//	sub := s.Subscribe(events.Retrying, events.Exhausted)
//	defer sub.Close()
//	for ev := range sub.C {
//		fmt.Println(ev)
//	}
//
// # Properties
//
//  1. One order. Every event has a sequence number, and all subscriptions see
//     events in that order; those of one call come in the order of its life.
//  2. Never blocked. A subscriber that is a full buffer behind loses the older half of
//     it, and the next event says how many: [Event.Missed]. If it reads at that very
//     moment it may lose more, and hear of it an event later; none goes untold.
//  3. Nothing but news. Outcomes are never only in events: whoever made the call
//     gets its result, whatever happens to the event.
//  4. Complete at the ends. A subscription sees all events of its kinds from the
//     moment it is made until it is closed. Its channel is then closed, and what
//     was in it can still be read.
package events

import (
	"fmt"
	"strings"
	"time"

	"example.com/fairlead/events/internal/safetext"
)

// Event is one thing that happened. Fields that mean nothing for its Kind are zero.
type Event struct {
	Seq    uint64    // numbers the events of one hub, from 1, without gaps
	Missed uint64    // how many events this subscription lost before this one and has not told of: see property 2
	At     time.Time // when it happened, by the scheduler's clock
	Kind   Kind

	Call        uint64 // the call's number, in order of arrival; Held: the call whose answer was the reason; 0 for Refused and for what is about the scheduler otherwise
	Name        string // the name its caller gave it
	Attempt     int    // the attempt it is about, from 1
	MaxAttempts int    // the most attempts its policy allows
	Budget      string // the name of the budget that Cost and Available are of: of several, the first by name; "" if there is but one
	Cost        int64  // tokens an attempt of it pays

	Available int64         // tokens in the budget, after what happened; negative in debt
	Position  int           // Queued: its place in the queue, from 1
	Wait      time.Duration // Queued: the estimated wait for its tokens
	Delay     time.Duration // Retrying: the wait until it queues again; Held: how long it lasts
	Until     time.Time     // Retrying, Held: At plus Delay; Paused: when the pause ends, if that is known
	Err       error         // what the attempt or the call ended with
	Rate      float64       // RateChanged: the part of the configured rate that is in force from now on
	Times     Times         // the events that end a call: what it has spent its time on
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
	case Held:
		fmt.Fprintf(&b, ": no grant for %v", readable(e.Delay))
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

// tokens is an amount in the event's budget, such as "1 token", or "59 requests".
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

// readable rounds a duration to what a person reads.
func readable(d time.Duration) time.Duration {
	if d >= time.Second {
		return d.Round(time.Millisecond)
	}
	return d.Round(time.Microsecond)
}
