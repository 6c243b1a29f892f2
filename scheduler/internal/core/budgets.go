package core

import (
	"math"
	"slices"
	"time"

	"example.com/fairlead/bucket"
)

// MaxBudgets limits the budgets of a scheduler, so that sums of costs are plain values.
const MaxBudgets = 6

// Budgets are the token buckets from which calls pay, one for each limit, in the order of their
// names. A call takes its cost from all of them or from none.
type Budgets []Budget

// check returns an error if a call's cost can never be granted.
func (b Budgets) check(c *Call) error {
	for i := range b {
		if err := CheckCost(b[i].Name, b[i].Configured, c.costOf(i)); err != nil {
			return err
		}
	}
	return nil
}

// CheckCost returns an error if a cost can never be granted by the budget of this name.
func CheckCost(name string, l bucket.Limit, cost int64) error {
	err := l.CheckCost(cost)
	if e, ok := err.(*bucket.CostError); ok {
		e.Budget = name
	}
	return err
}

// heldUntil returns the instant before which no token leaves, since a server sent a Retry-After.
// It may be in the past.
func (b Budgets) heldUntil() time.Duration {
	at := b[0].HeldUntil()
	for i := 1; i < len(b); i++ {
		at = max(at, b[i].HeldUntil())
	}
	return at
}

// readyFor returns the first instant at which the tokens for a call will be there.
func (b Budgets) readyFor(c *Call) time.Duration {
	at := b[0].Ready(c.Cost)
	for i := 1; i < len(b); i++ {
		at = max(at, b[i].Ready(c.costOf(i)))
	}
	return at
}

// ready returns when the tokens for the summed cost of several calls will have been there. With
// several budgets it is a lower bound, since one of them may be full meanwhile and lose its
// refill. For a budget that processes share it is one in any case.
func (b Budgets) ready(sum *Costs) time.Duration {
	at := b[0].earliest(sum[0])
	for i := 1; i < len(b); i++ {
		at = max(at, b[i].earliest(sum[i]))
	}
	return at
}

// expected returns when the tokens for the summed cost of several calls are expected. It differs from ready
// only for a budget that processes share. It returns [bucket.Forever] if that is not known.
func (b Budgets) expected(sum *Costs) time.Duration {
	at := b[0].expected(sum[0])
	for i := 1; i < len(b); i++ {
		at = max(at, b[i].expected(sum[i]))
	}
	return at
}

func (b Budgets) advance(at time.Duration) {
	for i := range b {
		b[i].Advance(at)
	}
}

func (b Budgets) skip(at time.Duration) {
	for i := range b {
		b[i].Skip(at)
	}
}

// skipped returns a copy of the budgets as they will be if they stand still until an instant.
func (b Budgets) skipped(until time.Duration) Budgets {
	b = slices.Clone(b)
	for i := range b {
		if b[i].stock != nil {
			b[i].stock = b[i].stock.clone()
		}
	}
	b.skip(until)
	return b
}

// take pays for a call. It reports false if a budget does not have the tokens.
func (b Budgets) take(at time.Duration, c *Call) bool {
	for i := range b {
		if !b[i].Take(at, c.costOf(i)) {
			return false
		}
	}
	return true
}

// refund gives back what an attempt has paid that was never started.
func (b Budgets) refund(at time.Duration, c *Call) {
	for i := range b {
		b[i].RefundFrom(at, c.detail.granted, c.costOf(i))
	}
}

// hold empties the named budget and stops it until an instant, as a Retry-After asks. The other
// budgets keep their level and refill, but no token leaves them meanwhile, since a call takes
// from all budgets or from none. Without a known name hold stops all budgets, since the server
// may mean any of its quotas. It reports whether that changed anything.
func (b Budgets) hold(at, until time.Duration, name string) (changed bool) {
	named := b.has(name)
	for i := range b {
		if (!named || b[i].Name == name) && b[i].HeldUntil() < until {
			b[i].Hold(at, until)
			changed = true
		}
	}
	return changed
}

// giveBack gives the tokens of shared budgets back, since this process spends none for a while.
func (b Budgets) giveBack() {
	for i := range b {
		if s := b[i].stock; s != nil {
			s.giveBackAll()
		}
	}
}

// has reports whether there is a budget with this name.
func (b Budgets) has(name string) bool {
	return name != "" && slices.ContainsFunc(b, func(b Budget) bool { return b.Name == name })
}

// Least returns the fewest tokens that any of the budgets has.
func (b Budgets) Least() int64 {
	n := b[0].Available()
	for i := 1; i < len(b); i++ {
		n = min(n, b[i].Available())
	}
	return n
}

// Costs are amounts of tokens, one for each budget. Entries beyond the number of budgets mean
// nothing.
type Costs [MaxBudgets]int64

// add adds costs in n budgets, without overflow.
func (s *Costs) add(more *Costs, n int) {
	for i := range n {
		s[i] = addCosts(s[i], more[i])
	}
}

func (s *Costs) addCall(c *Call, n int) {
	s[0] = addCosts(s[0], c.Cost)
	for i := 1; i < n; i++ {
		s[i] = addCosts(s[i], c.costOf(i))
	}
}

// subtractCall undoes addCall. It reports false if it can't, since a sum of math.MaxInt64 may
// stand for more.
func (s *Costs) subtractCall(c *Call, n int) bool {
	for i := range n {
		if s[i] == math.MaxInt64 {
			return false
		}
		s[i] -= c.costOf(i)
	}
	return true
}

// costOf returns what an attempt of the call pays from the i-th budget.
func (c *Call) costOf(i int) int64 {
	if i == 0 || c.detail == nil || !c.detail.options.Several {
		return c.Cost
	}
	return c.detail.options.Costs[i]
}

// AllCosts returns what an attempt of the call pays from each budget.
func (c *Call) AllCosts() (all Costs) {
	if o := c.Options(); o.Several {
		return o.Costs
	}
	for i := range all {
		all[i] = c.Cost
	}
	return all
}
