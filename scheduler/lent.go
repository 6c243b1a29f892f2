package scheduler

import (
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/events"
	"example.com/fairlead/retry"
)

// lendable reports whether tokens may be let go without asking.
func (k *core) lendable() bool {
	return k.queue.len() == 0 && !k.paused() && !k.draining && k.budgets.heldUntil() <= k.now && k.wanted&perCall == 0
}

// full is when the first of the budgets will be: from then on it loses what comes.
func (b budgets) full() time.Duration {
	at := bucket.Forever
	for i := range b {
		at = min(at, b[i].Ready(b[i].Limit().Capacity))
	}
	return at
}

// lendableSlots is how many calls may be in flight by the till.
func (k *core) lendableSlots() uint64 {
	if k.maxInFlight == 0 {
		return mostInFlight
	}
	return uint64(min(mostInFlight, max(0, k.maxInFlight-k.running.count)))
}

// taken accounts for plain calls that were let through by the till up to now. They
// count as successes until one turns out to be none, and are not known one by one.
func (k *core) taken(now time.Duration, n int64) {
	k.pass(min(now, k.wake())) // what falls due later finds them gone
	for i := range k.budgets {
		if !k.budgets[i].Take(k.now, n) {
			panic("scheduler: more was taken from the till than was lent")
		}
	}
	k.lastID += uint64(n)
	k.totals.Accepted += uint64(n)
	k.totals.Attempts += uint64(n)
	k.totals.Succeeded += uint64(n)
}

// over notes that a call is over that was let through by the till.
func (k *core) over(now time.Duration, number uint64, policy *retry.Policy) {
	k.advance(now)
	if k.wanted.Has(events.Succeeded) {
		k.emit(events.Succeeded, &call{id: number, attempt: 1, cost: 1, policy: policy})
	}
	k.settle()
}

// adopt takes over a call that was let through by the till, as one that runs. It has its
// number and rank from there.
func (k *core) adopt(now time.Duration, c *call) {
	k.advance(now)
	k.totals.Succeeded--
	c.state, c.attempt, c.since, c.paid = running, 1, k.now, c.cost
	c.granted = c.rank
	k.running.add(c)
	k.link(c)
}
