package scheduler

import (
	"time"

	"example.com/fairlead/bucket"
)

// aggregate is what some calls add up to.
type aggregate struct {
	count        int
	neverGranted int           // those that were never granted
	cost         costs         // the largest number there is where it would be more
	deadline     time.Duration // the earliest of them; bucket.Forever if there is none
}

var noCalls = aggregate{deadline: bucket.Forever}

// add adds what others add up to, in n budgets.
func (l *aggregate) add(m *aggregate, n int) {
	l.count += m.count
	l.neverGranted += m.neverGranted
	l.cost.add(&m.cost, n)
	l.deadline = min(l.deadline, m.deadline)
}

func (l *aggregate) addCall(c *call, n int) {
	l.count++
	if c.attempt == 0 {
		l.neverGranted++
	}
	l.cost.addCall(c, n)
	l.deadline = min(l.deadline, c.deadline)
}

// sum works out what a node adds up to.
func (q *queue) sum(n *node) aggregate {
	l := noCalls
	for _, kid := range n.kids.get() {
		l.add(&kid.aggregate, q.budgets())
	}
	for _, c := range n.calls.get() {
		l.addCall(c, q.budgets())
	}
	return l
}

// earliest is the earliest deadline below a node, of which it is known that none comes
// before a certain one: so it need not look further if it finds that.
func (n *node) earliest(known time.Duration) time.Duration {
	earliest := time.Duration(bucket.Forever)
	for _, kid := range n.kids.get() {
		if earliest = min(earliest, kid.deadline); earliest == known {
			return known
		}
	}
	for _, c := range n.calls.get() {
		if earliest = min(earliest, c.deadline); earliest == known {
			return known
		}
	}
	return earliest
}

// update puts right what a node and all above it add up to, after calls were moved.
func (q *queue) update(n *node) {
	for ; n != nil; n = n.parent {
		n.aggregate = q.sum(n)
	}
}

// all is what the whole queue adds up to.
func (q *queue) all() aggregate {
	if q.root == nil {
		return noCalls
	}
	return q.root.aggregate
}

func (q *queue) len() int {
	if q.root == nil {
		return 0
	}
	return q.root.count
}

// neverGranted is how many of the calls were never granted.
func (q *queue) neverGranted() int {
	if q.root == nil {
		return 0
	}
	return q.root.aggregate.neverGranted
}

// lastNeverGranted returns the highest call that was never granted, or nil.
func (q *queue) lastNeverGranted() *call {
	if q.neverGranted() == 0 {
		return nil
	}
	n := q.root
	for n.kids.len() > 0 {
		kids := n.kids.get()
		i := len(kids) - 1
		for kids[i].neverGranted == 0 {
			i--
		}
		n = kids[i]
	}
	calls := n.calls.get()
	i := len(calls) - 1
	for calls[i].attempt > 0 {
		i--
	}
	return calls[i]
}

// ahead is what the calls add up to that go before one, which may be in the queue or not.
func (q *queue) ahead(c *call) aggregate {
	if q.root == nil {
		return noCalls
	}
	if q.root.last().before(c) {
		return q.root.aggregate
	}
	l, n := noCalls, q.root
	for n.kids.len() > 0 {
		i := n.kidFor(c)
		for _, kid := range n.kids.get()[:i] {
			l.add(&kid.aggregate, q.budgets())
		}
		n = n.kids.get()[i]
	}
	for _, other := range n.calls.get() {
		if !other.before(c) {
			break
		}
		l.addCall(other, q.budgets())
	}
	return l
}

// late returns, in order, the calls that would be granted after their deadlines,
// given when how many tokens will be there. A late call is not in the way of those
// behind it. What can't have any is not looked into.
func (q *queue) late(ready func(*costs) time.Duration) (found []*call) {
	if q.root != nil {
		q.lateIn(q.root, costs{}, ready, &found)
	}
	return found
}

// lateIn adds to found, and returns the cost of all up to here that are not late.
func (q *queue) lateIn(n *node, cost costs, ready func(*costs) time.Duration, found *[]*call) costs {
	all := cost
	if all.add(&n.cost, q.budgets()); n.deadline == bucket.Forever || ready(&all) <= n.deadline {
		return all
	}
	for _, kid := range n.kids.get() {
		cost = q.lateIn(kid, cost, ready, found)
	}
	for _, c := range n.calls.get() {
		all := cost
		if all.addCall(c, q.budgets()); ready(&all) <= c.deadline {
			cost = all
		} else {
			*found = append(*found, c)
		}
	}
	return cost
}

// each calls f for every call, in order. f must not change the queue.
func (q *queue) each(f func(*call)) {
	if q.root != nil {
		q.root.each(f)
	}
}

func (n *node) each(f func(*call)) {
	for _, kid := range n.kids.get() {
		kid.each(f)
	}
	for _, c := range n.calls.get() {
		f(c)
	}
}
