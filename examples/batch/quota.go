package main

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"example.com/fairlead/bucket"
)

// quota is what the command line says of a budget: so many a minute, or auto.
type quota struct {
	perMinute int64
	auto      bool  // the server says how many; perMinute is for until it has
	least     int64 // the smallest perMinute
	burst     int64 // at once; 0 stands for what is usual
}

// Set takes the value of a flag.
func (q *quota) Set(s string) error {
	if q.auto = s == "auto"; q.auto {
		return nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < q.least {
		return fmt.Errorf("it must be a whole number from %d on, or auto", q.least)
	}
	q.perMinute = n
	return nil
}

// String is what the flag says, for its help.
func (q *quota) String() string {
	if q.auto {
		return "auto"
	}
	return strconv.FormatInt(q.perMinute, 10)
}

func (q *quota) on() bool { return q.auto || q.perMinute != 0 }

// The names of the budgets.
const (
	requestBudget = "requests"
	tokenBudget   = "tokens"
)

// What a budget is until the server has said what it is.
const (
	firstRequests = 60     // a minute
	firstTokens   = 10_000 // a minute, and at the start
)

// quota is what the command line says of a budget.
func (cfg *config) quota(budget string) *quota {
	if budget == tokenBudget {
		return &cfg.tokens
	}
	return &cfg.requests
}

// limits are the budgets of a run, as long as the server has not said what they are.
func (cfg *config) limits() bucket.Limits {
	all := bucket.Limits{}
	if q := cfg.requests; q.auto {
		all[requestBudget] = cfg.sized(requestBudget, bucket.PerMinute(firstRequests))
	} else {
		all[requestBudget] = cfg.sized(requestBudget, bucket.PerMinute(q.perMinute))
	}
	if q := cfg.tokens; q.auto { // nobody knows yet which lines are too long
		all[tokenBudget] = cfg.sized(tokenBudget, bucket.PerMinute(firstTokens).Burst(math.MaxInt32))
	} else if q.on() {
		all[tokenBudget] = cfg.sized(tokenBudget, bucket.PerMinute(q.perMinute))
	}
	return all
}

// levels are what is in the budgets at first; what is not named is full. A run that goes on
// has what came in since the last attempt of the one before, as if none had been left then. So
// starting over and over never overruns the API's quota.
func (cfg *config) levels(last time.Time) map[string]bucket.State {
	all := map[string]bucket.State{}
	switch {
	case !last.IsZero():
		for budget := range cfg.limits() {
			all[budget] = bucket.State{At: last}
		}
	case cfg.tokens.auto:
		all[tokenBudget] = bucket.State{Tokens: firstTokens}
	}
	return all
}

// sized is a limit with as much at once as the command line says, or else with what is
// usual: a tenth of the requests, for there are servers that count them by the second, and all
// of the tokens, for a single line may need most of them.
func (cfg *config) sized(budget string, l bucket.Limit) bucket.Limit {
	switch q := cfg.quota(budget); {
	case q.burst != 0:
		l.Capacity = q.burst
	case budget == requestBudget:
		l.Capacity = max(1, l.Capacity/10)
	}
	return l
}
