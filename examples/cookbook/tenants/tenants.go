// Package tenants shares one quota fairly among many customers.
package tenants

import (
	"context"
	"sync"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

// Fair gives customers their turns. Each customer has a queue of its own, from which at most Each calls go on to the
// shared queue. So a customer with thousands of calls is at most Each places ahead of another.
type Fair struct {
	Shared *scheduler.Scheduler // has the quota and the retries
	Each   int                  // of a customer's calls that are in the shared queue or run

	mu        sync.Mutex
	customers map[string]*scheduler.Scheduler
}

// Do waits for the customer's turn, and then for a turn in the shared queue.
func (f *Fair) Do(ctx context.Context, customer string, fn func(context.Context) error) error {
	own, err := f.queue(customer)
	if err != nil {
		return err
	}
	return own.Do(ctx, func(ctx context.Context) error { return f.Shared.Do(ctx, fn, scheduler.Name(customer)) })
}

// queue returns the customer's queue. It has no limit and retries nothing, since the shared one does that.
func (f *Fair) queue(customer string) (*scheduler.Scheduler, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if own := f.customers[customer]; own != nil {
		return own, nil
	}
	own, err := scheduler.New(scheduler.Config{
		Limit:       bucket.Unlimited,
		MaxInFlight: f.Each,
		Classify:    func(error) retry.Verdict { return retry.Verdict{} },
	})
	if err != nil {
		return nil, err
	}
	if f.customers == nil {
		f.customers = map[string]*scheduler.Scheduler{}
	}
	f.customers[customer] = own
	return own, nil
}

// Close ends the calls that wait in the customers' queues.
func (f *Fair) Close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, own := range f.customers {
		own.Close()
	}
}
