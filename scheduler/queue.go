package scheduler

// queue holds the calls that wait for tokens, in order of rank. It is a counted
// B+ tree: leaves hold calls, and every node knows how many calls are below it
// and what they cost. So a call's position and the cost of all before it are had
// in O(log n), and so is taking out a call anywhere; at the two ends, where
// almost everything happens, there is little more to do than in a ring.
type queue struct {
	root *node
	free *node // one emptied leaf, kept for the next
}

// fan is how many calls or nodes a node holds.
const fan = 64

// node is a leaf, with calls, or an inner node, with kids.
type node struct {
	parent *node
	count  int
	cost   int64
	calls  list[*call]
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

// index finds an entry that is there, looking at the ends first.
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

// remove takes out the i-th entry.
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

// move appends the entries from the i-th on to another list that has the room.
func (l *list[T]) move(i int, to *list[T]) {
	for _, v := range l.get()[i:] {
		to.insert(to.len(), v)
	}
	clear(l.get()[i:])
	l.hi = l.lo + i
}

func (q *queue) len() int {
	if q.root == nil {
		return 0
	}
	return q.root.count
}

// cost is what all calls in the queue cost together.
func (q *queue) cost() int64 {
	if q.root == nil {
		return 0
	}
	return q.root.cost
}

// head returns the call of the lowest rank, or nil.
func (q *queue) head() *call {
	if q.len() == 0 {
		return nil
	}
	return q.root.first()
}

// first returns the lowest call below n, which is not empty.
func (n *node) first() *call {
	for n.kids.len() > 0 {
		n = n.kids.first()
	}
	return n.calls.first()
}

// before returns the number of calls ahead of one in the queue, and their cost.
func (q *queue) before(c *call) (count int, cost int64) {
	leaf := c.leaf
	for _, other := range leaf.calls.get() {
		if other == c {
			break
		}
		count++
		cost += other.cost
	}
	for n := leaf; n.parent != nil; n = n.parent {
		for _, kid := range n.parent.kids.get() {
			if kid == n {
				break
			}
			count += kid.count
			cost += kid.cost
		}
	}
	return count, cost
}

// push puts a call into its place by rank.
func (q *queue) push(c *call) {
	if q.root == nil {
		q.root = q.newLeaf()
	}
	leaf, i := q.place(c)
	if leaf.calls.full() {
		leaf, i = q.splitLeaf(leaf, i)
	}
	leaf.calls.insert(i, c)
	c.leaf = leaf
	leaf.add(1, c.cost)
}

// add counts calls in, here and above; negative numbers count them out.
func (n *node) add(count int, cost int64) {
	for ; n != nil; n = n.parent {
		n.count += count
		n.cost += cost
	}
}

// transfer counts calls out at one node and in at another, which may have different parents.
func transfer(from, to *node, count int, cost int64) {
	from.add(-count, -cost)
	to.add(count, cost)
}

// place finds the leaf and the index for a call. Almost always that is the end.
func (q *queue) place(c *call) (*node, int) {
	n := q.root
	for n.kids.len() > 0 {
		kids := n.kids.get()
		i := len(kids) - 1
		for i > 0 && c.before(kids[i].first()) {
			i--
		}
		n = kids[i]
	}
	calls := n.calls.get()
	i := len(calls)
	for i > 0 && c.before(calls[i-1]) {
		i--
	}
	return n, i
}

// splitLeaf makes room in a full leaf and returns where index i has gone. At the
// end nothing is moved, so that a queue filled in order has full leaves.
func (q *queue) splitLeaf(leaf *node, i int) (*node, int) {
	right := q.newLeaf()
	q.insertAfter(leaf, right)
	if i == fan {
		return right, 0
	}
	leaf.calls.move(fan/2, &right.calls)
	var cost int64
	for _, c := range right.calls.get() {
		c.leaf = right
		cost += c.cost
	}
	transfer(leaf, right, right.calls.len(), cost)
	if i <= fan/2 {
		return leaf, i
	}
	return right, i - fan/2
}

// insertAfter makes right, which is new and counts nothing yet, the next sibling of left.
func (q *queue) insertAfter(left, right *node) {
	parent := left.parent
	if parent == nil {
		parent = &node{count: left.count, cost: left.cost}
		parent.kids.insert(0, left)
		left.parent = parent
		q.root = parent
	}
	i := parent.kids.index(left) + 1
	if parent.kids.full() {
		sibling := &node{}
		q.insertAfter(parent, sibling)
		if i == fan {
			parent, i = sibling, 0
		} else {
			parent.kids.move(fan/2, &sibling.kids)
			count, cost := 0, int64(0)
			for _, kid := range sibling.kids.get() {
				kid.parent = sibling
				count += kid.count
				cost += kid.cost
			}
			transfer(parent, sibling, count, cost)
			if i > fan/2 {
				parent, i = sibling, i-fan/2
			}
		}
	}
	parent.kids.insert(i, right)
	right.parent = parent
}

// remove takes a call out, and whatever memory is then no longer needed.
func (q *queue) remove(c *call) {
	leaf := c.leaf
	c.leaf = nil
	leaf.calls.remove(leaf.calls.index(c))
	leaf.add(-1, -c.cost)
	switch n := leaf.calls.len(); {
	case n == 0:
		q.drop(leaf)
	case n <= fan/4:
		q.merge(leaf)
	}
}

// drop removes an empty node, and every node above that becomes empty by it.
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
		n.parent, n.calls.lo, n.calls.hi = nil, 0, 0
		q.free = n
	}
	for q.root != nil && q.root.kids.len() == 1 {
		q.root = q.root.kids.first()
		q.root.parent = nil
	}
}

// merge moves the calls of a sparse leaf in front of those of the next, if both fit
// in half a leaf: so a queue of which most was cancelled gives its memory back,
// and a leaf is not split again right after.
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
	transfer(leaf, into, leaf.count, leaf.cost)
	clear(leaf.calls.get())
	q.drop(leaf)
}

func (q *queue) newLeaf() *node {
	if leaf := q.free; leaf != nil {
		q.free = nil
		return leaf
	}
	leaf := &node{}
	leaf.calls.at = make([]*call, fan)
	return leaf
}
