package core

import (
	"slices"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/events"
	"example.com/fairlead/retry"
)

// finish ends an attempt with the verdict on its error.
func (d *dumb) finish(c *dumbCall, failed bool, v retry.Verdict) {
	switch {
	case !failed:
		d.endCall(c, events.Succeeded)
	case !v.Retryable():
		d.endCall(c, events.Failed)
	default:
		d.leave(c)
		c.state = arriving
		all := d.concernsAll(c, v)
		if v.Kind == retry.KindRateLimited && v.Scope != retry.ScopeCall && all && d.adapts && c.granted > d.loweredAt {
			d.loweredAt = d.now
			d.setShare(max(1, d.share/2))
		}
		if v.Wait > 0 && v.Scope != retry.ScopeCall {
			until := After(d.now, min(c.policy.ServerWait(c.id, c.attempt, v.Wait), c.policy.MaxServerWait))
			if all {
				d.hold(until, v.Budget)
			} else if until > d.now {
				d.holdLane(c.lane, until, v.Budget)
			}
		}
		d.retry(c, v)
	}
	d.advanceNow()
}

func (d *dumb) retry(c *dumbCall, v retry.Verdict) {
	next := c.policy.Decide(c.id, c.attempt, v)
	due := After(d.now, next.Delay)
	if c.attempt == 1 && c.policy.MaxElapsed > 0 {
		c.lastRetry = After(c.granted, c.policy.MaxElapsed)
	}
	switch {
	case next.Action != retry.Again:
		d.endCall(c, events.Exhausted)
	case c.canceled:
		d.endCall(c, events.Canceled)
	case due > c.deadline || !c.mayBegin(due):
		d.endLate(c)
	default:
		c.state, c.due = BackingOff, due
		d.backingOff = append(d.backingOff, c)
	}
}

// abandon takes back a grant that was not used.
func (d *dumb) abandon(c *dumbCall) {
	d.endCall(c, events.Canceled)
	c.attempt--
	for i, b := range d.allBudgets(c.lane) {
		b.giveBack(d.now, c.granted, c.costs[i])
	}
	d.correct(c, func(weight int64) int64 { return -d.units(c.costs, weight) })
	d.look(c.lane)
	d.advanceNow()
}

// settleCost corrects the cost of an attempt. An underpayment may leave a debt of at most the
// capacity.
func (d *dumb) settleCost(c *dumbCall, i int, tokens int64) {
	if c.hasPeriods = c.hasPeriods || slices.ContainsFunc(d.budgets, (*dumbBudget).resets); c.hasPeriods {
		for j, other := range d.budgets { // what was paid before a reset is gone
			if other.resets() && c.settledAt < other.quota.filled {
				c.sunk[j] = c.actual[j]
			}
		}
		c.settledAt = d.now
	}
	if i >= len(d.allBudgets(c.lane)) { // it has no key
		d.advanceNow()
		return
	}
	b, before := d.allBudgets(c.lane)[i], c.actual
	tokens = max(tokens, c.sunk[i])
	more := min(tokens-c.actual[i], max(0, b.tokens()+b.limit.Capacity))
	if tokens < c.actual[i] {
		more = tokens - c.actual[i]
	}
	c.actual[i] += more
	if i == 0 {
		c.paid += more
	}
	if more < 0 {
		b.add(-more)
		b.changed(d.now)
	} else {
		b.take(d.now, more)
	}
	if i >= len(d.budgets) {
		d.look(c.lane)
	}
	d.correct(c, func(weight int64) int64 { return d.units(c.actual, weight) - d.units(before, weight) })
	d.advanceNow()
}

// resent charges an attempt once more.
func (d *dumb) resent(c *dumbCall) {
	for i := range d.allBudgets(c.lane) {
		d.settleCost(c, i, c.actual[i]+c.costs[i])
	}
}

// observe lowers a level to what a server reports.
func (d *dumb) observe(i int, remaining int64) {
	b := d.budgets[i]
	if more := b.tokens() - remaining; more > 0 && remaining >= 0 {
		b.take(d.now, more)
		d.replan()
	}
	d.advanceNow()
}

// setPriority puts a call where it would be if it had arrived with another priority.
func (d *dumb) setPriority(c *dumbCall, priority int) {
	c.priority = priority
	c.rank = c.arrived - time.Duration(priority)*d.step
	if c.state == Queued {
		d.remove(&d.queue, c)
		d.insert(c)
		d.look(c.lane)
		if d.late(c) {
			d.endLate(c)
		}
	}
	d.advanceNow()
}

