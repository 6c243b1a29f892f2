package core

import (
	"slices"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/events"
	"example.com/fairlead/retry"
)

// concernsAll reports whether a verdict is about all lanes.
func (d *dumb) concernsAll(c *dumbCall, v retry.Verdict) bool {
	if c.lane.name == "" || v.Scope == retry.ScopeAll {
		return true
	}
	if slices.Contains(d.keyNames, v.Budget) {
		return false
	}
	shared := len(d.budgets) > 1 && slices.Contains(simBudgets[:len(d.budgets)], v.Budget)
	return v.Scope != retry.ScopeKey && (d.holdsAll || shared)
}

// holdLane holds a lane, and empties and holds the budget of it that a server names, or all.
func (d *dumb) holdLane(l *dumbLane, until time.Duration, name string) {
	before, changed := max(l.heldUntil, d.now), false
	for i, b := range l.own {
		others := slices.Contains(d.keyNames, name) && d.keyNames[i] != name
		if !others && until > max(d.now, b.heldUntil) {
			b.empty()
			b.heldUntil = until
			changed = true
		}
	}
	if until > l.heldUntil {
		l.heldUntil, changed = until, true
	}
	d.look(l)
	if !changed {
		return
	}
	if until > before {
		d.holds++
	}
	d.replanLane(l)
}

// replanLane ends the calls of a lane whose turn is now too late.
func (d *dumb) replanLane(l *dumbLane) {
	d.endAll(func(c *dumbCall) bool { return c.lane == l && d.late(c) })
}

func (d *dumb) pauseKey(l *dumbLane, until time.Duration) {
	l.pausedUntil = 0
	if until > d.now {
		l.pausedUntil = until
	}
	d.look(l)
	d.replanLane(l)
	d.advanceNow()
}

func (d *dumb) setLimitOfKey(l *dumbLane, i int, limit bucket.Limit) {
	d.setOwnLimit(l, i, limit)
	d.advanceNow()
}

func (d *dumb) setOwnLimit(l *dumbLane, i int, limit bucket.Limit) {
	l.own[i].setLimit(limit, 64, d.now)
	d.strictKeys = d.strictKeys || limit.Strict
	for n := 0; n < len(d.queue); {
		if c := d.queue[n]; c.lane == l && c.costs[len(d.budgets)+i] > limit.Capacity {
			d.endCall(c, events.Failed)
		} else {
			n++
		}
	}
	d.look(l)
	d.replanLane(l)
}

func (d *dumb) forgetKey(l *dumbLane) {
	for i, limit := range d.perKey {
		if l.own[i].limit != limit {
			d.setOwnLimit(l, i, limit)
		}
	}
	d.pauseKey(l, 0)
}

func (d *dumb) setOwnLevel(l *dumbLane, i int, remaining int64) {
	l.own[i].add(remaining - l.own[i].tokens())
	d.look(l)
	d.replanLane(l)
}

func (d *dumb) observeKey(l *dumbLane, i int, remaining int64) {
	if 0 <= remaining && remaining < l.own[i].tokens() {
		d.setOwnLevel(l, i, remaining)
	}
	d.advanceNow()
}

func (d *dumb) learnKey(l *dumbLane, i int, limit bucket.Limit, remaining int64) {
	d.setLimitOfKey(l, i, limit)
	if remaining < 0 {
		return
	}
	for _, c := range d.running {
		if c.lane == l {
			remaining = max(0, remaining-c.costs[len(d.budgets)+i])
		}
	}
	if l.heldUntil <= d.now || remaining < l.own[i].tokens() {
		d.setOwnLevel(l, i, remaining)
	}
	d.advanceNow()
}
