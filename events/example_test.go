package events_test

import (
	"errors"
	"fmt"
	"time"

	"example.com/fairlead/events"
)

// Whoever publishes asks first what is wanted, and makes no event for nobody.
func ExampleHub() {
	var h events.Hub
	fmt.Println("wanted:", h.Wanted().Has(events.Started))

	sub := h.Subscribe(events.Of(events.Started), 0)
	fmt.Println("wanted:", h.Wanted().Has(events.Started))

	h.Publish(events.Event{Kind: events.Started, Call: 1, Attempt: 1, MaxAttempts: 6})
	h.Publish(events.Event{Kind: events.Succeeded, Call: 1, Attempt: 1, MaxAttempts: 6})
	h.Close()
	for ev := range sub.C {
		fmt.Println(ev)
	}
	// Output:
	// wanted: false
	// wanted: true
	// call 1 started: attempt 1 of 6
}

// A subscriber that is a full buffer behind loses the oldest events, and is told
// how many.
func ExampleSubscription() {
	var h events.Hub
	sub := h.Subscribe(events.All, 4)
	for call := range uint64(6) {
		h.Publish(events.Event{Kind: events.Succeeded, Call: call + 1, Attempt: 1, MaxAttempts: 1})
	}
	sub.Close()
	for ev := range sub.C {
		fmt.Println(ev)
	}
	// Output:
	// call 3 succeeded: attempt 1 of 1 (2 events missed before this one)
	// call 4 succeeded: attempt 1 of 1
	// call 5 succeeded: attempt 1 of 1
	// call 6 succeeded: attempt 1 of 1
}

func ExampleEvent() {
	fmt.Println(events.Event{
		Kind: events.Retrying, Call: 7, Name: "ping", Attempt: 2, MaxAttempts: 6,
		Delay: 1900 * time.Millisecond, Available: 93, Err: errors.New("503 Service Unavailable"),
	})
	// Output: call 7 "ping" retrying: attempt 2 of 6 failed, next in 1.9s, 93 tokens left: 503 Service Unavailable
}

func ExampleKinds() {
	trouble := events.Of(events.Retrying, events.Held)
	fmt.Println(trouble.Has(events.Held), trouble.Has(events.Queued))
	quiet := events.All &^ trouble
	fmt.Println(quiet.Has(events.Held), quiet.Has(events.Queued))
	// Output:
	// true false
	// false true
}

// Times add up: so the mean of many calls says where their time goes.
func ExampleTimes() {
	calls := []events.Times{
		{Queue: 2 * time.Second, Tokens: time.Second, Run: 200 * time.Millisecond},
		{Slot: time.Second, Run: 800 * time.Millisecond},
	}
	var all events.Times
	for _, t := range calls {
		all = all.Plus(t)
	}
	fmt.Println(calls[0])
	fmt.Println(all.Over(len(calls)))
	// Output:
	// 3.2s (queue 2s, tokens 1s, run 200ms)
	// 2.5s (queue 1s, tokens 500ms, slot 500ms, run 500ms)
}
