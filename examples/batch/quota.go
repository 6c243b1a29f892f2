package main

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"example.com/fairlead/bucket"
)

// quota is the value of -rpm or -tpm, a number or auto, with its burst.
type quota struct {
	perMinute int64
	auto      bool  // the server sets the limit; perMinute is not used
	min       int64 // the smallest perMinute
	burst     int64 // 0 means the default
}

// Set parses the value of a flag.
func (q *quota) Set(s string) error {
	if q.auto = s == "auto"; q.auto {
		return nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < q.min {
		return fmt.Errorf("it must be a whole number from %d on, or auto", q.min)
	}
	q.perMinute = n
	return nil
}

// String returns the flag's value for its help.
func (q *quota) String() string {
	if q.auto {
		return "auto"
	}
	return strconv.FormatInt(q.perMinute, 10)
}

func (q *quota) enabled() bool { return q.auto || q.perMinute != 0 }

// The names of the budgets.
const (
	requestBudget = "requests"
	tokenBudget   = "tokens"
)

// These are the limits with auto until the server has given its own.
const (
	initialRequests = 60     // a minute
	initialTokens   = 10_000 // a minute, and at the start
)

// quota returns the flag for a budget.
func (cfg *config) quota(budget string) *quota {
	if budget == tokenBudget {
		return &cfg.tokens
	}
	return &cfg.requests
}

// limits returns the budgets of a run before the server has given any limit.
func (cfg *config) limits() bucket.Limits {
	all := bucket.Limits{}
	if q := cfg.requests; q.auto {
		all[requestBudget] = cfg.withBurst(requestBudget, bucket.PerMinute(initialRequests))
	} else {
		all[requestBudget] = cfg.withBurst(requestBudget, bucket.PerMinute(q.perMinute))
	}
	if q := cfg.tokens; q.auto { // which lines are too long is not known yet
		all[tokenBudget] = cfg.withBurst(tokenBudget, bucket.PerMinute(initialTokens).Burst(math.MaxInt32))
	} else if q.enabled() {
		all[tokenBudget] = cfg.withBurst(tokenBudget, bucket.PerMinute(q.perMinute))
	}
	return all
}

// levels returns the initial levels of budgets that do not start full. A resumed run starts empty at the last
// attempt of the one before, and refills from there. So starting again and again never overruns the API's quota.
func (cfg *config) levels(last time.Time) map[string]bucket.State {
	all := map[string]bucket.State{}
	switch {
	case cfg.shared.on(): // the store keeps the levels
	case !last.IsZero():
		for budget := range cfg.limits() {
			all[budget] = bucket.State{At: last}
		}
	case cfg.tokens.auto:
		all[tokenBudget] = bucket.State{Tokens: initialTokens}
	}
	return all
}

// withBurst returns a limit with the burst of the command line. The default is a tenth of the requests, since
// some servers count them by the second, and all of the tokens, since one line may need most of them.
func (cfg *config) withBurst(budget string, l bucket.Limit) bucket.Limit {
	switch q := cfg.quota(budget); {
	case q.burst != 0:
		l.Capacity = q.burst
	case budget == requestBudget:
		l.Capacity = max(1, l.Capacity/10)
	}
	return l
}
