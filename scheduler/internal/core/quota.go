package core

import (
	"time"

	"example.com/fairlead/bucket"
)

// A quota is a budget whose limit has a Reset. Its resets come by the wall clock, and all else by the
// core's instants, which go on evenly. What the wall clock shows is origin + instant + drift.
//
// The server counts a call in the period in which it arrives. So no grant is dated before a reset that
// precedes its hand-over, and what is leased to the fast path is accounted for before the reset.

// noteQuotas notes whether a limit has a Reset.
func (k *Core) noteQuotas() {
	k.HasQuotas = false
	for i := range k.Budgets {
		k.HasQuotas = k.HasQuotas || k.Budgets[i].isQuota()
	}
}

func (b *Budget) isQuota() bool { return b.Configured.Reset != (bucket.Reset{}) }

// resetsBy reports whether a reset comes after the latest instant seen, and not after the given one.
func (b *Budget) resetsBy(at time.Duration) bool {
	next := b.NextReset()
	return next <= at && next != bucket.Forever
}

// resetsBy reports whether a budget has a reset after its latest instant and not after the given one.
func (k *Core) resetsBy(at time.Duration) bool {
	if k.HasQuotas {
		for i := range k.Budgets {
			if k.Budgets[i].resetsBy(at) {
				return true
			}
		}
	}
	return false
}

// wall returns what the wall clock shows at an instant.
func (k *Core) wall(at time.Duration) time.Time { return k.Time(at).Add(k.drift) }

// SetWall tells the core that the wall clock is ahead of the core's instants by drift, since it was set
// or the machine has slept. It fills quotas whose reset has come meanwhile.
//
// It is not known when that was, so all that has fallen due since the latest instant happens at now or
// later. SetWall ends calls whose turn is now too late, and leaves the rest to the next Advance. It may be
// called during a lease: calls that the core does not know of yet pay after the reset.
func (k *Core) SetWall(now, drift time.Duration) {
	k.pass(now)
	k.drift = drift
	for i := range k.Budgets {
		k.Budgets[i].SetWall(k.Now, k.wall(k.Now))
	}
	k.replan()
}

// WaitsForReset reports whether the head of the queue waits for a reset by the wall clock.
func (k *Core) WaitsForReset() bool {
	head := k.head()
	if head == nil || !k.HasQuotas {
		return false
	}
	for i := range k.Budgets {
		b := &k.Budgets[i]
		if b.isQuota() && !b.Configured.Reset.FromFirst && b.Available() < head.costOf(i) {
			return true
		}
	}
	return false
}

// sameResets returns r, or the Reset before if r differs only by a clock that is a little off. Taken as
// new, r would repeat a reset a moment later.
func sameResets(r, before bucket.Reset) bucket.Reset {
	little, moved := int64(5), r.From-before.From // in seconds
	period := int64(r.Every/time.Second) + int64(r.Days)*24*60*60
	if period > 0 {
		little = min(little, period/10)
		moved = (moved%period + period) % period
		moved = min(moved, period-moved)
	}
	midnight := r.Every == 0 && (r.From == 0) != (before.From == 0) // 0 does not stand for 1970 then
	if same := r; !midnight && -little <= moved && moved <= little {
		if same.From = before.From; same == before {
			return before
		}
	}
	return r
}

// earlierPeriod has the costs of an attempt that were paid before the latest reset of each budget. They are
// not refunded.
type earlierPeriod struct {
	costs Costs
	at    time.Duration // when it was last known to be complete
}

// sunk returns what an attempt that was settled has paid before the latest reset of each budget.
func (k *Core) sunk(c *Call) Costs {
	x := c.detail.extra
	if x.sunk == nil {
		x.sunk = &earlierPeriod{at: c.detail.granted}
	}
	for i := range k.Budgets {
		if k.Budgets[i].ResetSince(x.sunk.at) {
			x.sunk.costs[i] = x.costs[i]
		}
	}
	x.sunk.at = k.Now
	return x.sunk.costs
}
