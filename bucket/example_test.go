package bucket_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
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

// Questions are asked of a copy: the bucket itself does not change.
func ExampleBucket() {
	b, err := bucket.New(bucket.PerMinute(60), 0)
	if err != nil {
		panic(err)
	}
	plan := b
	for _, cost := range []int64{50, 30, 10} {
		fmt.Println(cost, "tokens at", plan.Ready(cost))
		plan.Take(plan.Ready(cost), cost)
	}
	fmt.Println(b.Available(), "are still there")
	// Output:
	// 50 tokens at 0s
	// 30 tokens at 20s
	// 10 tokens at 30s
	// 60 are still there
}

// Instants count from an origin of one's own: here, from when the program began.
func ExampleNew() {
	began := time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)
	b, err := bucket.New(bucket.PerMinute(60).Burst(2), 0)
	if err != nil {
		panic(err)
	}
	request := began.Add(90 * time.Second)
	fmt.Println(b.Take(request.Sub(began), 2))
	fmt.Println("next at", began.Add(b.Ready(1)).Format(time.TimeOnly))

	_, err = bucket.New(bucket.PerMinute(-60).Burst(2), 0)
	fmt.Println(err)
	// Output:
	// true
	// next at 12:01:31
	// bucket: limit's Refill is -60: it must be at least 1 token every Per (a Window needs a burst from 1 to n)
}

// All or nothing: of what is not there as a whole, nothing is taken.
func ExampleBucket_Take() {
	b, err := bucket.New(bucket.PerSecond(10), 0)
	if err != nil {
		panic(err)
	}
	fmt.Println(b.Take(0, 8), b.Take(0, 8), b.Available())
	fmt.Println(b.Take(time.Second, 8), b.Available())
	// Output:
	// true false 2
	// true 2
}

// Costs that wait in a row are due when their sum is there, however much that is.
func ExampleBucket_Ready() {
	b, err := bucket.New(bucket.PerSecond(10).Burst(5), 0)
	if err != nil {
		panic(err)
	}
	var sum int64
	for _, cost := range []int64{5, 4, 3} {
		sum += cost
		fmt.Println(b.Ready(sum))
	}
	// Output:
	// 0s
	// 400ms
	// 700ms
}

// What was counted until now has to be asked for.
func ExampleBucket_Available() {
	b, err := bucket.New(bucket.PerSecond(10), 0)
	if err != nil {
		panic(err)
	}
	b.Take(0, 10)
	fmt.Println(b.Available())
	b.Advance(500 * time.Millisecond)
	fmt.Println(b.Available())
	// Output:
	// 0
	// 5
}

// What was not used comes back, as far as there is room for it.
func ExampleBucket_Refund() {
	b, err := bucket.New(bucket.PerSecond(10), 0)
	if err != nil {
		panic(err)
	}
	b.Take(0, 8)
	b.Refund(0, 3)
	fmt.Println(b.Available())
	b.Refund(time.Second, 5) // the bucket is full again by then
	fmt.Println(b.Available())
	// Output:
	// 5
	// 10
}

// What was used beyond what was taken is owed, and paid off before anything else.
func ExampleBucket_Charge() {
	b, err := bucket.New(bucket.PerSecond(10), 0)
	if err != nil {
		panic(err)
	}
	b.Take(0, 10)
	b.Charge(0, 20)
	fmt.Println(b.Available(), b.Ready(1))
	// Output: -20 2.1s
}

