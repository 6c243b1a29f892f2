package scheduler

import (
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/events"
)

// submit accepts a call or refuses it. The err of a refused call says why.
func (k *core) submit(now time.Duration, c *coreCall) {
	k.advance(now)
	c.id, c.rank, c.since = k.lastID+1, k.rank(c), k.now
	if err := k.refusal(c); err != nil {
		c.id = 0
		k.totals.Refused++
		k.end(c, events.Refused, err)
		return
	}
	k.lastID = c.id
	k.totals.Accepted++
	if k.queueFull() && !k.startsAtOnce(c) {
		switch {
		case k.overflow == dropLowest:
			k.drop(k.queue.lastNeverGranted())
		case c.wantsAdmission:
			c.ensureDetail().waitsForRoom = true
			k.waitingForRoom.add(c)
		}
	}
	if c.detail == nil || !c.detail.waitsForRoom {
		k.admit(c)
	}
	if c.detail != nil {
		k.link(c)
	}
	k.enqueue(c)
	k.advanceNow()
}

// rank returns the instant at which a call that arrives now counts as having arrived. Each point
// of priority makes that a step earlier. The queue is FIFO by rank, so calls of one priority are
// served first come, first served.
func (k *core) rank(c *coreCall) time.Duration { return k.rankAt(c, k.now) }

func (k *core) rankAt(c *coreCall, at time.Duration) time.Duration {
	if c.detail == nil {
		return at
	}
	p := time.Duration(c.options().priority)
	if most := bucket.Forever / k.step; p > most || p < -most {
		if p > 0 {
			return at - bucket.Forever
		}
		return bucket.Forever
	}
	if p < 0 {
		return after(at, -p*k.step)
	}
	return at - p*k.step
}

// refusal returns why a call can't be accepted, or nil.
func (k *core) refusal(c *coreCall) error {
	if k.draining || k.closed {
		return &early{reason: closed}
	}
	if err := k.budgets.check(c); err != nil {
		return err
	}
	if c.options().noWait && !k.startsAtOnce(c) {
		_, wait := k.estimate(c)
		return &early{reason: wouldWait, first: k.obstacle(c), wait: wait}
	}
	if wait, late := k.late(c); late {
		return k.tooLate(c, wait)
	}
	if k.queueFull() && !k.startsAtOnce(c) && k.overflow != waitForRoom {
		last := k.queue.lastNeverGranted()
		if k.overflow == refuseNew || last.before(c) {
			return k.noRoom(c)
		}
	}
	return nil
}

// startsAtOnce reports whether a call that arrives now need not wait.
func (k *core) startsAtOnce(c *coreCall) bool {
	head := k.queue.head()
	if head != nil && !c.before(head) || k.paused() || !k.hasSlot() || k.now < k.handover.earliest || k.backoff.precedes(k.now, c) {
		return false
	}
	at := k.budgets.readyFor(c)
	return at <= k.now && at < bucket.Forever // an instant that never comes, not even at the end of time
}

// obstacle names the first thing that a call would have to wait for.
func (k *core) obstacle(c *coreCall) string {
	head := k.queue.head()
	switch {
	case k.paused() || k.budgets.heldUntil() > k.now:
		return "hold"
	case head != nil && head.before(c):
		return "queue"
	case k.budgets.readyFor(c) > k.now:
		return "tokens"
	}
	return "slot"
}

// estimate returns the place of a call in the queue, from 1, and the time until its tokens are
// there. The call may be queued or not. The time is exact if no other call goes ahead of it,
// fails or leaves. With several budgets it is a lower bound. A pause without a known end counts
// as if it ended now.
func (k *core) estimate(c *coreCall) (position int, wait time.Duration) {
	ahead := k.queue.ahead(c)
	ahead.cost.addCall(c, len(k.budgets))
	return ahead.count + 1, k.ready(&ahead.cost) - k.now
}

// ready returns when so many tokens will be there.
func (k *core) ready(cost *costs) time.Duration {
	if !k.paused() || k.pausedUntil == bucket.Forever {
		return k.budgets.ready(cost)
	}
	return k.budgets.skipped(k.pausedUntil).ready(cost)
}

// late reports whether a call's turn will come after its deadline, and how long it would have to
// wait.
func (k *core) late(c *coreCall) (wait time.Duration, late bool) {
	if c.deadline == bucket.Forever {
		return 0, false
	}
	_, wait = k.estimate(c)
	return wait, c.deadline < after(k.now, wait)
}

// tooLate returns why a call ends that would have to wait for so long.
func (k *core) tooLate(c *coreCall, wait time.Duration) error {
	return endEarly(early{reason: tooLate, wait: wait, left: max(0, c.deadline-k.now)}, c)
}

// queueFull reports whether maxQueued calls wait for their first attempt. Calls that wait for
// room don't count.
func (k *core) queueFull() bool {
	return k.maxQueued > 0 && k.queue.neverGranted()-k.waitingForRoom.count >= k.maxQueued
}

// noRoom returns why a call ends for which the queue has no room.
func (k *core) noRoom(c *coreCall) error {
	_, wait := k.estimate(c)
	return &early{reason: queueFull, queued: k.queue.len(), most: k.maxQueued, wait: wait}
}

// drop ends the call that ranks last, to make room for another.
func (k *core) drop(c *coreCall) {
	err := k.noRoom(c)
	k.leave(c)
	k.totals.Dropped++
	k.end(c, events.Dropped, err)
}

// admit lets the Submit of a call return.
func (k *core) admit(c *coreCall) {
	if c.wantsAdmission {
		c.wantsAdmission = false
		k.effects.admitted = append(k.effects.admitted, c)
	}
}

// admitWaiting admits calls that wait for room while there is some.
func (k *core) admitWaiting() {
	for k.waitingForRoom.count > 0 && !k.queueFull() && !k.closed {
		c := k.waitingForRoom.first
		k.stopWaitingForRoom(c)
		k.admit(c)
	}
}

func (k *core) stopWaitingForRoom(c *coreCall) {
	if c.detail != nil && c.detail.waitsForRoom {
		c.detail.waitsForRoom = false
		k.waitingForRoom.remove(c)
	}
}

// estimateOf returns the place of an accepted call and how long it is expected to wait for its next
// attempt. The place is 0 if it does not wait.
func (k *core) estimateOf(now time.Duration, c *coreCall) (position int, wait time.Duration) {
	k.advance(now)
	if c.state != queued && c.state != backingOff {
		return 0, 0
	}
	position, wait = k.estimate(c)
	if c.state == backingOff {
		wait = max(wait, c.detail.due-k.now)
	}
	return position, wait
}

// dryRun returns the place and the wait of a call that is not submitted.
func (k *core) dryRun(now time.Duration, c *coreCall) (position int, wait time.Duration) {
	k.advance(now)
	c.id, c.rank = k.lastID+1, k.rank(c)
	return k.estimate(c)
}
