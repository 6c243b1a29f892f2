package core

import (
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/events"
)

// Submit accepts a call or refuses it. The err of a refused call says why.
func (k *Core) Submit(now time.Duration, c *Call) {
	k.Advance(now)
	if c.key != nil {
		k.assign(c)
	}
	k.seat(c)
	if err := k.refusal(c); err != nil {
		c.ID = 0
		k.Totals.Refused++
		k.end(c, events.Refused, err)
		return
	}
	was := c.State
	if c.IsResumed() {
		k.LastID = k.numbers.resume(c.ID, k.LastID)
	} else {
		k.LastID = c.ID
	}
	k.Totals.Accepted++
	k.noteChange(c)
	if k.keyed {
		k.accept(c)
	}
	if k.arrivesAt(c) > k.Now {
		k.postpone(c)
		return
	}
	if k.queueFull(c) && !k.startsAtOnce(c) {
		k.makeRoom(c)
	}
	if c.detail == nil || !c.detail.waitsForRoom {
		k.admit(c)
	}
	if c.detail != nil {
		k.link(c)
	}
	if was == arriving {
		k.enqueue(c)
	} else {
		k.takeUp(c, was)
	}
	k.advanceNow()
	if k.keyed && c.outer() != nil {
		k.breakDeadlockOf(k.laneOf(c))
	}
}

// refusal returns why a call can't be accepted, or nil.
func (k *Core) refusal(c *Call) error {
	if k.Draining { // or closed
		return &Early{Reason: Closed}
	}
	if c.IsResumed() {
		if err := k.checkNumber(c); err != nil {
			return err
		}
	}
	if err := k.Budgets.check(c); err != nil {
		return err
	}
	if c.key != nil {
		if err := k.checkOwn(c); err != nil {
			return err
		}
	}
	if c.key != nil && k.isFull(c.key.lane) {
		return &Early{Reason: TooManyKeys, Most: k.perKey.MaxKeys}
	}
	later := k.arrivesAt(c) > k.Now
	if c.Options().MaxWait < 0 && (later || !k.startsAtOnce(c)) {
		err := k.waitsTooLong(c)
		k.missed(c)
		return err
	}
	if wait, late := k.late(c); late && !k.hasArrived(c) {
		return k.tooLate(c, wait)
	}
	if !later && k.queueFull(c) && !k.startsAtOnce(c) && k.overflow != waitForRoom && k.last(c) == c {
		return k.noRoom(c)
	}
	return nil
}

// startsAtOnce reports whether a call that arrives now need not wait.
func (k *Core) startsAtOnce(c *Call) bool {
	if k.Paused() || !k.hasSlot() || k.Now < k.handover.earliest || k.dueBefore(c) {
		return false
	}
	if head := k.laneOf(c).waiting.head(); head != nil && !c.Before(head) || k.keyed && k.ahead(c) != "" {
		return false
	}
	at := k.Budgets.readyFor(c)
	return at <= k.Now && at < bucket.Forever // an instant that never comes, not even at the end of time
}

// ahead names the first thing that a call that arrives now would have to wait for, before what all keys share.
func (k *Core) ahead(c *Call) string {
	l := k.laneOf(c)
	is, _ := k.conditionOf(l, c)
	head := l.waiting.head()
	switch {
	case is == onHold:
		return "hold"
	case head != nil && !c.Before(head):
		return "queue"
	case is == lacksTokens:
		return "tokens"
	case is == lacksSlot:
		return "slot"
	case k.precedes(l, c):
		return "queue"
	}
	return ""
}

// obstacle names the first thing that a call would have to wait for.
func (k *Core) obstacle(c *Call) string {
	ahead := k.ahead(c)
	switch {
	case k.arrivesAt(c) > k.Now:
		return "later"
	case k.Paused() || k.Budgets.heldUntil() > k.Now:
		return "hold"
	case ahead != "":
		return ahead
	case k.Budgets.readyFor(c) > k.Now:
		return "tokens"
	}
	return "slot"
}

// admit lets the Submit of a call return.
func (k *Core) admit(c *Call) {
	if c.WantsAdmission {
		c.WantsAdmission = false
		k.Effects.Admitted = append(k.Effects.Admitted, c)
	}
}
