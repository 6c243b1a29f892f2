package scheduler

// runningCalls are the calls whose function runs: a list in order of their grants.
type runningCalls struct {
	first, last *call
	count       int
}

func (r *runningCalls) add(c *call) {
	c.prev, c.next = r.last, nil
	if r.last == nil {
		r.first = c
	} else {
		r.last.next = c
	}
	r.last = c
	r.count++
}

func (r *runningCalls) remove(c *call) {
	if c.prev == nil {
		r.first = c.next
	} else {
		c.prev.next = c.next
	}
	if c.next == nil {
		r.last = c.prev
	} else {
		c.next.prev = c.prev
	}
	c.prev, c.next = nil, nil
	r.count--
}
