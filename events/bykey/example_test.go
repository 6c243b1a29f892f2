package bykey_test

import (
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
