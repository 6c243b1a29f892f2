package core

// callList is a linked list of calls. A call can be in one chain at a time.
type callList struct {
	first, last *Call
	count       int
}

// add appends a call.
func (l *callList) add(c *Call) {
	c.detail.prev, c.detail.next = l.last, nil
	if l.last == nil {
		l.first = c
	} else {
		l.last.detail.next = c
	}
	l.last = c
	l.count++
}

func (l *callList) remove(c *Call) {
	if c.detail.prev == nil {
		l.first = c.detail.next
	} else {
		c.detail.prev.detail.next = c.detail.next
	}
	if c.detail.next == nil {
		l.last = c.detail.prev
	} else {
		c.detail.next.detail.prev = c.detail.prev
	}
	c.detail.prev, c.detail.next = nil, nil
	l.count--
}
