package scheduler_test

import (
	"context"
	"fmt"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/scheduler"
)

// An API that limits requests and tokens. What a call costs is estimated first, and
// settled when the answer says what it was.
func ExampleSettle() {
	s := newExample(scheduler.Config{Limits: bucket.Limits{
		"requests": bucket.Per(500, time.Hour), "tokens": bucket.Per(90_000, time.Hour),
	}})
	defer s.Close()
	err := s.Do(context.Background(), func(ctx context.Context) error {
		used := int64(850) // as the answer says
		return scheduler.Settle(ctx, "tokens", used)
	}, scheduler.CostOf("tokens", 1200))
	for _, b := range s.Snapshot().Budgets {
		fmt.Println(b.Name, b.Available)
	}
	fmt.Println(err)
	// Output:
	// requests 499
	// tokens 89150
	// <nil>
}

// A budget that does not exist is an error at the call.
func ExampleCostOf() {
	s := newExample(scheduler.Config{Limits: bucket.Limits{"requests": hourly, "tokens": hourly}})
	defer s.Close()
	fmt.Println(s.Do(context.Background(), say("hello"), scheduler.CostOf("token", 5)))
	// Output: scheduler: no budget "token": there are ["requests" "tokens"]
}

// A server says that less is left than one would think: others use the same key.
func ExampleScheduler_Observe() {
	s := newExample(scheduler.Config{Limit: hourly.Burst(100)})
	defer s.Close()
	err := s.Observe("", 7) // X-RateLimit-Remaining: 7
	fmt.Println(s.Snapshot().Available, err)
	// Output: 7 <nil>
}

// Every budget goes on where it was when the process starts again.
func ExampleSnapshot_Levels() {
	cfg := scheduler.Config{Limits: bucket.Limits{"requests": hourly, "tokens": hourly.Burst(5000)}}
	s := newExample(cfg)
	_ = s.Do(context.Background(), say("hello"), scheduler.CostOf("tokens", 4000))
	s.Close()

	cfg.Levels = s.Snapshot().Levels() // fit for a file, as JSON
	s = newExample(cfg)
	defer s.Close()
	fmt.Println(s.Snapshot().Budgets[1].Available)
	// Output:
	// hello
	// 1000
}
