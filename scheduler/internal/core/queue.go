package core

import (
	"sort"

	"example.com/fairlead/bucket"
)

// queue holds the calls that wait for tokens, FIFO by rank. It is a counted B+ tree. Leaves hold
// calls, and every node has the aggregate of the calls below it. So a call's position, the cost
// of all calls before it, and removing a call anywhere take O(log n). At the two ends, where
// almost everything happens, the queue costs little more than a ring. Few calls are in a slice instead.
type queue struct {
	more int // how many budgets there are besides the first
	root *node
	free *node   // an emptied leaf, kept for the next
	few  []*Call // in order; empty if there is a root
}

func (q *queue) budgets() int { return 1 + q.more }

// fan is how many calls or nodes a node holds.
const fan = 64

// node is a leaf, with calls, or an inner node, with kids.
type node struct {
	aggregate
	parent *node
	calls  list[*Call]
	kids   list[*node]
}

// list is an array of up to fan entries that is cheap to use at both ends.
type list[T comparable] struct {
	at     []T // nil, or of length fan
	lo, hi int // the entries are at[lo:hi]
}

func (l *list[T]) len() int   { return l.hi - l.lo }
func (l *list[T]) get() []T   { return l.at[l.lo:l.hi] }
func (l *list[T]) first() T   { return l.at[l.lo] }
func (l *list[T]) last() T    { return l.at[l.hi-1] }
func (l *list[T]) full() bool { return l.len() == fan }

// index returns the index of an entry. It tries the ends first.
func (l *list[T]) index(v T) int {
	if l.last() == v {
		return l.len() - 1
	}
	for i, w := range l.get() {
		if w == v {
			return i
		}
	}
	panic("scheduler: an entry is not where the queue says it is")
}

// insert puts v before the i-th entry of a list that is not full.
func (l *list[T]) insert(i int, v T) {
	if l.at == nil {
		l.at = make([]T, fan)
	}
	if l.hi == fan {
		n := copy(l.at, l.get())
		clear(l.at[n:])
		l.lo, l.hi = 0, n
	}
	l.hi++
	e := l.get()
	copy(e[i+1:], e[i:])
	e[i] = v
}

// remove removes the i-th entry.
func (l *list[T]) remove(i int) {
	var zero T
	if i == 0 {
		l.at[l.lo] = zero
		l.lo++
		return
	}
	e := l.get()
	copy(e[i:], e[i+1:])
	e[len(e)-1] = zero
	l.hi--
}

// move appends the entries from the i-th on to another list, which must have room for them.
func (l *list[T]) move(i int, to *list[T]) {
	for _, v := range l.get()[i:] {
		to.insert(to.len(), v)
	}
	clear(l.get()[i:])
	l.hi = l.lo + i
}

// head returns the call that is next, or nil.
func (q *queue) head() *Call {
	if q.root != nil {
		return q.root.first()
	}
	if len(q.few) > 0 {
		return q.few[0]
	}
	return nil
}

// first returns the call below n that ranks first.
func (n *node) first() *Call {
	for n.kids.len() > 0 {
		n = n.kids.first()
	}
	return n.calls.first()
}

// last returns the call below n that ranks last.
func (n *node) last() *Call {
	for n.kids.len() > 0 {
		n = n.kids.last()
	}
	return n.calls.last()
}

// push adds a call at the place of its rank.
func (q *queue) push(c *Call) {
	if !q.pushFew(c) {
		q.pushTree(c)
	}
}

func (q *queue) pushTree(c *Call) {
	leaf, i := q.place(c)
	if leaf.calls.full() {
		leaf, i = q.splitLeaf(leaf, i)
	}
	leaf.calls.insert(i, c)
	c.leaf = leaf
	for n := leaf; n != nil; n = n.parent {
		n.aggregate.addCall(c, q.budgets())
	}
}

// place returns the leaf and the index for a call. Almost always that is the end.
func (q *queue) place(c *Call) (*node, int) {
	n := q.root
	for n.kids.len() > 0 {
		n = n.kids.get()[n.kidFor(c)]
	}
	calls := n.calls.get()
	if len(calls) == 0 || calls[len(calls)-1].Before(c) {
		return n, len(calls)
	}
	return n, sort.Search(len(calls), func(i int) bool { return c.Before(calls[i]) })
}

