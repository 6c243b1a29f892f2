package scheduler

import (
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/events"
)

// perCall has the kinds of events that each call has, even if it succeeds at once. While one of
// them is subscribed to, the core has to know every call, and there is no lease.
var perCall = events.Of(events.Queued, events.Granted, events.Started, events.Succeeded)

// leasable reports whether calls may be granted without asking the core.
func (k *core) leasable() bool {
	return k.queue.len() == 0 && !k.paused() && !k.draining && k.budgets.heldUntil() <= k.now && k.wanted&perCall == 0
}

// fullAt returns when the first of the budgets will be full. From then on its refill is lost.
func (b budgets) fullAt() time.Duration {
	at := bucket.Forever
	for i := range b {
		at = min(at, b[i].Ready(b[i].Limit().Capacity))
	}
	return at
}

// leasableSlots returns how many calls may run by the fast path, up to most.
func (k *core) leasableSlots(most int) int {
	if k.maxInFlight == 0 {
		return most
	}
	return min(most, max(0, k.maxInFlight-k.running.count))
}

// tookFast accounts for calls that were granted by the fast path up to now. They count as
// successes, until one turns out to be a failure.
func (k *core) tookFast(now time.Duration, tokens int64, calls uint64) {
	k.pass(min(now, k.wake())) // what falls due later finds the tokens gone
	for i := range k.budgets {
		if !k.budgets[i].Take(k.now, tokens) {
			panic("scheduler: the fast path took more tokens than it was leased")
		}
	}
	k.totals.Accepted += calls
	k.totals.Attempts += calls
	k.totals.Succeeded += calls
}

// doneFast notes that a call has succeeded that was granted by the fast path.
func (k *core) doneFast(now time.Duration, c *coreCall, number uint64) {
	k.advance(now)
	c.id, c.attempts = number, 1
	k.emit(events.Succeeded, c)
	k.advanceNow()
}

// addFast adds a call that was granted by the fast path to those that run, with its slot and the
// number that it has from there.
func (k *core) addFast(c *coreCall, number uint64, granted time.Duration) {
	c.id, c.rank = number, k.rankAt(c, granted)
	k.totals.Succeeded--
	k.inFast--
	c.ensureDetail()
	c.state, c.attempts, c.since, c.detail.paid, c.detail.granted = running, 1, k.now, c.cost, granted
	k.running.add(c)
	k.link(c)
}

// grantedFast wakes the runner of a call that was granted by the fast path.
func (k *core) grantedFast(c *coreCall) {
	k.handover.add(k.now, c, len(k.budgets))
	k.effects.granted = append(k.effects.granted, c)
}
