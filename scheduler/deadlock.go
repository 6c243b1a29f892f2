package scheduler

// nesting links a call to the call inside which it was made, and to the calls made inside it.
type nesting struct {
	outer        *call // the call inside which this one was made; nil if there is none or it is not known
	outerAttempt int   // the attempt of outer that ran then
	linked       bool  // this call is counted in outer's inner
	inner        int   // how many calls made inside the running attempt have not ended
}

// outer returns the call inside which c was made, as long as the attempt that made it runs.
func (c *call) outer() *call {
	if c.callDetail == nil || c.extra == nil || c.extra.outer == nil {
		return nil
	}
	if o := c.extra.outer; o.state == running && o.attempts == c.extra.outerAttempt {
		return o
	}
	return nil
}

// link notes that the call inside which c was made waits for c until it has ended.
func (k *core) link(c *call) {
	o := c.outer()
	if o == nil {
		return
	}
	c.extra.linked = true
	x := o.extras()
	if x.inner++; x.inner == 1 {
		k.stuck++
	}
}

// unlink notes that c has ended.
func (k *core) unlink(c *call) {
	if c.extra == nil || !c.extra.linked {
		return
	}
	c.extra.linked = false
	if o := c.outer(); o != nil {
		if o.extra.inner--; o.extra.inner == 0 {
			k.stuck--
		}
	}
}

// unlinkInner notes that the attempt of c is over, and with it the wait for inner calls.
func (k *core) unlinkInner(c *call) {
	if c.extra != nil && c.extra.inner > 0 {
		c.extra.inner = 0
		k.stuck--
	}
}

// deadlocked reports whether every slot is held by a call that waits for an inner call.
func (k *core) deadlocked() bool {
	return k.stuck > 0 && !k.hasSlot() && k.inFast == 0 && k.stuck == k.running.count
}

// breakDeadlock ends queued inner calls, the newest first, until no deadlock is left.
func (k *core) breakDeadlock() {
	for k.deadlocked() {
		newest := k.newestInner()
		if newest == nil {
			return
		}
		outer := newest.extra.outer.id
		k.leave(newest)
		k.endFailed(newest, endEarly(early{reason: deadlock, outer: outer, most: k.maxInFlight}, newest))
	}
}

// newestInner returns the newest queued call for which an outer call waits.
func (k *core) newestInner() (newest *call) {
	look := func(c *call) {
		if c.outer() != nil && (newest == nil || c.id > newest.id) {
			newest = c
		}
	}
	k.queue.each(look)
	for i := range k.backoff {
		look(k.backoff[i].call)
	}
	return newest
}
