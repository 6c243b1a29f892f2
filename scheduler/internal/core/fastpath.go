package core

import (
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/events"
)

// perCall has the kinds of events that each call has, even if it succeeds at once. While one of
// them is subscribed to, the core has to know every call, and there is no lease.
var perCall = events.Of(events.Queued, events.Granted, events.Started, events.Succeeded)

// Leasable reports whether calls may be granted without asking the core. If a call waits for the retry budget, the
// core has to know when others add to it.
func (k *Core) Leasable() bool {
	return k.queued == 0 && k.unpaid.first == nil && !k.Paused() && !k.Draining && k.Budgets.heldUntil() <= k.Now && k.Wanted&perCall == 0
}

// FullAt returns when the first of the budgets will be full. From then on its refill is lost.
func (b Budgets) FullAt() time.Duration {
	at := bucket.Forever
	for i := range b {
		at = min(at, b[i].fullAt())
	}
	return at
}

// fullAt returns when a budget will be full. For a quota it returns an instant before the reset, so early
// that a late timer still comes before it. After it, what the fast path took in a period would count in
// the next one. A full quota whose period begins with its first token has no reset yet. For a stock it
// returns when tokens that lie unused are given back.
func (b *Budget) fullAt() time.Duration {
	if b.stock != nil {
		return b.stock.lapsesAt()
	}
	if b.isQuota() {
		if next := b.NextReset(); next != bucket.Forever {
			return next - maxLate
		}
	}
	return b.Ready(b.Limit().Capacity)
}

// LeasableSlots returns how many calls may run by the fast path, up to most.
func (k *Core) LeasableSlots(most int) int {
	if k.MaxInFlight == 0 {
		return most
	}
	return min(most, max(0, k.MaxInFlight-k.running.count))
}

// TookFast accounts for calls that were granted by the fast path up to now. They count as
// successes, until one turns out to be a failure.
func (k *Core) TookFast(now time.Duration, tokens int64, calls uint64) {
	if k.resetsBy(now) {
		k.pass(now) // they may have been taken after the reset
	}
	k.pass(min(now, k.Wake())) // what falls due later finds the tokens gone
	for i := range k.Budgets {
		if !k.Budgets[i].Take(k.Now, tokens) {
			panic("scheduler: the fast path took more tokens than it was leased")
		}
	}
	k.retries.add(k.Now, calls)
	k.Totals.Accepted += calls
	k.Totals.Attempts += calls
	k.Totals.Succeeded += calls
}

// SetInFast notes how many calls run by the fast path. They are calls without a key.
func (k *Core) SetInFast(n int) {
	if k.InFast = n; k.keyed {
		k.noteRunning(&k.plain)
	}
}

// DoneFast notes that a call has succeeded that was granted by the fast path.
func (k *Core) DoneFast(now time.Duration, c *Call, number uint64) {
	k.Advance(now)
	c.ID, c.Attempts = number, 1
	k.emit(events.Succeeded, c)
	k.advanceNow()
}

// AddFast adds a call that the fast path granted to those that run, with its slot, the number that it
// has from there, and when it counts as having arrived. granted is not before arrived.
func (k *Core) AddFast(c *Call, number uint64, arrived, granted time.Duration) {
	c.ID, c.Rank = number, k.rankAt(c, arrived)
	k.Totals.Succeeded--
	k.InFast--
	k.plain.running++
	c.ensureDetail()
	c.State, c.Attempts, c.detail.since, c.detail.paid, c.detail.granted, c.detail.first = Running, 1, k.Now, c.Cost, granted, granted
	k.running.add(c)
	k.link(c)
}

// GrantedFast wakes the runner of a call that was granted by the fast path.
func (k *Core) GrantedFast(c *Call) {
	k.handover.add(k.Now, c, len(k.Budgets))
	k.Effects.Granted = append(k.Effects.Granted, c)
}
