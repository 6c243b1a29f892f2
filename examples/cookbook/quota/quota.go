// Package quota is for several processes on one quota, which share a budget or have a part each.
package quota

import (
	"net/http"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
	"example.com/fairlead/scheduler/ratehttp"
)

// Part gives a process a percentage of a quota. If all parts together are 100, no request is refused, but the part of
// a process that has nothing to do is not used. If they are more, the server's word steers. Then a process that is
// refused waits while others go on, so it needs many retries.
func Part(quota bucket.Limit, percent int64) scheduler.Config {
	return scheduler.Config{
		Limit: bucket.Limit{
			Capacity: max(1, quota.Capacity*percent/100),
			Refill:   quota.Refill * percent,
			Per:      quota.Per * 100,
		},
		Retry: retry.Policy{MaxRetries: 1000},
	}
}

// Shared gives a process a quota that it shares with all others whose store is the same, such as a Redis server. All of
// them together keep it, and one that has little to do leaves the rest to the others. See package redisbucket.
func Shared(quota bucket.Limit, store bucket.Store) scheduler.Config {
	return scheduler.Config{Limit: quota, Store: store, Retry: retry.Policy{MaxRetries: 1000}}
}

// Client returns the client of a process. Its transport tells the scheduler what the server says is left. After a 429, all
// requests of the process wait.
func Client(s *scheduler.Scheduler, base http.RoundTripper) *http.Client {
	return &http.Client{Transport: &ratehttp.Transport{Scheduler: s, Base: base}}
}