// A higher limit adds no tokens, it lets more come; a lower one drops what is above it.
func ExampleBucket_SetLimit() {
	b, err := bucket.New(bucket.PerSecond(10), 0)
	if err != nil {
		panic(err)
	}
	_ = b.SetLimit(0, bucket.PerSecond(100))
	fmt.Println(b.Available(), b.Ready(100))
	_ = b.SetLimit(0, bucket.PerSecond(4))
	fmt.Println(b.Available())
	fmt.Println(b.SetLimit(0, bucket.PerSecond(0)))
	// Output:
	// 10 900ms
	// 4
	// bucket: limit's Capacity is 0: it must be at least 1
	// bucket: limit's Refill is 0: it must be at least 1 token every Per (a Window needs a burst from 1 to n)
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

// The rate is the same; how much may go at once is not.
func ExampleLimit_Burst() {
	fmt.Println(bucket.PerSecond(10))
	fmt.Println(bucket.PerSecond(10).Burst(1))
	fmt.Println(bucket.PerSecond(10).Burst(5000))
	// Output:
	// 10 per 1s, capacity 10
	// 10 per 1s, capacity 1
	// 10 per 1s, capacity 5000
}

// A full bucket goes at once and refills meanwhile: so in the first minute ten a minute are
// twice as many. For a server that counts minutes, see Window.
func ExamplePer() {
	b, err := bucket.New(bucket.Per(10, time.Minute), 0)
	if err != nil {
		panic(err)
	}
	taken := 0
	for b.Ready(1) <= time.Minute && b.Take(b.Ready(1), 1) {
		taken++
	}
	fmt.Println(taken)
	// Output: 20
}

// Tokens come one by one and not by the minute.
func ExamplePerMinute() {
	b, err := bucket.New(bucket.PerMinute(500), 0)
	if err != nil {
		panic(err)
	}
	b.Take(0, 500)
	fmt.Println(b.Ready(1), b.Ready(2), b.Ready(500))
	// Output: 120ms 240ms 1m0s
}

// Ten a second and 600 a minute are one rate; the burst is another.
func ExamplePerSecond() {
	second, minute := bucket.PerSecond(10), bucket.PerMinute(600)
	fmt.Println(second.Capacity, minute.Capacity)
	// Output: 10 600
}

// What a call pays from each budget has to fit into each.
func ExampleLimits() {
	limits := bucket.Limits{"requests": bucket.PerMinute(500), "tokens": bucket.PerMinute(90_000)}
	costs := map[string]int64{"requests": 1, "tokens": 120_000}
	for _, name := range slices.Sorted(maps.Keys(limits)) {
		fmt.Println(name+":", limits[name].CheckCost(costs[name]))
	}
	// Output:
	// requests: <nil>
	// tokens: cost 120000 is above the capacity of 90000 tokens and could never be granted: split the call or raise the limit's Capacity
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

// A state goes into a file.
func ExampleBucket_State() {
	noon := time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)
	b, err := bucket.New(bucket.PerSecond(10), 0)
	if err != nil {
		panic(err)
	}
	b.Take(0, 9)
	text, err := json.Marshal(b.State(0, noon))
	fmt.Println(string(text), err)
	// Output: {"tokens":1,"at":"2026-03-01T12:00:00Z"} <nil>
}

// After a restart there is what was saved, and what came meanwhile by the wall clock.
func ExampleRestore() {
	noon := time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)
	saved := bucket.State{Tokens: 1, At: noon}
	for _, down := range []time.Duration{300 * time.Millisecond, time.Hour} {
		b, err := bucket.Restore(bucket.PerSecond(10), saved, 0, noon.Add(down))
		fmt.Println(b.Available(), err)
	}
	// Output:
	// 4 <nil>
	// 10 <nil>
}

// A state that is lost is an empty bucket: to start full, use New.
func ExampleState() {
	var lost bucket.State
	b, err := bucket.Restore(bucket.PerSecond(10), lost, 0, time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC))
	fmt.Println(b.Available(), b.Ready(10), err)
	// Output: 0 1s <nil>
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

// Five tokens were taken at 0 s for a taker that was asleep and got them at 10 s. They count as
// taken at 10 s. Until then the bucket was full, so its refill was lost.
func ExampleBucket_Postpone() {
	b, _ := bucket.New(bucket.PerSecond(1).Burst(10), 0)
	b.Take(0, 5)
	b.Postpone(10*time.Second, 5)
	fmt.Println(b.Available())
	b.Advance(12 * time.Second)
	fmt.Println(b.Available())
	// Output:
	// 5
	// 7
}

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
