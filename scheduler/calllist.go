package scheduler

// callList is a linked list of calls. A call can be in one chain at a time.
type callList struct {
	first, last *call
	count       int
}

// add appends a call.
func (l *callList) add(c *call) {
	c.prev, c.next = l.last, nil
	if l.last == nil {
		l.first = c
	} else {
		l.last.next = c
	}
	l.last = c
	l.count++
}

func (l *callList) remove(c *call) {
	if c.prev == nil {
		l.first = c.next
	} else {
		c.prev.next = c.next
	}
	if c.next == nil {
		l.last = c.prev
	} else {
		c.next.prev = c.prev
	}
	c.prev, c.next = nil, nil
	l.count--
}
