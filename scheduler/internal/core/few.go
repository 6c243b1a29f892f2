package core

import "slices"

// fewCalls is how many calls a queue keeps in a slice at most. So many take less memory than a node of a tree,
// and a scheduler may have a queue for each of many keys.
const fewCalls = 8

// pushFew adds a call to the slice. It returns false if the calls are in a tree, or the slice is full.
func (q *queue) pushFew(c *Call) bool {
	if q.root != nil {
		return false
	}
	if len(q.few) == fewCalls {
		q.plant()
		return false
	}
	i := len(q.few)
	for i > 0 && c.Before(q.few[i-1]) {
		i--
	}
	q.few = slices.Insert(q.few, i, c)
	return true
}

// plant moves the calls from the slice into a tree.
func (q *queue) plant() {
	few := q.few
	q.root, q.few = q.newLeaf(), q.few[:0]
	for _, c := range few {
		q.pushTree(c)
	}
	clear(few)
}

// removeFew removes a call from the slice. It returns false if the calls are in a tree.
func (q *queue) removeFew(c *Call) bool {
	if q.root != nil {
		return false
	}
	i := slices.Index(q.few, c)
	q.few = slices.Delete(q.few, i, i+1)
	return true
}

// sumFew returns the aggregate of the calls in the slice that go before until, or of all if until is nil.
func (q *queue) sumFew(until *Call) aggregate {
	a := noCalls
	for _, c := range q.few {
		if until != nil && !c.Before(until) {
			break
		}
		a.addCall(c, q.budgets())
	}
	return a
}
