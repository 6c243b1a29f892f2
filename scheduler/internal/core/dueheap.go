package core

import (
	"time"

	"example.com/fairlead/bucket"
)

// dueHeap holds calls that come to the queue at an instant, such as those whose backoff delay has
// not passed. It is a heap in which each entry has four children, so that it is half as deep as a
// binary one and the children share a cache line. A call knows its index, so it can be removed.
// How long a backoff delay is, [retry.Policy] decides.
type dueHeap []pending

// pending is a call with the fields that order it, so that comparing does not load the call.
type pending struct {
	due, rank time.Duration
	id        uint64
	call      *Call
}

// before reports whether p is due before q. Of calls that are due together the senior one comes
// first.
func (p *pending) before(q *pending) bool {
	if p.due != q.due {
		return p.due < q.due
	}
	return p.rank < q.rank || p.rank == q.rank && p.id < q.id
}

// next returns when the first call is due, or [bucket.Forever] if there is none.
func (h dueHeap) next() time.Duration {
	if len(h) == 0 {
		return bucket.Forever
	}
	return h[0].due
}

// precedes reports whether a call is due that goes before c: one that was due before now, or a
// senior one that is due now. After a stall, several may be due at once.
func (h dueHeap) precedes(now time.Duration, c *Call) bool {
	return len(h) > 0 && (h[0].due < now || h[0].due == now && h[0].call.Before(c))
}

func (h *dueHeap) push(c *Call) {
	*h = append(*h, pending{})
	due := c.detail.due
	if c.detail.outside {
		due = bucket.Forever
	}
	h.up(len(*h)-1, pending{due, c.Rank, c.ID, c})
}

func (h *dueHeap) pop() *Call {
	c := (*h)[0].call
	h.remove(c)
	return c
}

func (h *dueHeap) remove(c *Call) {
	i, last := int(c.detail.index), len(*h)-1
	p := (*h)[last]
	(*h)[last] = pending{}
	*h = (*h)[:last]
	if i == last {
		return
	}
	if i > 0 && p.before(&(*h)[(i-1)/4]) {
		h.up(i, p)
	} else {
		h.down(i, p)
	}
}

// up puts p at index i or nearer to the top.
func (h dueHeap) up(i int, p pending) {
	for i > 0 {
		parent := (i - 1) / 4
		if !p.before(&h[parent]) {
			break
		}
		h.set(i, h[parent])
		i = parent
	}
	h.set(i, p)
}

// down puts p at index i or farther from the top.
func (h dueHeap) down(i int, p pending) {
	for {
		first := 4*i + 1
		if first >= len(h) {
			break
		}
		least := first
		for child := first + 1; child < min(first+4, len(h)); child++ {
			if h[child].before(&h[least]) {
				least = child
			}
		}
		if !h[least].before(&p) {
			break
		}
		h.set(i, h[least])
		i = least
	}
	h.set(i, p)
}

func (h dueHeap) set(i int, p pending) {
	h[i] = p
	p.call.detail.index = int32(i)
}
