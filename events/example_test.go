package events_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"example.com/fairlead/events"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

// A program prints what goes wrong with its calls, and nothing else.
func Example() {
	s, err := scheduler.New(scheduler.Config{Retry: retry.Policy{MaxRetries: 1, Initial: time.Millisecond, Jitter: retry.None}})
	if err != nil {
		panic(err)
	}
	trouble, done := s.Subscribe(events.Of(events.Retrying, events.Exhausted)), make(chan struct{})
	go func() {
		defer close(done)
		for ev := range trouble.C { // until the scheduler is closed
			fmt.Println(ev.Kind, ev.Name, ev.Attempt, ev.Err)
		}
	}()

	refuse := func(context.Context) error { return retry.Transient(errors.New("503 Service Unavailable")) }
	_ = s.Do(context.Background(), refuse, scheduler.Name("ping"))
	s.Close()
	<-done
	// Output:
	// retrying ping 1 503 Service Unavailable
	// exhausted ping 2 retry: retries exhausted: 2 attempts failed, 1ms waited in between, the last with: 503 Service Unavailable
}

// A publisher checks which kinds have a subscriber before it makes an event.
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

// A subscription whose buffer is full loses the oldest events. The next event says how many.
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

// Some kinds end a call, and each call has exactly one event of these.
func ExampleKind() {
	for _, kind := range []events.Kind{events.Granted, events.Retrying, events.Exhausted, events.Refused} {
		fmt.Println(kind, kind.Ends())
	}
	// Output:
	// granted false
	// retrying false
	// exhausted true
	// refused true
}

// A set may be all kinds except some.
func ExampleKinds() {
	quiet := events.All &^ events.Of(events.Queued, events.Granted, events.Started)
	fmt.Println(quiet.Has(events.Queued), quiet.Has(events.Held))
	// Output: false true
}

func ExampleOf() {
	trouble := events.Of(events.Retrying, events.Exhausted)
	trouble |= events.Of(events.Held) // sets are joined
	fmt.Println(trouble.Has(events.Held), trouble.Has(events.Succeeded))
	// Output: true false
}

// A subscription may be closed inside the loop that reads it. The events in its buffer can
// still be read.
func ExampleSubscription_Close() {
	var h events.Hub
	sub := h.Subscribe(events.All, 0)
	for call := range uint64(3) {
		h.Publish(events.Event{Kind: events.Succeeded, Call: call + 1, Attempt: 1, MaxAttempts: 6})
	}
	for ev := range sub.C {
		sub.Close()
		fmt.Println(ev)
	}
	// Output:
	// call 1 succeeded: attempt 1 of 6
	// call 2 succeeded: attempt 1 of 6
	// call 3 succeeded: attempt 1 of 6
}

// Times can be added up. The mean of many calls shows where their time goes.
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

// Total is the call's time from arrival to end, so the rest is the time that it waited.
func ExampleTimes_Total() {
	t := events.Times{Queue: 2 * time.Second, Tokens: time.Second, Run: 200 * time.Millisecond}
	fmt.Printf("%v of %v\n", t.Total()-t.Run, t.Total())
	// Output: 3s of 3.2s
}

// An event in JSON can be written to a file or sent to another program.
func ExampleEvent_MarshalJSON() {
	text, err := json.Marshal(events.Event{
		Kind: events.Retrying, Call: 7, Name: "ping", Attempt: 2, MaxAttempts: 6,
		Available: 93, Delay: time.Second, Err: errors.New("503 Service Unavailable"),
	})
	fmt.Println(string(text), err)
	// Output: {"kind":"retrying","call":7,"name":"ping","attempt":2,"max_attempts":6,"available":93,"delay":1000000000,"err":"503 Service Unavailable"} <nil>
}

// Package slog writes an event as a group.
func ExampleEvent_LogValue() {
	log := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		},
	}))
	log.Info("a call has ended", "event", events.Event{Kind: events.Succeeded, Call: 7, Attempt: 1, MaxAttempts: 6, Available: 93})
	// Output: level=INFO msg="a call has ended" event.kind=succeeded event.call=7 event.attempt=1 event.max_attempts=6 event.available=93
}

// A program's configuration names the kinds of events that it wants.
func ExampleKind_UnmarshalText() {
	var cfg struct{ Kinds []events.Kind }
	err := json.Unmarshal([]byte(`{"kinds":["retrying","rate_changed"]}`), &cfg)
	fmt.Println(cfg.Kinds, err)
	// Output: [retrying rate changed] <nil>
}
