package core

import (
	"slices"
	"time"

	"example.com/fairlead/events"
)

// arrival has the fields of a call that does not arrive when it is submitted.
type arrival struct {
	notBefore time.Duration // when it arrives
	later     time.Duration // for how long it was in state Later
}

// SetNotBefore lets a call that is not submitted yet arrive at an instant, if that has not passed when
// the call is submitted.
func (c *Call) SetNotBefore(at time.Duration) { c.extras().notBefore = at }

// ArrivesLater reports whether SetNotBefore was called.
func (c *Call) ArrivesLater() bool {
	return c.detail != nil && c.detail.extra != nil && c.detail.extra.notBefore != 0
}

// arrivesAt returns when a call arrives that is about to be submitted or in state Later. For other
// calls it returns the present instant.
func (k *Core) arrivesAt(c *Call) time.Duration {
	if c.detail == nil || c.detail.extra == nil {
		return k.Now
	}
	return max(k.Now, c.detail.extra.notBefore)
}

// postpone puts a call that was accepted into state Later.
func (k *Core) postpone(c *Call) {
	k.admit(c)
	k.link(c)
	c.State, c.detail.due = Later, c.detail.extra.notBefore
	k.later.push(c)
	k.noteDue()
	k.away(c)
	if c.Watched || k.Wanted.Has(events.Later) {
		ev := k.event(events.Later, c)
		ev.Attempt, ev.Delay, ev.Until = 1, c.detail.due-k.Now, k.Time(c.detail.due)
		k.report(c, ev, true)
	}
	k.advanceNow()
	if k.keyed && c.outer() != nil {
		k.breakDeadlockOf(k.laneOf(c))
	}
}

// arriveLate lets a call that was in state Later take its place in the queue. From now on it counts
// for MaxQueued. If there is no room, it ends, or the call that ranks last. With refuseNew a tracked call does not end,
// since a program keeps it where it was accepted.
func (k *Core) arriveLate(c *Call) {
	letIn := k.overflow == waitForRoom || k.overflow == refuseNew && c.Kind >= Tracked
	if k.queueFull(c) && !k.startsAtOnce(c) && !letIn {
		last := k.last(c)
		if last == c {
			k.endDropped(c, k.noRoom(c))
			return
		}
		k.drop(last)
	}
	k.enqueue(c)
}

// noteDue notes when the first call in backoff or later is due, or can pay for its retry. It is called after each
// change of such calls.
func (k *Core) noteDue() { k.nextDue = min(k.backoff.next(), k.later.next(), k.nextPayment()) }

// firstDue returns the call that is due first. If several are due at one instant, it returns the senior one. A
// call that can pay for its retry at that instant comes after them.
func (k *Core) firstDue() *Call {
	if k.unpaid.first != nil && min(k.backoff.next(), k.later.next()) > k.Now {
		return k.unpaid.first
	}
	if len(k.later) == 0 || len(k.backoff) > 0 && k.backoff[0].before(&k.later[0]) {
		return k.backoff[0].value
	}
	return k.later[0].value
}

// dueBefore reports whether another call is due that goes before c.
func (k *Core) dueBefore(c *Call) bool {
	return k.nextDue <= k.Now && (k.backoff.precedes(k.Now, c) || k.later.precedes(k.Now, c))
}

// LaterCalls returns the calls in state Later, in order of rank.
func (k *Core) LaterCalls() (calls []*Call) {
	for i := range k.later {
		calls = append(calls, k.later[i].value)
	}
	slices.SortFunc(calls, byRank)
	return calls
}

// endLater ends every call in state Later, since none of them can arrive any more.
func (k *Core) endLater() {
	for _, c := range k.LaterCalls() {
		k.leave(c)
		k.endClosed(c)
	}
}
