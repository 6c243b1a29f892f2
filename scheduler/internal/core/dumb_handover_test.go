package core

import (
	"slices"
	"time"
)

// wakeUp begins a turn of the owner: no later grant is dated long before now.
func (d *dumb) wakeUp(now time.Duration) {
	late := 25 * time.Millisecond
	for _, b := range d.budgets {
		if late = min(late, b.late()); b.resetsBy(now) {
			late = 0
		}
	}
	if d.strictKeys {
		late = 0
	}
	d.earliest = max(d.earliest, now-late)
}

// setWall says that the wall clock is ahead by drift. All that was due before happens now.
func (d *dumb) setWall(now, drift time.Duration) {
	d.passTime(max(now, d.now))
	for _, b := range d.budgets {
		b.setWall(d.now, drift)
	}
	d.replan()
	d.admitWaiting()
}

// handedOver says that the latest grants were handed over at this instant. If that is too late for
// a budget, or after a reset, its tokens stayed in it until then, and what did not fit is lost.
func (d *dumb) handedOver(at time.Duration) {
	late := func(b *dumbBudget) bool {
		return len(d.granted) > 0 && (at-d.granted[0].at > b.late() || b.resetsBy(at))
	}
	spends := d.ownSpends
	d.ownSpends = nil
	lateForKeys := len(d.granted) > 0 && d.strictKeys && at > d.granted[0].at
	if !slices.ContainsFunc(d.budgets, late) && !lateForKeys {
		return
	}
	from := d.now
	d.recordTimes(at)
	d.postponeOwn(from, at, spends)
	for i, b := range d.budgets {
		spent := int64(0)
		for _, g := range d.granted {
			if late(b) {
				spent += g.costs[i]
			}
		}
		spent = min(spent, b.limit.Capacity-b.tokens()) // the rest was refunded
		if came := d.refillTime(b, from, at); came > 0 || b.resets() {
			b.take(from, -spent)
			b.refillFor(came)
			b.reset(at)
			b.take(at, spent)
		}
	}
}

// postponeOwn is handedOver for the budgets of lanes.
func (d *dumb) postponeOwn(from, at time.Duration, spends []ownSpend) {
	for _, l := range d.lanes {
		for i, b := range l.own {
			spent := int64(0)
			for _, s := range spends {
				if s.lane == l && at-d.granted[0].at > b.late() {
					spent += s.costs[len(d.budgets)+i]
				}
			}
			spent = min(spent, b.limit.Capacity-b.tokens())
			if came := d.ownRefillTime(l, b, from, at); came > 0 {
				b.add(spent)
				b.refillFor(came)
				b.add(-spent)
			}
		}
	}
	for _, l := range d.lanes {
		if slices.ContainsFunc(spends, func(s ownSpend) bool { return s.lane == l }) {
			d.look(l)
		}
	}
}
