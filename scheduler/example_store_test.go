package scheduler_test

import (
	"context"
	"fmt"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/bucket/storetest"
	"example.com/fairlead/scheduler"
)

// Two schedulers share one budget. In a fleet they are in different processes, and the store is one in Redis (package
// bucket/redisbucket) or PostgreSQL (package bucket/pgbucket).
func ExampleConfig_store() {
	store := storetest.NewMemory(time.Now)
	cfg := scheduler.Config{Limit: bucket.PerSecond(20), Store: store}
	a, err := scheduler.New(cfg)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer a.Close()
	b, err := scheduler.New(cfg)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer b.Close()

	for _, s := range []*scheduler.Scheduler{a, b} {
		err := s.Do(context.Background(), func(context.Context) error {
			fmt.Println("sent")
			return nil
		})
		if err != nil {
			fmt.Println(err)
		}
	}
	// Output:
	// sent
	// sent
}

func ExampleStoreState() {
	s, err := scheduler.New(scheduler.Config{Limit: bucket.PerSecond(20), Store: storetest.NewMemory(time.Now)})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()
	for s.Snapshot().Store.Exchanges == 0 {
		time.Sleep(time.Millisecond)
	}
	state := s.Snapshot().Store
	fmt.Println("away:", state.Away)
	fmt.Println("sharers:", state.Sharers)
	fmt.Println("a new store sells nothing at first:", time.Until(state.SellsFrom) > 0)
	// Output:
	// away: false
	// sharers: 1
	// a new store sells nothing at first: true
}