// kidFor returns the index of the last kid that begins before c, or else 0.
func (n *node) kidFor(c *Call) int {
	kids := n.kids.get()
	if last := len(kids) - 1; kids[last].first().Before(c) {
		return last
	}
	return max(0, sort.Search(len(kids), func(i int) bool { return !kids[i].first().Before(c) })-1)
}

// splitLeaf makes room in a full leaf, and returns the new place of index i. At the end it moves
// no calls, so that a queue filled in order has full leaves.
func (q *queue) splitLeaf(leaf *node, i int) (*node, int) {
	right := q.newLeaf()
	q.insertAfter(leaf, right)
	if i == fan {
		return right, 0
	}
	leaf.calls.move(fan/2, &right.calls)
	for _, c := range right.calls.get() {
		c.leaf = right
	}
	q.update(leaf)
	q.update(right)
	if i <= fan/2 {
		return leaf, i
	}
	return right, i - fan/2
}

// insertAfter makes right, which is new and empty, the next sibling of left.
func (q *queue) insertAfter(left, right *node) {
	parent := left.parent
	if parent == nil {
		parent = &node{aggregate: left.aggregate}
		parent.kids.insert(0, left)
		left.parent = parent
		q.root = parent
	}
	i := parent.kids.index(left) + 1
	if parent.kids.full() {
		parent, i = q.splitInner(parent, i)
	}
	parent.kids.insert(i, right)
	right.parent = parent
}

// splitInner splits a full inner node as splitLeaf does a leaf.
func (q *queue) splitInner(n *node, i int) (*node, int) {
	right := &node{aggregate: noCalls}
	q.insertAfter(n, right)
	if i == fan {
		return right, 0
	}
	n.kids.move(fan/2, &right.kids)
	for _, kid := range right.kids.get() {
		kid.parent = right
	}
	q.update(n)
	q.update(right)
	if i <= fan/2 {
		return n, i
	}
	return right, i - fan/2
}

// remove removes a call, and frees the nodes that become empty.
func (q *queue) remove(c *Call) {
	if q.removeFew(c) {
		return
	}
	leaf := c.leaf
	c.leaf = nil
	leaf.calls.remove(leaf.calls.index(c))
	for n := leaf; n != nil; n = n.parent {
		n.count--
		if c.Attempts == 0 {
			n.neverGranted--
		}
		if !n.cost.subtractCall(c, q.budgets()) {
			n.cost = q.sum(n).cost
		}
		if c.Deadline == n.deadline && c.Deadline != bucket.Forever {
			n.deadline = n.earliest(c.Deadline)
		}
	}
	switch n := leaf.calls.len(); {
	case n == 0:
		q.drop(leaf)
	case n <= fan/4:
		q.merge(leaf)
	}
}

// drop removes an empty node, and the nodes above it that become empty.
func (q *queue) drop(n *node) {
	parent := n.parent
	if parent == nil {
		q.root = nil
	} else {
		parent.kids.remove(parent.kids.index(n))
		if parent.kids.len() == 0 {
			q.drop(parent)
		}
	}
	if n.calls.at != nil {
		n.aggregate, n.parent, n.calls.lo, n.calls.hi = noCalls, nil, 0, 0
		q.free = n
	}
	for q.root != nil && q.root.kids.len() == 1 {
		q.root = q.root.kids.first()
		q.root.parent = nil
	}
}

// merge moves the calls of a sparse leaf to the leaf before it, if both fit into half a leaf. So
// a queue from which most calls were canceled frees its memory, and a leaf is not split again
// right after.
func (q *queue) merge(leaf *node) {
	if leaf.parent == nil {
		return
	}
	siblings := leaf.parent.kids.get()
	i := leaf.parent.kids.index(leaf)
	if i == 0 || siblings[i-1].calls.len()+leaf.calls.len() > fan/2 {
		return
	}
	into := siblings[i-1]
	for _, c := range leaf.calls.get() {
		into.calls.insert(into.calls.len(), c)
		c.leaf = into
	}
	into.aggregate.add(&leaf.aggregate, q.budgets())
	clear(leaf.calls.get())
	q.drop(leaf)
}

func (q *queue) newLeaf() *node {
	if leaf := q.free; leaf != nil {
		q.free = nil
		return leaf
	}
	leaf := &node{aggregate: noCalls}
	leaf.calls.at = make([]*Call, fan)
	return leaf
}
