package core

import (
	"time"

	"example.com/fairlead/bucket"
)

// aggregate sums up some calls.
type aggregate struct {
	count        int
	neverGranted int           // those that were never granted
	cost         Costs         // at most math.MaxInt64, which then stands for more
	deadline     time.Duration // the earliest; bucket.Forever if there is none
}

var noCalls = aggregate{deadline: bucket.Forever}

// add adds m to a, in n budgets.
func (a *aggregate) add(m *aggregate, n int) {
	a.count += m.count
	a.neverGranted += m.neverGranted
	a.cost.add(&m.cost, n)
	a.deadline = min(a.deadline, m.deadline)
}

func (a *aggregate) addCall(c *Call, n int) {
	a.count++
	if c.Attempts == 0 {
		a.neverGranted++
	}
	a.cost.addCall(c, n)
	a.deadline = min(a.deadline, c.Deadline)
}

// sum returns the aggregate of a node, computed anew.
func (q *queue) sum(n *node) aggregate {
	a := noCalls
	for _, kid := range n.kids.get() {
		a.add(&kid.aggregate, q.budgets())
	}
	for _, c := range n.calls.get() {
		a.addCall(c, q.budgets())
	}
	return a
}

// earliest returns the earliest deadline below a node. No deadline comes before known, so the
// search ends when it finds that one.
func (n *node) earliest(known time.Duration) time.Duration {
	earliest := time.Duration(bucket.Forever)
	for _, kid := range n.kids.get() {
		if earliest = min(earliest, kid.deadline); earliest == known {
			return known
		}
	}
	for _, c := range n.calls.get() {
		if earliest = min(earliest, c.Deadline); earliest == known {
			return known
		}
	}
	return earliest
}

// update computes anew the aggregates of a node and of all nodes above it, after calls were
// moved.
func (q *queue) update(n *node) {
	for ; n != nil; n = n.parent {
		n.aggregate = q.sum(n)
	}
}

// all returns the aggregate of the whole queue.
func (q *queue) all() aggregate {
	if q.root == nil {
		return q.sumFew(nil)
	}
	return q.root.aggregate
}

func (q *queue) len() int {
	if q.root == nil {
		return len(q.few)
	}
	return q.root.count
}

// neverGranted returns how many queued calls wait for their first attempt.
func (q *queue) neverGranted() int {
	if q.root == nil {
		return neverGranted(q.few)
	}
	return q.root.aggregate.neverGranted
}

func neverGranted(calls []*Call) (n int) {
	for _, c := range calls {
		if c.Attempts == 0 {
			n++
		}
	}
	return n
}

// lastNeverGranted returns the call that ranks last of those that were never granted, or nil.
func (q *queue) lastNeverGranted() *Call {
	if q.neverGranted() == 0 {
		return nil
	}
	calls := q.few
	if q.root != nil {
		calls = q.root.lastLeaf().calls.get()
	}
	i := len(calls) - 1
	for calls[i].Attempts > 0 {
		i--
	}
	return calls[i]
}

// lastLeaf returns the last leaf below n with a call that was never granted.
func (n *node) lastLeaf() *node {
	for n.kids.len() > 0 {
		kids := n.kids.get()
		i := len(kids) - 1
		for kids[i].neverGranted == 0 {
			i--
		}
		n = kids[i]
	}
	return n
}

// ahead returns the aggregate of the calls that go before c. The call itself may be queued or
// not.
func (q *queue) ahead(c *Call) aggregate {
	if q.root == nil {
		return q.sumFew(c)
	}
	if q.root.last().Before(c) {
		return q.root.aggregate
	}
	a, n := noCalls, q.root
	for n.kids.len() > 0 {
		i := n.kidFor(c)
		for _, kid := range n.kids.get()[:i] {
			a.add(&kid.aggregate, q.budgets())
		}
		n = n.kids.get()[i]
	}
	for _, other := range n.calls.get() {
		if !other.Before(c) {
			break
		}
		a.addCall(other, q.budgets())
	}
	return a
}

// late returns, in order, the calls that would be granted after their deadlines. ready returns
// when the tokens for a cost will be there. A late call does not delay those behind it. Nodes
// without late calls are skipped.
func (q *queue) late(ready func(*Costs) time.Duration) (found []*Call) {
	if q.root != nil {
		q.lateIn(q.root, Costs{}, ready, &found)
	} else {
		q.lateOf(q.few, Costs{}, ready, &found)
	}
	return found
}

// lateIn adds the late calls of a node to found, and returns the cost of all calls so far that
// are not late.
func (q *queue) lateIn(n *node, cost Costs, ready func(*Costs) time.Duration, found *[]*Call) Costs {
	all := cost
	if all.add(&n.cost, q.budgets()); n.deadline == bucket.Forever || ready(&all) <= n.deadline {
		return all
	}
	for _, kid := range n.kids.get() {
		cost = q.lateIn(kid, cost, ready, found)
	}
	return q.lateOf(n.calls.get(), cost, ready, found)
}

// lateOf does what lateIn does, for calls that follow one another.
func (q *queue) lateOf(calls []*Call, cost Costs, ready func(*Costs) time.Duration, found *[]*Call) Costs {
	for _, c := range calls {
		all := cost
		if all.addCall(c, q.budgets()); ready(&all) <= c.Deadline {
			cost = all
		} else {
			*found = append(*found, c)
		}
	}
	return cost
}

// each calls f for every call, in order. f must not change the queue.
func (q *queue) each(f func(*Call)) {
	if q.root != nil {
		q.root.each(f)
	}
	for _, c := range q.few {
		f(c)
	}
}

func (n *node) each(f func(*Call)) {
	for _, kid := range n.kids.get() {
		kid.each(f)
	}
	for _, c := range n.calls.get() {
		f(c)
	}
}
