package ratehttp

import (
	"math"

	"example.com/fairlead/retry/headers"
	"example.com/fairlead/scheduler"
)

// The names of the budgets that models' tokens are counted in, as in package headers.
const (
	allTokens    = "tokens"
	inputTokens  = "input-tokens"
	outputTokens = "output-tokens"
)

// budget returns the scheduler's name for a budget, and whether requests with this key ("" for none) pay from it.
func (t *Transport) budget(s *scheduler.Scheduler, key, name string) (string, bool) {
	if t.Budget != nil {
		name = t.Budget(name)
		return name, pays(s, key, name)
	}
	if name != "" && pays(s, key, name) {
		return name, true
	}
	counted := name == "" || name == "requests"
	if t.Tokens != nil {
		counted = name == allTokens
	}
	if counted && key != "" && s.HasKeyBudget(scheduler.KeyBudget) {
		return scheduler.KeyBudget, true
	}
	return "", counted && s.HasBudget("")
}

// pays reports whether calls with this key ("" for none) pay from a budget.
func pays(s *scheduler.Scheduler, key, budget string) bool {
	return s.HasBudget(budget) && (key != "" || !s.HasKeyBudget(budget))
}

// observe reports to the scheduler what is left according to the server.
func (x *exchange) observe(seen headers.Observations) {
	for i := range seen.Budgets {
		b := &seen.Budgets[i]
		if b.Remaining < 0 || !ofRequests(b) {
			continue
		}
		switch name, ok := x.t.budget(x.s, x.key, b.Name); { // they fail if the scheduler was closed
		case ok && x.s.HasKeyBudget(name):
			_ = x.s.ObserveKey(x.key, name, b.Remaining)
		case ok:
			_ = x.s.Observe(name, b.Remaining)
		}
	}
}

// ofRequests reports whether a server's budget may be one of ours. It may not if it counts something else, such as bytes.
func ofRequests(b *headers.Budget) bool {
	return b.Unit == "" || b.Unit == "request" || b.Unit == "requests"
}

// costs returns the options for the estimated cost of a request in each of the scheduler's budgets of tokens.
func (t *Transport) costs(s *scheduler.Scheduler, key string, estimate Usage) (opts []scheduler.Option) {
	t.each(s, key, estimate, func(budget string, tokens int64) {
		opts = append(opts, scheduler.CostOf(budget, tokens))
	})
	return opts
}

// settle sets a request's cost to the usage in the response. Earlier sends of the same attempt keep their estimate, because the
// response does not include them.
func (x *exchange) settle(r *scheduler.Reservation, u *usage) {
	if used, ok := u.sums(); ok {
		again := x.sent.again.Load()
		used.Total = plus(used.Total, again, x.estimate.Total)
		used.Input = plus(used.Input, again, x.estimate.Input)
		used.Output = plus(used.Output, again, x.estimate.Output)
		x.t.each(x.s, x.key, used, func(budget string, tokens int64) {
			_ = r.Settle(budget, tokens) // fails if the scheduler was closed
		})
	}
}

// plus returns used plus times·more, or used if that is unknown.
func plus(used, times, more int64) int64 {
	switch {
	case used < 0 || times == 0:
		return used
	case more > (math.MaxInt64-used)/times:
		return math.MaxInt64
	}
	return used + times*more
}

// each calls f for each budget of tokens that requests with this key pay from.
func (t *Transport) each(s *scheduler.Scheduler, key string, tokens Usage, f func(budget string, tokens int64)) {
	amounts := [...]int64{tokens.Total, tokens.Input, tokens.Output}
	for i, name := range [...]string{allTokens, inputTokens, outputTokens} {
		budget, ok := t.budget(s, key, name)
		if !ok || amounts[i] < 0 {
			continue
		}
		f(budget, amounts[i])
		if t.Budget == nil && budget == scheduler.KeyBudget && s.HasBudget("") {
			f("", amounts[i]) // it counts the same as the key's, since one Cost is paid from both
		}
	}
}
