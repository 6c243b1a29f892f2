// Package tenants shares the quota of one upstream API fairly among many customers.
package tenants

import (
	"context"
	"net/http"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
	"example.com/fairlead/scheduler/ratehttp"
)

// Config returns the configuration of the customers' scheduler. Customers share the quota fairly, and each may have
// queuedEach requests in the queue. A wait that the API asks for holds all of them, since it refuses the account.
func Config(quota bucket.Limit, queuedEach int) scheduler.Config {
	return scheduler.Config{
		Limit:    quota,
		Overflow: scheduler.RefuseNew,
		PerKey:   scheduler.PerKey{MaxQueued: queuedEach, Holds: retry.ScopeAll},
	}
}

// Customer is a customer on whose behalf requests are made.
type Customer struct {
	ID    string
	Share int // of the quota, while others have requests too: 3 is three times as much as 1
}

type customerKey struct{}

// For returns a context whose requests are made for a customer.
func For(ctx context.Context, c Customer) context.Context {
	return context.WithValue(ctx, customerKey{}, c)
}

func customerOf(req *http.Request) Customer {
	c, _ := req.Context().Value(customerKey{}).(Customer)
	return c
}

// Client returns a client whose requests wait for their customers' turns. Requests without a customer
// share as if they had one.
func Client(s *scheduler.Scheduler, base http.RoundTripper) *http.Client {
	return &http.Client{Transport: &ratehttp.Transport{
		Scheduler: s,
		Base:      base,
		Key:       func(req *http.Request) string { return customerOf(req).ID },
		Options: func(req *http.Request) []scheduler.Option {
			return []scheduler.Option{scheduler.Weight(max(1, customerOf(req).Share))}
		},
	}}
}
