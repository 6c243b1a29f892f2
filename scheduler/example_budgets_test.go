package scheduler_test

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/clock/clocktest"
	"example.com/fairlead/retry/headers"
	"example.com/fairlead/scheduler"
)

// newBudgets is a scheduler of which an example looks at the budgets.
func newBudgets(cfg scheduler.Config) *scheduler.Scheduler {
	s, err := scheduler.New(cfg)
	if err != nil {
		panic(err)
	}
	return s
}

// An API that limits requests and tokens. What a call costs is estimated first, and
// settled when the answer says what it was.
func ExampleSettle() {
	s := newBudgets(scheduler.Config{Limits: bucket.Limits{
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
	s := newBudgets(scheduler.Config{Limits: bucket.Limits{"requests": bucket.PerMinute(500), "tokens": bucket.PerMinute(90_000)}})
	defer s.Close()
	fmt.Println(s.Do(context.Background(), func(context.Context) error { return nil }, scheduler.CostOf("token", 5)))
	// Output: scheduler: no budget "token": there are ["requests" "tokens"]
}

// A server says that less is left than one would think: others use the same key.
func ExampleScheduler_Observe() {
	s := newBudgets(scheduler.Config{Limit: bucket.Per(1, time.Hour).Burst(100)})
	defer s.Close()
	err := s.Observe("", 7) // X-RateLimit-Remaining: 7
	fmt.Println(s.Snapshot().Available, err)
	// Output: 7 <nil>
}

// What a trusted server says of its limits is taken up, also where it is more than was
// configured.
func ExampleScheduler_Learn() {
	s := newBudgets(scheduler.Config{Limits: bucket.Limits{"requests": bucket.Per(60, time.Hour), "tokens": bucket.Per(1000, time.Hour)}})
	defer s.Close()
	said := http.Header{"X-Ratelimit-Limit-Tokens": {"90000"}, "X-Ratelimit-Remaining-Tokens": {"89000"}}
	for _, b := range headers.Parse(said, s.Now()).Budgets {
		if err := s.Learn(b.Name, bucket.Per(b.Limit, time.Hour), b.Remaining); err != nil {
			panic(err)
		}
	}
	fmt.Println(s.Snapshot().Budgets)
	// Output: [60 of 60 requests 89000 of 90000 tokens]
}

// One of several budgets is changed, and the calls that wait for it are planned anew.
func ExampleScheduler_SetLimitOf() {
	s := newBudgets(scheduler.Config{
		Clock:  clocktest.NewMock(),
		Limits: bucket.Limits{"requests": bucket.PerMinute(500), "tokens": bucket.PerMinute(600)},
		Levels: map[string]bucket.State{"tokens": {}},
	})
	defer s.Close()
	h, err := s.Submit(context.Background(), func(context.Context) error { return nil }, scheduler.CostOf("tokens", 600))
	if err != nil {
		panic(err)
	}
	fmt.Println(h.Estimate().Wait)
	err = s.SetLimitOf("tokens", bucket.PerMinute(6000))
	fmt.Println(h.Estimate().Wait, err)
	// Output:
	// 1m0s
	// 6s <nil>
}

// How much of each budget is left.
func ExampleBudget() {
	s := newBudgets(scheduler.Config{Limits: bucket.Limits{"requests": bucket.Per(500, time.Hour), "tokens": bucket.Per(1, time.Hour).Burst(5000)}})
	defer s.Close()
	_ = s.Do(context.Background(), func(context.Context) error { return nil }, scheduler.CostOf("tokens", 4000))
	for _, b := range s.Snapshot().Budgets {
		fmt.Printf("%v, spent %d\n", b, b.Ledger.Spent)
	}
	// Output:
	// 499 of 500 requests, spent 1
	// 1000 of 5000 tokens, spent 4000
}

// Every budget goes on where it was when the process starts again.
func ExampleSnapshot_Levels() {
	cfg := scheduler.Config{Limits: bucket.Limits{"requests": bucket.Per(500, time.Hour), "tokens": bucket.Per(1, time.Hour).Burst(5000)}}
	s := newBudgets(cfg)
	_ = s.Do(context.Background(), func(context.Context) error { return nil }, scheduler.CostOf("tokens", 4000))
	s.Close()

	cfg.Levels = s.Snapshot().Levels() // fit for a file, as JSON
	s = newBudgets(cfg)
	defer s.Close()
	fmt.Println(s.Snapshot().Budgets[1].Available)
	// Output: 1000
}
