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

// newBudgets returns a scheduler with two budgets.
func newBudgets(cfg scheduler.Config) *scheduler.Scheduler {
	s, err := scheduler.New(cfg)
	if err != nil {
		panic(err)
	}
	return s
}

// An API limits requests and tokens. The cost of a call is estimated first, and settled when the
// response reports it.
func ExampleSettle() {
	s := newBudgets(scheduler.Config{Limits: bucket.Limits{
		"requests": bucket.Per(500, time.Hour), "tokens": bucket.Per(90_000, time.Hour),
	}})
	defer s.Close()
	err := s.Do(context.Background(), func(ctx context.Context) error {
		used := int64(850) // from the response
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

// For a budget that does not exist the call fails at once.
func ExampleCostOf() {
	s := newBudgets(scheduler.Config{Limits: bucket.Limits{"requests": bucket.PerMinute(500), "tokens": bucket.PerMinute(90_000)}})
	defer s.Close()
	fmt.Println(s.Do(context.Background(), func(context.Context) error { return nil }, scheduler.CostOf("token", 5)))
	// Output: scheduler: no budget "token": there are ["requests" "tokens"]
}

// A server reports that less remains than expected, since other clients use the same key.
func ExampleScheduler_Observe() {
	s := newBudgets(scheduler.Config{Limit: bucket.Per(1, time.Hour).Burst(100)})
	defer s.Close()
	err := s.Observe("", 7) // X-RateLimit-Remaining: 7
	fmt.Println(s.Snapshot().Available, err)
	// Output: 7 <nil>
}

// Learn takes over a trusted server's limits, even above the configuration.
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

// A new limit for one of several budgets applies at once to the calls that wait for it.
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

// A snapshot has the level of each budget.
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

// After a restart of the process each budget goes on at its level.
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

// An API takes 1000 calls a day, and begins to count anew at midnight in Los Angeles. All calls that wait
// for midnight would start at once, so a second limit spreads them.
func ExampleConfig_quotaOfADay() {
	mock := clocktest.NewMock()
	mock.Set(time.Date(2030, 3, 9, 20, 0, 0, 0, time.UTC)) // noon there
	s := newBudgets(scheduler.Config{Clock: mock, Limits: bucket.Limits{
		"day": bucket.Daily(1000, "America/Los_Angeles"), "minute": bucket.PerMinute(60).Burst(5),
	}})
	defer s.Close()
	if err := s.Observe("day", 0); err != nil { // the server says that nothing is left
		panic(err)
	}
	est, err := s.Estimate()
	fmt.Println(est.At, err)
	// Output: 2030-03-10 08:00:00 +0000 UTC <nil>
}
