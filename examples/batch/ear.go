package main

import (
	"fmt"
	"sync"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry/headers"
	"example.com/fairlead/scheduler"
)

// ear listens to what answers say of the server's limits, and tells the scheduler.
type ear struct {
	cfg *config
	s   *scheduler.Scheduler
	say func(string) // to the user

	mu      sync.Mutex
	asked   uint64           // requests so far
	heard   uint64           // the latest of those whose answers were heard
	over    costs            // of those that are over
	learned map[string]heard // by name of our budget
}

// question is a request on its way.
type question struct {
	number uint64
	over   costs // of those that were over when it went out
}

// costs are what requests pay from our budgets.
type costs struct{ requests, tokens int64 }

func (c costs) of(budget string) int64 {
	if budget == tokenBudget {
		return c.tokens
	}
	return c.requests
}

// heard is what the server has said of a budget.
type heard struct {
	limit  bucket.Limit
	window time.Duration // the longest that was spoken of
}

func newEar(cfg *config, s *scheduler.Scheduler) *ear {
	return &ear{cfg: cfg, s: s, say: func(string) {}, learned: map[string]heard{}}
}

// ask notes that a request is about to be sent.
func (e *ear) ask() question {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.asked++
	return question{e.asked, e.over}
}

// hear notes that a request is over, and takes the word of its answer. If the answer to a
// later one came first, it tells of the past, and is not heard.
func (e *ear) hear(q question, l *line, seen headers.Observations, answered bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	defer func() { e.over = costs{e.over.requests + 1, e.over.tokens + l.tokens} }()
	if q.number < e.heard {
		return
	}
	e.heard = q.number
	limits := e.cfg.limits()
	// Tokens come first: if more requests were allowed before, they would go on tokens that
	// the server has not got.
	for _, budget := range []string{tokenBudget, requestBudget} {
		first, ok := limits[budget]
		if !ok {
			continue
		}
		// What went out with it and was over before it may have been counted after it.
		unknown := e.over.of(budget) - q.over.of(budget)
		if answered { // so it was counted itself, though Learn, for which it still runs, can't know
			unknown -= costs{1, l.tokens}.of(budget)
		}
		if b, ok := tightest(budget, seen.Budgets); ok {
			e.tell(budget, b, seen.At, unknown)
		}
		if answered {
			e.miss(budget, first)
		}
	}
}

// miss says, once, that the server does not say what its limit is.
func (e *ear) miss(budget string, first bucket.Limit) {
	if e.learned[budget] != (heard{}) {
		return
	}
	e.learned[budget] = heard{limit: first}
	if e.cfg.quota(budget).auto {
		e.say(fmt.Sprintf("the server does not say how many %s it allows: it is sent %d a minute until it does", budget, first.Refill))
	}
}

// tell tells the scheduler of a budget, of which so much may be gone that the server did not
// know of, besides what running requests have paid. It fails only when a drain has ended, and nobody
// needs to know any more.
func (e *ear) tell(budget string, b headers.Budget, at time.Time, unknown int64) {
	limit, ok := e.limit(budget, b, at)
	if ok && e.cfg.quota(budget).auto {
		remaining := b.Remaining
		if remaining >= 0 { // otherwise it is not known
			remaining = max(0, min(remaining, mostTokens)-unknown)
		}
		_ = e.s.Learn(budget, limit, remaining)
	} else {
		_ = e.s.Observe(budget, b.Remaining)
	}
}

// limit is what the server says a budget's limit is, as a limit for us.
func (e *ear) limit(budget string, b headers.Budget, at time.Time) (bucket.Limit, bool) {
	known := e.learned[budget]
	known.window = max(known.window, window(b, at))
	if b.Limit < 1 || known.window == 0 {
		return bucket.Limit{}, false
	}
	limit := e.cfg.sized(budget, bucket.Per(b.Limit, known.window))
	if limit != known.limit && e.cfg.quota(budget).auto {
		e.say(fmt.Sprintf("the server's limit is %d %s every %v", b.Limit, budget, known.window))
	}
	known.limit = limit
	e.learned[budget] = known
	return limit, true
}

// window is the time for which a server's limit holds, 0 if nobody can tell. Most that
// don't say mean a minute. Some mean an hour or a day: their reset, when all will be there
// again, is further off than a minute. The few seconds are for those that round.
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

// tightest is that of the server's budgets that speaks of one of ours and has least left.
func tightest(budget string, all []headers.Budget) (least headers.Budget, ok bool) {
	for _, b := range all {
		if b.Remaining >= 0 && ours(b) == budget && (!ok || b.Remaining < least.Remaining) {
			least, ok = b, true
		}
	}
	return least, ok
}

// ours is the name of our budget for one of a server's; "" if it counts what we don't.
func ours(b headers.Budget) string {
	switch {
	case b.Name == tokenBudget, b.Unit == tokenBudget:
		return tokenBudget
	case b.Unit != "" && b.Unit != requestBudget, b.Name == "input-tokens", b.Name == "output-tokens":
		return ""
	}
	return requestBudget
}
