package bykey_test

import (
	"encoding/json"
	"fmt"
	"time"

	"example.com/fairlead/events"
	"example.com/fairlead/events/bykey"
)

// The key that loads the scheduler most comes first. What the others waited for it is their Turn.
func Example() {
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	var sums bykey.Sums
	for i := range 1000 { // a loop over s.Subscribe(events.All).C in a program
		sums.Add(events.Event{At: noon, Kind: events.Queued, Call: uint64(i + 1), Key: "noisy"})
	}
	sums.Add(events.Event{At: noon, Kind: events.Queued, Call: 1001, Key: "acme"})
	sums.Add(events.Event{
		At: noon.Add(3 * time.Second), Kind: events.Succeeded, Call: 1001, Key: "acme",
		Times: events.Times{Queue: 2 * time.Second, Turn: 2 * time.Second, Run: time.Second},
	})
	for _, k := range sums.Report(10).Keys {
		fmt.Printf("%s: %d waiting, %d succeeded, on average after %v\n", k.Key, k.Waiting, k.Succeeded, k.Mean)
	}
	// Output:
	// noisy: 1000 waiting, 0 succeeded, on average after 0s
	// acme: 0 waiting, 1 succeeded, on average after 3s (queue 2s (turn 2s), run 1s)
}

// A program adds the events of its scheduler from a subscription.
func ExampleSums() {
	var hub events.Hub
	sub := hub.Subscribe(events.All, 16) // s.Subscribe(events.All) in a program
	hub.Publish(events.Event{Kind: events.Queued, Call: 1, Key: "acme"})
	hub.Publish(events.Event{Kind: events.Granted, Call: 1, Key: "acme", Cost: 1})
	hub.Close()

	var sums bykey.Sums
	for ev := range sub.C {
		sums.Add(ev)
	}
	fmt.Println(sums.Report(10).Keys[0].Running, "running")
	// Output: 1 running
}

// The mean of a key says what its calls have waited for. Here most of it was for calls of other keys.
func ExampleKey() {
	var sums bykey.Sums
	for i, waited := range []time.Duration{time.Second, 3 * time.Second} {
		sums.Add(events.Event{
			Kind: events.Succeeded, Call: uint64(i + 1), Key: "acme",
			Times: events.Times{Queue: waited + time.Second, Turn: waited, Run: time.Second},
		})
	}
	acme := sums.Report(1).Keys[0]
	fmt.Println(acme.Mean.Turn, "of", acme.Mean.Total())
	// Output: 2s of 4s
}

// A report has a form in JSON, for a log or a file.
func ExampleReport() {
	var sums bykey.Sums
	sums.Add(events.Event{Kind: events.Granted, Call: 1, Key: "acme", Cost: 3})
	text, err := json.Marshal(sums.Report(1).Keys)
	if err != nil {
		panic(err)
	}
	fmt.Println(string(text))
	// Output: [{"key":"acme","waiting":0,"running":1,"attempts":1,"spent":3,"succeeded":0,"failed":0,"refused":0}]
}

// Of many keys, those beyond the first few are one sum.
func ExampleSums_Report() {
	sums := bykey.Sums{MaxKeys: 100}
	for i := range 100_000 { // user ids as keys
		sums.Add(events.Event{Kind: events.Granted, Call: uint64(i + 1), Key: fmt.Sprint("user ", i%50_000), Cost: 1})
		sums.Add(events.Event{Kind: events.Succeeded, Call: uint64(i + 1), Key: fmt.Sprint("user ", i%50_000)})
	}
	r := sums.Report(3)
	fmt.Println(len(r.Keys), "keys, and", r.Others.Succeeded, "calls of others")
	// Output: 3 keys, and 99994 calls of others
}
