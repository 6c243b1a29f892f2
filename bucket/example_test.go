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

// The limit is ten tokens a second and at most three at once. Every instant is a duration since
// an origin that the caller chooses, here the instant at which the bucket was made.
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

// To plan ahead, use a copy. The bucket itself does not change.
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
	fmt.Println(b.Available(), "are still available")
	// Output:
	// 50 tokens at 0s
	// 30 tokens at 20s
	// 10 tokens at 30s
	// 60 are still available
}

// Instants count from an origin that the caller chooses, here the start of the program.
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

// Take takes all n tokens or none.
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

// If several costs wait in a row, each is ready when the sum up to it is available.
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

// Available does not advance the bucket. Call Advance first.
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

// Refund gives unused tokens back, up to the capacity.
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

// Charge takes tokens that were used but not paid for. The refill pays the debt before any other
// token can be taken.
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

// A higher limit adds no tokens but refills faster. A lower one drops the tokens above its capacity.
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

// A server asked to come back in a minute. Until then no token can be taken, and after that the
// tokens come one by one.
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

// Burst changes how many tokens can be taken at once. The rate stays the same.
func ExampleLimit_Burst() {
	fmt.Println(bucket.PerSecond(10))
	fmt.Println(bucket.PerSecond(10).Burst(1))
	fmt.Println(bucket.PerSecond(10).Burst(5000))
	// Output:
	// 10 per 1s, capacity 10
	// 10 per 1s, capacity 1
	// 10 per 1s, capacity 5000
}

// A full bucket grants its capacity at once and refills meanwhile. So a limit of ten a minute grants
// twenty in the first minute. For a server that counts requests by the minute, see Window.
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

// Tokens come one by one and not all at the end of a minute.
func ExamplePerMinute() {
	b, err := bucket.New(bucket.PerMinute(500), 0)
	if err != nil {
		panic(err)
	}
	b.Take(0, 500)
	fmt.Println(b.Ready(1), b.Ready(2), b.Ready(500))
	// Output: 120ms 240ms 1m0s
}

// Ten a second and 600 a minute are the same rate with different bursts.
func ExamplePerSecond() {
	second, minute := bucket.PerSecond(10), bucket.PerMinute(600)
	fmt.Println(second.Capacity, minute.Capacity)
	// Output: 10 600
}

// Each cost of a call must fit into the budget of that name.
func ExampleLimits() {
	limits := bucket.Limits{"requests": bucket.PerMinute(500), "tokens": bucket.PerMinute(90_000)}
	costs := map[string]int64{"requests": 1, "tokens": 120_000}
	for _, name := range slices.Sorted(maps.Keys(limits)) {
		fmt.Println(name+":", limits[name].CheckCost(costs[name]))
	}
	// Output:
	// requests: <nil>
	// tokens: bucket: cost 120000 is above the capacity of 90000 tokens and could never be granted: split the call or raise the limit's Capacity
}

// A server allows a hundred requests a minute, wherever its minute starts. It gets ten at once, and
// then ninety in the rest of the minute.
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

// A State can be saved as JSON.
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

// A restored bucket has the saved tokens and the refill since then, by the wall clock.
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

// A lost state gives an empty bucket. To start full, use New.
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
	// bucket: cost 25 is above the capacity of 10 tokens and could never be granted: split the call or raise the limit's Capacity
	// 25 10
}

// Five tokens were taken at 0 s, but the caller got them at 10 s. They count as taken at 10 s. Until
// then the bucket was full, so its refill was lost.
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

// The bucket was stopped for an hour, in which no tokens came.
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

// A scheduler with this limit only retries, and caps what runs at once.
func ExampleUnlimited() {
	b, err := bucket.New(bucket.Unlimited, 0)
	if err != nil {
		panic(err)
	}
	fmt.Println(b.Limit(), b.Take(0, 1_000_000), b.Take(0, 1_000_000_000))
	// Output: unlimited true true
}