func (d *dumb) cancel(c *dumbCall) {
	if c.state == Running {
		c.canceled = true
	} else {
		d.endCall(c, events.Canceled)
	}
	d.advanceNow()
}

// learn sets limit and level to what a server reports, minus the costs of running calls.
func (d *dumb) learn(i int, l bucket.Limit, remaining int64) {
	l.Reset = sameResets(l.Reset, d.budgets[i].limit.Reset)
	d.setLimit(i, l)
	if remaining < 0 {
		return
	}
	for _, c := range d.running {
		remaining = max(0, remaining-c.costs[i])
	}
	if b := d.budgets[i]; b.heldUntil <= d.now || remaining < b.tokens() {
		b.take(d.now, b.tokens()-remaining)
		d.replan()
	}
	d.advanceNow()
}

// hold empties and holds the budget that a server names, or all if it names none. No call is
// granted before the end of the longest hold.
func (d *dumb) hold(until time.Duration, name string) {
	before, changed := d.heldUntil(), false
	for i, b := range d.budgets {
		others := len(d.budgets) > 1 && slices.Contains(simBudgets[:len(d.budgets)], name) && simBudgets[i] != name
		if !others && until > max(d.now, b.heldUntil) {
			b.empty()
			b.heldUntil = until
			changed = true
		}
	}
	if !changed {
		return
	}
	if until > max(d.now, before) {
		d.holds++
	}
	d.replan()
}

func (d *dumb) pause(until time.Duration) {
	if until > d.now {
		d.pausedUntil = until
		d.lookAgain()
		d.replanAll()
	} else if d.pausedUntil > 0 {
		d.resume()
	}
	d.advanceNow()
}

func (d *dumb) resume() {
	d.pausedUntil = 0
	d.lookAgain()
	d.replanAll()
}

// lookAgain looks at the lanes that lack tokens, since their budgets now stand still, or go on.
func (d *dumb) lookAgain() {
	for _, l := range d.lanes {
		if l.condition == lacksTokens {
			d.look(l)
		}
	}
}

// replan ends the calls that are now late because of the budgets that all lanes share.
func (d *dumb) replan() {
	d.endAll(func(c *dumbCall) bool {
		_, sum := d.ahead(c)
		return d.lateAt(c, d.ready(sum))
	})
}

// replanAll ends all calls that are late after a pause has begun or ended, which also stops the budgets of lanes.
func (d *dumb) replanAll() {
	if len(d.perKey) == 0 {
		d.replan()
		return
	}
	d.endAll(d.late)
}

// endAll ends the queued calls that are late, in order.
func (d *dumb) endAll(late func(*dumbCall) bool) {
	for i := 0; i < len(d.queue); {
		if c := d.queue[i]; late(c) {
			d.endLate(c)
		} else {
			i++
		}
	}
}

func (d *dumb) setLimit(i int, l bucket.Limit) {
	changed, bySlots := l != d.budgets[i].limit, d.bySlots()
	d.budgets[i].setLimit(l, d.share, d.now)
	if d.bySlots() != bySlots {
		d.restartShares()
	}
	if changed && len(d.budgets) > 1 {
		d.restartShares()
	}
	for n := 0; n < len(d.queue); {
		if c := d.queue[n]; c.costs[i] > l.Capacity {
			d.endCall(c, events.Failed)
		} else {
			n++
		}
	}
	d.replan()
	d.advanceNow()
}

// setShare sets the share of the configured rate. A lowered rate rises again after a while.
func (d *dumb) setShare(share int) {
	changed := share != d.share
	d.share, d.raiseAt = share, bucket.Forever
	wait := time.Second
	for _, b := range d.budgets {
		b.setLimit(b.limit, share, d.now)
		wait = max(wait, min(b.limit.Per, time.Minute))
	}
	if share < 64 {
		d.raiseAt = After(d.now, wait)
	}
	if changed {
		d.replan()
	}
}

// drain takes no more calls, and ends those that have not arrived.
func (d *dumb) drain() {
	d.draining = true
	slices.SortFunc(d.later, func(a, b *dumbCall) int {
		if a.goesFirst(b) {
			return -1
		}
		return 1
	})
	for len(d.later) > 0 {
		d.endCall(d.later[0], events.Closed)
	}
}

func (d *dumb) close() {
	d.closed = true
	d.drain()
	for len(d.queue) > 0 {
		d.endCall(d.queue[0], events.Closed)
	}
	for len(d.backingOff) > 0 {
		d.endCall(d.backingOff[0], events.Closed)
	}
}
