package core

import "slices"

// nesting links a call to the call inside which it was made, and to the calls made inside it.
type nesting struct {
	outer        *Call // the call inside which this one was made; nil if there is none or it is not known
	outerAttempt int32 // the attempt of outer that ran then
	linked       bool  // this call is counted in outer's inner
	inner        int   // how many calls made inside the running attempt have not ended
}

// MakeInside notes that c is made inside an attempt of outer, and that outer waits for c.
func (c *Call) MakeInside(outer *Call, attempt int) {
	x := c.extras()
	x.outer, x.outerAttempt = outer, int32(attempt)
}

// outer returns the call inside which c was made, as long as the attempt that made it runs.
func (c *Call) outer() *Call {
	if c.detail == nil || c.detail.extra == nil || c.detail.extra.outer == nil {
		return nil
	}
	if o := c.detail.extra.outer; o.State == Running && o.Attempts == c.detail.extra.outerAttempt {
		return o
	}
	return nil
}

// link notes that the call inside which c was made waits for c until it has ended.
func (k *Core) link(c *Call) {
	o := c.outer()
	if o == nil {
		return
	}
	c.detail.extra.linked = true
	x := o.extras()
	if x.inner++; x.inner == 1 {
		k.stuck++
	}
}

// unlink notes that c has ended.
func (k *Core) unlink(c *Call) {
	if c.detail.extra == nil || !c.detail.extra.linked {
		return
	}
	c.detail.extra.linked = false
	if o := c.outer(); o != nil {
		if o.detail.extra.inner--; o.detail.extra.inner == 0 {
			k.stuck--
		}
	}
}

// unlinkInner notes that the attempt of c is over, and with it the wait for inner calls.
func (k *Core) unlinkInner(c *Call) {
	if c.detail.extra != nil && c.detail.extra.inner > 0 {
		c.detail.extra.inner = 0
		k.stuck--
	}
}

// deadlocked reports whether every slot is held by a call that waits for an inner call.
func (k *Core) deadlocked() bool {
	return k.stuck > 0 && !k.hasSlot() && k.InFast == 0 && k.stuck == k.running.count
}

// breakDeadlock ends queued inner calls, the newest first, until no deadlock is left.
func (k *Core) breakDeadlock() {
	for k.deadlocked() {
		newest := k.newestInner()
		if newest == nil {
			return
		}
		outer := newest.detail.extra.outer.ID
		k.leave(newest)
		k.endFailed(newest, EndEarly(Early{Reason: Deadlock, Outer: outer, Most: k.MaxInFlight}, newest))
	}
}

// newestInner returns the newest waiting call for which an outer call waits.
func (k *Core) newestInner() (newest *Call) {
	k.eachInner(func(c, _ *Call) {
		if newest == nil || c.ID > newest.ID {
			newest = c
		}
	})
	return newest
}

// eachInner calls f for each waiting call for which an outer call waits, in no order, and for that outer call.
func (k *Core) eachInner(f func(inner, outer *Call)) {
	look := func(c *Call) {
		if o := c.outer(); o != nil {
			f(c, o)
		}
	}
	k.eachQueued(look)
	for i := range k.backoff {
		look(k.backoff[i].value)
	}
	for i := range k.later {
		look(k.later[i].value)
	}
}

// breakDeadlockOf ends inner calls of a key, the newest first, until no deadlock of its slots is left. Only a new
// inner call of the key makes such a deadlock.
func (k *Core) breakDeadlockOf(l *lane) {
	for newest := k.deadlockOf(l); newest != nil; newest = k.deadlockOf(l) {
		early := Early{Reason: Deadlock, Outer: newest.outer().ID, Most: k.perKey.MaxInFlight, Key: l.name}
		k.leave(newest)
		k.endFailed(newest, EndEarly(early, newest))
		k.advanceNow()
	}
}

// deadlockOf returns the newest waiting inner call of a key, if each slot of the key is held by a call that waits
// for such an inner call. Otherwise it returns nil.
func (k *Core) deadlockOf(l *lane) (newest *Call) {
	if most := k.perKey.MaxInFlight; l == &k.plain || most == 0 || int(l.running) < most {
		return nil
	}
	var stuck []*Call
	k.eachInner(func(c, o *Call) {
		if k.laneOf(c) != l || k.laneOf(o) != l {
			return
		}
		if !slices.Contains(stuck, o) {
			stuck = append(stuck, o)
		}
		if newest == nil || c.ID > newest.ID {
			newest = c
		}
	})
	if len(stuck) < int(l.running) {
		return nil
	}
	return newest
}
