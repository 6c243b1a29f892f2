package storetest_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/bucket/storetest"
)

// Two processes share a budget of ten calls a second.
func Example() {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	store := storetest.NewMemory(func() time.Time { return now })
	buy := func(process string, seq uint64) bucket.Answer {
		answer, err := store.Exchange(context.Background(), bucket.Ask{
			Process: process, Seq: seq, Want: 100, Ahead: time.Second, Limit: bucket.PerSecond(10), Version: 1,
		})
		if err != nil {
			panic(err)
		}
		return answer
	}
	fmt.Println("a new store learns for", buy("a", 1).Learning)
	buy("b", 1)
	now = now.Add(bucket.LearnTime)
	for _, process := range []string{"a", "b"} {
		answer := buy(process, 2)
		fmt.Printf("%s gets %d tokens, after %d that are sold\n", process, answer.Tokens, -answer.Level)
	}
	// Output:
	// a new store learns for 2.25s
	// a gets 5 tokens, after 0 that are sold
	// b gets 5 tokens, after 5 that are sold
}

func ExampleNewMemory() {
	store := storetest.NewMemory(time.Now)
	answer, err := store.Exchange(context.Background(), bucket.Ask{Process: "a", Seq: 1, Want: 5, Limit: bucket.PerMinute(60)})
	fmt.Println(answer.Tokens, answer.Capacity, answer.Sharers, err)
	// Output: 0 60 1 <nil>
}

func ExampleMemory() {
	var store bucket.Store = storetest.NewMemory(time.Now)
	_, err := store.Exchange(context.Background(), bucket.Ask{Process: "a", Seq: 1, Limit: bucket.Daily(1000, "")})
	fmt.Println(err)
	// Output: bucket: limit has a Reset: a shared budget can't have one yet, so use a rate, such as PerMinute
}

// A test of a store of your own.
func ExampleDifferential() {
	_ = func(t *testing.T) {
		for seed := range uint64(100) {
			var budget bucket.Shared // a new budget in your store
			storetest.Differential(t, seed, 1000, func(run string, now int64, a bucket.Ask) (bucket.Answer, error) {
				return budget.Exchange(run, now, a), nil
			})
		}
	}
}
