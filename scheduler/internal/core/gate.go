package core

import "time"

// A gate bounds how many calls of a group are queued or run, apart from MaxInFlight. It is the owner's. The
// core tells the owner when a call needs no room in its gate (Effects.Away), and when it wants to come
// back (Effects.Due). The owner then calls Return at once, or when there is room.

// SetGate gives a gate to a call that is not submitted yet. When the owner submits the call, the gate
// has room for it.
func (c *Call) SetGate(gate any) { c.extras().gate = gate }

// Gate returns the gate of a call, or nil.
func (c *Call) Gate() any {
	if c.detail == nil || c.detail.extra == nil {
		return nil
	}
	return c.detail.extra.gate
}

// away tells the owner that a call will not be queued for a while.
func (k *Core) away(c *Call) {
	if c.Gate() != nil {
		k.Effects.Away = append(k.Effects.Away, c)
	}
}

// comeBack lets a call whose backoff is over, or which arrives later, into the queue. A retry first pays for
// itself. A call with a gate then waits in its state until Return.
func (k *Core) comeBack(c *Call) {
	if c.State == BackingOff && k.boundsRetries() && (k.endHopeless(c) || !k.payForRetry(c)) {
		return
	}
	if c.Gate() == nil {
		k.requeue(c)
		return
	}
	k.stopWaitingToPay(c)
	c.detail.outside = true
	k.keepWaiting(c)
	k.Effects.Due = append(k.Effects.Due, c)
}

// requeue puts a call whose backoff is over, or which arrives later, into the queue. It ends the call if
// its cost can never be granted, or if its turn would come after its deadline.
func (k *Core) requeue(c *Call) {
	if k.endHopeless(c) {
		return
	}
	arrives := c.State == Later
	k.leave(c)
	if arrives {
		k.arriveLate(c)
		return
	}
	k.enqueue(c)
}

// endHopeless ends a call that backs off or arrives later, if its cost can never be granted, or if its turn
// would come after its deadline. It reports whether it did.
func (k *Core) endHopeless(c *Call) bool {
	if err := k.check(c); err != nil { // the capacity was lowered meanwhile
		k.leave(c)
		k.endFailed(c, EndEarly(Early{Cause: err}, c))
		return true
	}
	wait, late := k.late(c)
	if late {
		k.leave(c)
		k.endTooLate(c, wait)
	}
	return late
}

// keepWaiting keeps a call that is due in its state, and puts it where it belongs in its heap from now on.
func (k *Core) keepWaiting(c *Call) {
	heap := k.waiting(c)
	heap.remove(c)
	heap.push(c)
	k.noteDue()
}

// waiting returns the heap in which a call in state BackingOff or Later is.
func (k *Core) waiting(c *Call) *dueHeap {
	if c.State == Later {
		return &k.later
	}
	return &k.backoff
}

// Return lets a call of Effects.Due into the queue. It does nothing if the call has ended.
func (k *Core) Return(now time.Duration, c *Call) {
	k.Advance(now)
	if c.detail.outside {
		k.requeue(c)
		k.advanceNow()
	}
}
