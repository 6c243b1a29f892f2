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

// budget returns the scheduler's name for a budget, and whether the scheduler has it.
func (t *Transport) budget(s *scheduler.Scheduler, name string) (string, bool) {
	if t.Budget != nil {
		name = t.Budget(name)
		return name, s.HasBudget(name)
	}
	if name != "" && s.HasBudget(name) {
		return name, true
	}
	counted := name == "" || name == "requests"
	if t.Tokens != nil {
		counted = name == allTokens
	}
	return "", counted && s.HasBudget("")
}

// observe reports to the scheduler what is left according to the server.
func (x *exchange) observe(seen headers.Observations) {
	for i := range seen.Budgets {
		b := &seen.Budgets[i]
		if b.Remaining < 0 || !ofRequests(b) {
			continue
		}
		if name, ok := x.t.budget(x.s, b.Name); ok {
			_ = x.s.Observe(name, b.Remaining) // fails if the scheduler was closed
		}
	}
}

// ofRequests reports whether a server's budget may be one of ours. It may not if it counts something else, such as bytes.
func ofRequests(b *headers.Budget) bool {
	return b.Unit == "" || b.Unit == "request" || b.Unit == "requests"
}

// costs returns the options for the estimated cost of a request in each of the scheduler's budgets of tokens.
func (t *Transport) costs(s *scheduler.Scheduler, estimate Usage) (opts []scheduler.Option) {
	t.each(s, estimate, func(budget string, tokens int64) {
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
		x.t.each(x.s, used, func(budget string, tokens int64) {
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

// each calls f for each budget of tokens that the scheduler has.
func (t *Transport) each(s *scheduler.Scheduler, tokens Usage, f func(budget string, tokens int64)) {
	amounts := [...]int64{tokens.Total, tokens.Input, tokens.Output}
	for i, name := range [...]string{allTokens, inputTokens, outputTokens} {
		if budget, ok := t.budget(s, name); ok && amounts[i] >= 0 {
			f(budget, amounts[i])
		}
	}
}
