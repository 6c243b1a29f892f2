package scheduler_test

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/scheduler"
)

// A program that keeps its calls in a file would write each Changes in one transaction.
func ExampleChanges() {
	s, err := scheduler.New(scheduler.Config{Limit: bucket.PerSecond(1).Burst(1)})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()
	ctx := context.Background()
	h, err := s.Submit(ctx, func(context.Context) error { return nil }, scheduler.Tracked(), scheduler.Name("hello"))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(h.Wait(ctx))
	changes, err := s.Changes(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	change := changes.Calls[0]
	fmt.Println(change.Name, change.State, change.End, change.Outcome)
	level, err := json.Marshal(changes.Budgets[0].Level.Tokens)
	fmt.Println(string(level), err)
	// Output:
	// <nil>
	// hello ended succeeded <nil>
	// 0 <nil>
}

func ExampleChange() {
	s, err := scheduler.New(scheduler.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()
	ctx := context.Background()
	later := func(context.Context) error { return nil }
	if _, err := s.Submit(ctx, later, scheduler.Tracked(), scheduler.Name("report"), scheduler.Key("acme"), scheduler.Delay(time.Hour)); err != nil {
		fmt.Println(err)
		return
	}
	changes, err := s.Changes(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	accepted := changes.Calls[0]
	fmt.Println(accepted.Name, accepted.Key, accepted.State, accepted.End == 0)
	// Output:
	// report acme later true
}

func ExampleTracked() {
	s, err := scheduler.New(scheduler.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	for range 3 {
		if _, err := s.Submit(ctx, func(context.Context) error { return nil }, scheduler.Tracked()); err != nil {
			fmt.Println(err)
		}
	}
	go s.Shutdown(ctx)
	ended := 0
	for {
		changes, err := s.Changes(ctx)
		if err != nil {
			fmt.Println(ended, "have ended:", err)
			return
		}
		for _, change := range changes.Calls {
			if change.End != 0 {
				ended++
			}
		}
	}
	// Output:
	// 3 have ended: scheduler is closed
}
