package ratehttp

import (
	"example.com/fairlead/retry/headers"
	"example.com/fairlead/scheduler"
)

// The names of the budgets that models' tokens are counted in, as in package headers.
const (
	allTokens    = "tokens"
	inputTokens  = "input-tokens"
	outputTokens = "output-tokens"
)

// budget is the scheduler's name for a budget, if it has it.
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

// observe tells the scheduler what a server says is left.
func (x *exchange) observe(seen headers.Observations) {
	for i := range seen.Budgets {
		b := &seen.Budgets[i]
		if b.Remaining < 0 || !ofRequests(b) {
			continue
		}
		if name, ok := x.t.budget(x.s, b.Name); ok {
			_ = x.s.Observe(name, b.Remaining) // it may be closed by now
		}
	}
}

// ofRequests reports whether a server's budget may be one of ours. One whose policy counts something else, such as bytes, is not.
func ofRequests(b *headers.Budget) bool {
	return b.Unit == "" || b.Unit == "request" || b.Unit == "requests"
}

// costs are what a request will cost in each budget of tokens that the scheduler has.
func (t *Transport) costs(s *scheduler.Scheduler, in, out int64) (opts []scheduler.Option) {
	t.each(s, in+out, in, out, func(budget string, tokens int64) {
		opts = append(opts, scheduler.CostOf(budget, tokens))
	})
	return opts
}

// settle corrects what a request was said to cost, if the response has told.
func (x *exchange) settle(r *scheduler.Reservation, u *usage) {
	if used, ok := u.sums(); ok {
		x.t.each(x.s, used.Total, used.Input, used.Output, func(budget string, tokens int64) {
			_ = r.Settle(budget, tokens) // it may be closed by now
		})
	}
}

// each calls f for each budget of tokens that the scheduler has.
func (t *Transport) each(s *scheduler.Scheduler, all, in, out int64, f func(budget string, tokens int64)) {
	amounts := [...]int64{all, in, out}
	for i, name := range [...]string{allTokens, inputTokens, outputTokens} {
		if budget, ok := t.budget(s, name); ok && amounts[i] >= 0 {
			f(budget, amounts[i])
		}
	}
}
