package bucket_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"example.com/fairlead/bucket"
)

// Ten tokens a second, at most three at once. Every instant is a duration since
// an origin of one's own, here the moment at which the bucket was made.
func Example() {
	b, err := bucket.New(bucket.PerSecond(10).Burst(3), 0)
	if err != nil {
		panic(err)
	}
	fmt.Println(b.Take(0, 3), b.Available())
	fmt.Println(b.Take(0, 1), "ready at", b.Ready(1))
	fmt.Println(b.Take(b.Ready(1), 1))
	// Output:
	// true 0
	// false ready at 100ms
	// true
}

// A server said to come back in a minute: until then nothing leaves, and then
// the tokens come one by one.
func ExampleBucket_Hold() {
	b, err := bucket.New(bucket.PerSecond(10), 0)
	if err != nil {
		panic(err)
	}
	b.Hold(0, time.Minute)
	fmt.Println(b.Available(), b.Ready(1), b.Ready(2))
	// Output: 0 1m0.1s 1m0.2s
}

func ExampleLimit() {
	fmt.Println(bucket.Limit{})
	fmt.Println(bucket.PerMinute(60).Burst(5))
	fmt.Println(bucket.Per(5, 0).Validate())
	// Output:
	// 100 per 1m0s, capacity 1000
	// 60 per 1m0s, capacity 5
	// bucket: limit's Per is 0s: it must be a positive duration
}

// A server that counts a hundred requests a minute, wherever its minute starts,
// never counts more than that: ten at once, and then ninety in the rest of it.
func ExampleWindow() {
	b, err := bucket.New(bucket.Window(100, time.Minute, 10), 0)
	if err != nil {
		panic(err)
	}
	taken := 0
	for now := time.Duration(0); now <= time.Minute; now = b.Ready(1) {
		for b.Take(now, 1) {
			taken++
		}
	}
	fmt.Println(taken)
	// Output: 100
}

// A state goes into a file and comes back after a restart, with what was refilled
// meanwhile by the wall clock.
func ExampleState() {
	noon := time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)
	b, err := bucket.New(bucket.PerSecond(10), 0)
	if err != nil {
		panic(err)
	}
	b.Take(0, 9)
	text, err := json.Marshal(b.State(0, noon))
	if err != nil {
		panic(err)
	}
	fmt.Println(string(text))

	var s bucket.State
	if err := json.Unmarshal(text, &s); err != nil {
		panic(err)
	}
	b, err = bucket.Restore(bucket.PerSecond(10), s, 0, noon.Add(300*time.Millisecond))
	fmt.Println(b.Available(), err)
	// Output:
	// {"tokens":1,"at":"2026-03-01T12:00:00Z"}
	// 4 <nil>
}

func ExampleLedger() {
	b, err := bucket.New(bucket.PerSecond(10), 0)
	if err != nil {
		panic(err)
	}
	b.Take(0, 8)
	b.Refund(500*time.Millisecond, 1)
	fmt.Printf("%+v, available %d\n", b.Ledger(), b.Available())
	// Output: {Initial:10 Refilled:5 Refunded:1 Adjusted:0 Spent:8}, available 8
}

func ExampleCostError() {
	err := bucket.PerSecond(10).CheckCost(25)
	fmt.Println(err)
	var costErr *bucket.CostError
	if errors.As(err, &costErr) {
		fmt.Println(costErr.Cost, costErr.Capacity)
	}
	// Output:
	// cost 25 is above the capacity of 10 tokens and could never be granted: split the call or raise the limit's Capacity
	// 25 10
}

// A bucket that is stopped for a while has afterwards what it had before.
func ExampleBucket_Skip() {
	b, _ := bucket.New(bucket.PerSecond(1).Burst(10), 0)
	b.Take(0, 9)
	b.Skip(time.Hour)
	fmt.Println(b.Available())
	b.Advance(time.Hour + 2*time.Second)
	fmt.Println(b.Available())
	// Output:
	// 1
	// 3
}
