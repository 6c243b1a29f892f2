package core

import (
	"time"

	"example.com/fairlead/bucket"
)

// dueHeap holds calls that come to the queue at an instant, such as those whose backoff delay has not
// passed. They are in order of that instant, and of calls that are due together the senior one comes first.
// How long a backoff delay is, [retry.Policy] decides.
type dueHeap []entry[*Call]

// next returns when the first call is due, or [bucket.Forever] if there is none.
func (h dueHeap) next() time.Duration {
	if len(h) == 0 {
		return bucket.Forever
	}
	return h[0].first
}

// precedes reports whether a call is due that goes before c: one that was due before now, or a
// senior one that is due now. After a stall, several may be due at once.
func (h dueHeap) precedes(now time.Duration, c *Call) bool {
	return len(h) > 0 && (h[0].first < now || h[0].first == now && h[0].value.Before(c))
}

func (h *dueHeap) push(c *Call) {
	due := c.detail.due
	switch {
	case c.detail.outside:
		due = bucket.Forever
	case c.detail.unpaid:
		due = c.givesUpAt()
	}
	(*heap[*Call])(h).push(entry[*Call]{due, c.Rank, c.ID, c})
}

func (h *dueHeap) pop() *Call {
	c := (*h)[0].value
	h.remove(c)
	return c
}

func (h *dueHeap) remove(c *Call) { (*heap[*Call])(h).remove(int(c.detail.index)) }

func (c *Call) setIndex(i int) { c.detail.index = int32(i) }
