package scheduler

import (
	"math"
	"slices"
	"time"

	"example.com/fairlead/bucket"
)

// maxBudgets is how many budgets a scheduler can have. It is small so that sums of
// costs are plain values.
const maxBudgets = 6

// budgets are what calls pay from: one token bucket for each limit, in order of their
// names. A call takes its cost from each of them, all or nothing.
type budgets []budget

type budget struct {
	name  string
	limit bucket.Limit // as it was configured; the bucket may be slowed down: see adaptiveRate
	bucket.Bucket
}

// check returns an error if a call's cost can never be granted.
func (b budgets) check(c *call) error {
	for i := range b {
		if err := checkCost(b[i].name, b[i].limit, c.costOf(i)); err != nil {
			return err
		}
	}
	return nil
}

func checkCost(name string, l bucket.Limit, cost int64) error {
	err := l.CheckCost(cost)
	if e, ok := err.(*bucket.CostError); ok {
		e.Budget = name
	}
	return err
}

// heldUntil is the instant before which no token leaves.
func (b budgets) heldUntil() time.Duration {
	at := b[0].HeldUntil()
	for i := 1; i < len(b); i++ {
		at = max(at, b[i].HeldUntil())
	}
	return at
}

// readyFor is the first instant at which the tokens for a call will be there.
func (b budgets) readyFor(c *call) time.Duration {
	at := b[0].Ready(c.cost)
	for i := 1; i < len(b); i++ {
		at = max(at, b[i].Ready(c.costOf(i)))
	}
	return at
}

// ready is when as many tokens will have been there as several calls cost together. Of
// several budgets one may be full meanwhile, and lose what comes: then it is later.
func (b budgets) ready(sum *costs) time.Duration {
	at := b[0].Ready(sum[0])
	for i := 1; i < len(b); i++ {
		at = max(at, b[i].Ready(sum[i]))
	}
	return at
}

func (b budgets) advance(at time.Duration) {
	for i := range b {
		b[i].Advance(at)
	}
}

func (b budgets) skip(at time.Duration) {
	for i := range b {
		b[i].Skip(at)
	}
}

// skipped is a copy of what the budgets will be if they stand still until then.
func (b budgets) skipped(until time.Duration) budgets {
	b = slices.Clone(b)
	b.skip(until)
	return b
}

// take pays for a call, and reports false if some of it is not there.
func (b budgets) take(at time.Duration, c *call) bool {
	for i := range b {
		if !b[i].Take(at, c.costOf(i)) {
			return false
		}
	}
	return true
}

func (b budgets) refund(at time.Duration, c *call) {
	for i := range b {
		b[i].Refund(at, c.costOf(i))
	}
}

// hold empties the named budget and stops it until then. The others keep their level and
// refill; nothing leaves them meanwhile, since a call takes from all budgets or from none.
// Without the name of a budget it does so to all: a server that does not say which of its
// quotas is used up may mean any. It reports whether that made a difference.
func (b budgets) hold(at, until time.Duration, name string) (changed bool) {
	named := name != "" && slices.ContainsFunc(b, func(b budget) bool { return b.name == name })
	for i := range b {
		if (!named || b[i].name == name) && b[i].HeldUntil() < until {
			b[i].Hold(at, until)
			changed = true
		}
	}
	return changed
}

// least is the fewest tokens that any of the budgets has.
func (b budgets) least() int64 {
	n := b[0].Available()
	for i := 1; i < len(b); i++ {
		n = min(n, b[i].Available())
	}
	return n
}

// costs are amounts of tokens, one for each budget. What is beyond the number of budgets
// means nothing.
type costs [maxBudgets]int64

// add adds costs in n budgets, without overflow.
func (s *costs) add(more *costs, n int) {
	for i := range n {
		s[i] = addCosts(s[i], more[i])
	}
}

func (s *costs) addCall(c *call, n int) {
	s[0] = addCosts(s[0], c.cost)
	for i := 1; i < n; i++ {
		s[i] = addCosts(s[i], c.costOf(i))
	}
}

// subtractCall undoes addCall, or reports false if it can't: what is the largest number
// there is may have been more.
func (s *costs) subtractCall(c *call, n int) bool {
	for i := range n {
		if s[i] == math.MaxInt64 {
			return false
		}
		s[i] -= c.costOf(i)
	}
	return true
}

// costOf is what an attempt of the call pays from the i-th budget.
func (c *call) costOf(i int) int64 {
	if i == 0 || c.callDetail == nil || !c.several {
		return c.cost
	}
	return c.costs[i]
}

// allCosts are what an attempt of the call pays.
func (c *call) allCosts() (all costs) {
	if c.callDetail != nil && c.several {
		return c.costs
	}
	for i := range all {
		all[i] = c.cost
	}
	return all
}
