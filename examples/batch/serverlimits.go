package main

import (
	"fmt"
	"sync"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry/headers"
	"example.com/fairlead/scheduler"
)

// serverLimits applies the rate limits in answers to the scheduler.
type serverLimits struct {
	cfg *config
	s   *scheduler.Scheduler
	say func(string) // prints a message

	mu       sync.Mutex
	begun    uint64                // how many requests have been sent
	newest   uint64                // the newest request whose answer was applied
	finished costs                 // costs of all finished requests
	known    map[string]knownLimit // by budget
}

// sentRequest is a request in flight.
type sentRequest struct {
	number   uint64
	finished costs // costs of the requests that had finished when it was sent
}

// costs holds what requests pay from each budget.
type costs struct{ requests, tokens int64 }

func (c costs) of(budget string) int64 {
	if budget == tokenBudget {
		return c.tokens
	}
	return c.requests
}

// knownLimit records a limit of which the server has told.
type knownLimit struct {
	limit  bucket.Limit
	window time.Duration // the longest so far
}

func newServerLimits(cfg *config, s *scheduler.Scheduler) *serverLimits {
	return &serverLimits{cfg: cfg, s: s, say: func(string) {}, known: map[string]knownLimit{}}
}

// begin records that a request is about to be sent.
func (e *serverLimits) begin() sentRequest {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.begun++
	return sentRequest{e.begun, e.finished}
}

// finish records that a request has finished, and applies the limits in its answer. It ignores an answer that
// comes after the answer to a later request, since it is out of date.
func (e *serverLimits) finish(q sentRequest, l *line, seen headers.Observations, answered bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	defer func() { e.finished = costs{e.finished.requests + 1, e.finished.tokens + l.tokens} }()
	if e.cfg.key == hostKey {
		e.observeHost(l, seen)
		return
	}
	if q.number < e.newest {
		return
	}
	e.newest = q.number
	limits := e.cfg.limits()
	// Tokens come first: more requests must not start on tokens that the server does not have.
	for _, budget := range []string{tokenBudget, requestBudget} {
		first, ok := limits[budget]
		if !ok {
			continue
		}
		// Requests that finished while this one was in flight may not be counted in what the server says is
		// left.
		unknown := e.finished.of(budget) - q.finished.of(budget)
		if answered { // the server has counted this one, which Learn takes for running
			unknown -= costs{1, l.tokens}.of(budget)
		}
		if b, ok := tightest(budget, seen.Budgets); ok {
			e.apply(budget, b, seen.At, unknown)
		}
		if answered {
			e.sayUnknown(budget, first)
		}
	}
}

// observeHost applies what a host says is left of its requests to the budget of that host, if it has one. What all
// hosts share is no limit of theirs.
func (e *serverLimits) observeHost(l *line, seen headers.Observations) {
	if b, ok := tightest(requestBudget, seen.Budgets); ok && e.cfg.perKeyRPM > 0 {
		_ = e.s.ObserveKey(l.key, scheduler.KeyBudget, b.Remaining)
	}
}

// sayUnknown says, once, that the server does not give its limit.
func (e *serverLimits) sayUnknown(budget string, first bucket.Limit) {
	if e.known[budget] != (knownLimit{}) {
		return
	}
	e.known[budget] = knownLimit{limit: first}
	if e.cfg.quota(budget).auto {
		e.say(fmt.Sprintf("the server does not give its limit of %s: batch sends %d a minute until it does", budget, first.Refill))
	}
}

// apply sets a budget to the server's limit and level, less the unknown cost that the server may not have
// counted. Running requests are not part of that, since Learn subtracts them itself. Its errors mean that a
// drain has closed the scheduler, and don't matter.
func (e *serverLimits) apply(budget string, b headers.Budget, at time.Time, unknown int64) {
	limit, ok := e.limitOf(budget, b, at)
	if ok && e.cfg.quota(budget).auto {
		remaining := b.Remaining
		if remaining >= 0 { // negative means unknown
			remaining = max(0, min(remaining, maxTokens)-unknown)
		}
		_ = e.s.Learn(budget, limit, remaining)
	} else {
		_ = e.s.Observe(budget, b.Remaining)
	}
}

// limitOf returns the server's limit of a budget, if it gives one.
func (e *serverLimits) limitOf(budget string, b headers.Budget, at time.Time) (bucket.Limit, bool) {
	known := e.known[budget]
	known.window = max(known.window, window(b, at))
	if b.Limit < 1 || known.window == 0 {
		return bucket.Limit{}, false
	}
	limit := e.cfg.withBurst(budget, bucket.Per(b.Limit, known.window))
	if limit != known.limit && e.cfg.quota(budget).auto {
		e.say(fmt.Sprintf("the server's limit is %d %s every %v", b.Limit, budget, known.window))
	}
	known.limit = limit
	e.known[budget] = known
	return limit, true
}

// window returns the period of a server's limit, or 0 if it is not known. The default is a minute. If the reset
// is further off than that, it is an hour or a day. Some servers round, so each has a few seconds to spare.
func window(b headers.Budget, at time.Time) time.Duration {
	const rounding = 5 * time.Second
	if b.Window > 0 {
		return b.Window
	}
	if b.Reset.IsZero() && b.Name != requestBudget && b.Name != tokenBudget {
		return 0
	}
	for _, usual := range []time.Duration{time.Minute, time.Hour, 24 * time.Hour} {
		if b.Reset.Sub(at) <= usual+rounding {
			return usual
		}
	}
	return 0
}

// tightest returns the server's budget that limits ours and has least left.
func tightest(budget string, all []headers.Budget) (least headers.Budget, ok bool) {
	for _, b := range all {
		if b.Remaining >= 0 && budgetName(b) == budget && (!ok || b.Remaining < least.Remaining) {
			least, ok = b, true
		}
	}
	return least, ok
}

// budgetName returns the name of our budget for one of the server's, or "" if we have none.
func budgetName(b headers.Budget) string {
	switch {
	case b.Name == tokenBudget, b.Unit == tokenBudget:
		return tokenBudget
	case b.Unit != "" && b.Unit != requestBudget, b.Name == "input-tokens", b.Name == "output-tokens":
		return ""
	}
	return requestBudget
}
