package core

import (
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/events"
)

// Submit accepts a call or refuses it. The err of a refused call says why.
func (k *Core) Submit(now time.Duration, c *Call) {
	k.Advance(now)
	c.ID, c.Rank = k.LastID+1, k.rank(c)
	c.begin(k.Now)
	if err := k.refusal(c); err != nil {
		c.ID = 0
		k.Totals.Refused++
		k.end(c, events.Refused, err)
		return
	}
	k.LastID = c.ID
	k.Totals.Accepted++
	if k.arrivesAt(c) > k.Now {
		k.postpone(c)
		return
	}
	if k.queueFull() && !k.startsAtOnce(c) {
		switch {
		case k.overflow == dropLowest:
			k.drop(k.queue.lastNeverGranted())
		case c.WantsAdmission:
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

// refusal returns why a call can't be accepted, or nil.
func (k *Core) refusal(c *Call) error {
	if k.Draining || k.Closed {
		return &Early{Reason: Closed}
	}
	if err := k.Budgets.check(c); err != nil {
		return err
	}
	later := k.arrivesAt(c) > k.Now
	if c.Options().NoWait && (later || !k.startsAtOnce(c)) {
		_, wait := k.estimate(c)
		return &Early{Reason: WouldWait, First: k.obstacle(c), Wait: wait}
	}
	if wait, late := k.late(c); late {
		return k.tooLate(c, wait)
	}
	if !later && k.queueFull() && !k.startsAtOnce(c) && k.overflow != waitForRoom {
		last := k.queue.lastNeverGranted()
		if k.overflow == refuseNew || last.Before(c) {
			return k.noRoom(c)
		}
	}
	return nil
}

// startsAtOnce reports whether a call that arrives now need not wait.
func (k *Core) startsAtOnce(c *Call) bool {
	head := k.queue.head()
	if head != nil && !c.Before(head) || k.Paused() || !k.hasSlot() || k.Now < k.handover.earliest || k.dueBefore(c) {
		return false
	}
	at := k.Budgets.readyFor(c)
	return at <= k.Now && at < bucket.Forever // an instant that never comes, not even at the end of time
}

// obstacle names the first thing that a call would have to wait for.
func (k *Core) obstacle(c *Call) string {
	head := k.queue.head()
	switch {
	case k.arrivesAt(c) > k.Now:
		return "later"
	case k.Paused() || k.Budgets.heldUntil() > k.Now:
		return "hold"
	case head != nil && head.Before(c):
		return "queue"
	case k.Budgets.readyFor(c) > k.Now:
		return "tokens"
	}
	return "slot"
}

// estimate returns the place of a call in the queue, from 1, and the time until its tokens are
// there. The call may be queued or not. The time is exact if no other call goes ahead of it,
// fails or leaves. With several budgets it is a lower bound. A pause without a known end counts
// as if it ended now.
func (k *Core) estimate(c *Call) (position int, wait time.Duration) {
	ahead := k.queue.ahead(c)
	ahead.cost.addCall(c, len(k.Budgets))
	return ahead.count + 1, max(k.ready(&ahead.cost), k.arrivesAt(c)) - k.Now
}

// ready returns when so many tokens will be there.
func (k *Core) ready(cost *Costs) time.Duration {
	if !k.Paused() || k.pausedUntil == bucket.Forever {
		return k.Budgets.ready(cost)
	}
	return k.Budgets.skipped(k.pausedUntil).ready(cost)
}

// late reports whether a call's turn will come after its deadline, and how long it would have to
// wait.
func (k *Core) late(c *Call) (wait time.Duration, late bool) {
	if c.Deadline == bucket.Forever {
		return 0, false
	}
	_, wait = k.estimate(c)
	return wait, c.Deadline < After(k.Now, wait)
}

// tooLate returns why a call ends that would have to wait for so long.
func (k *Core) tooLate(c *Call, wait time.Duration) error {
	early := Early{Reason: TooLate, Wait: wait, Left: max(0, c.Deadline-k.Now)}
	if k.arrivesAt(c) > max(k.Now, c.Deadline) {
		early.First = "later"
	}
	return EndEarly(early, c)
}

// queueFull reports whether maxQueued calls wait for their first attempt. Calls that wait for
// room don't count.
func (k *Core) queueFull() bool {
	return k.MaxQueued > 0 && k.queue.neverGranted()-k.waitingForRoom.count >= k.MaxQueued
}

// noRoom returns why a call ends for which the queue has no room.
func (k *Core) noRoom(c *Call) error {
	_, wait := k.estimate(c)
	return &Early{Reason: QueueFull, Queued: k.queue.len(), Most: k.MaxQueued, Wait: wait}
}

// drop ends the call that ranks last, to make room for another.
func (k *Core) drop(c *Call) {
	err := k.noRoom(c)
	k.leave(c)
	k.endDropped(c, err)
}

// admit lets the Submit of a call return.
func (k *Core) admit(c *Call) {
	if c.WantsAdmission {
		c.WantsAdmission = false
		k.Effects.Admitted = append(k.Effects.Admitted, c)
	}
}

// admitWaiting admits calls that wait for room while there is some.
func (k *Core) admitWaiting() {
	for k.waitingForRoom.count > 0 && !k.queueFull() && !k.Closed {
		c := k.waitingForRoom.first
		k.stopWaitingForRoom(c)
		k.admit(c)
	}
}

func (k *Core) stopWaitingForRoom(c *Call) {
	if c.detail != nil && c.detail.waitsForRoom {
		c.detail.waitsForRoom = false
		k.waitingForRoom.remove(c)
	}
}

// EstimateOf returns the place of an accepted call and how long it is expected to wait for its next
// attempt. The place is 0 if it does not wait.
func (k *Core) EstimateOf(now time.Duration, c *Call) (position int, wait time.Duration) {
	k.Advance(now)
	if c.State != Queued && c.State != BackingOff && c.State != Later {
		return 0, 0
	}
	position, wait = k.estimate(c)
	if c.State == BackingOff {
		wait = max(wait, c.detail.due-k.Now)
	}
	return position, wait
}

// DryRun returns the place and the wait of a call that is not submitted.
func (k *Core) DryRun(now time.Duration, c *Call) (position int, wait time.Duration) {
	k.Advance(now)
	c.ID, c.Rank = k.LastID+1, k.rank(c)
	return k.estimate(c)
}
