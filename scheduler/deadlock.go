package scheduler

// nesting links a call to the call inside which it was made, and to the calls made inside it.
type nesting struct {
	outer        *coreCall // the call inside which this one was made; nil if there is none or it is not known
	outerAttempt int32     // the attempt of outer that ran then
	linked       bool      // this call is counted in outer's inner
	inner        int       // how many calls made inside the running attempt have not ended
}

// makeInside notes that c is made inside an attempt of outer, and that outer waits for c.
func (c *coreCall) makeInside(outer *coreCall, attempt int) {
	x := c.extras()
	x.outer, x.outerAttempt = outer, int32(attempt)
}

// outer returns the call inside which c was made, as long as the attempt that made it runs.
func (c *coreCall) outer() *coreCall {
	if c.detail == nil || c.detail.extra == nil || c.detail.extra.outer == nil {
		return nil
	}
	if o := c.detail.extra.outer; o.state == running && o.attempts == c.detail.extra.outerAttempt {
		return o
	}
	return nil
}

// link notes that the call inside which c was made waits for c until it has ended.
func (k *core) link(c *coreCall) {
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
func (k *core) unlink(c *coreCall) {
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
func (k *core) unlinkInner(c *coreCall) {
	if c.detail.extra != nil && c.detail.extra.inner > 0 {
		c.detail.extra.inner = 0
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
		outer := newest.detail.extra.outer.id
		k.leave(newest)
		k.endFailed(newest, endEarly(early{reason: deadlock, outer: outer, most: k.maxInFlight}, newest))
	}
}

// newestInner returns the newest queued call for which an outer call waits.
func (k *core) newestInner() (newest *coreCall) {
	look := func(c *coreCall) {
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
