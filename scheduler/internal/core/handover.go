package core

import "time"

// A grant has two instants. At the first, the core takes its tokens from the budgets. At the
// second, the owner hands it over, by a call of its function or on a channel. A server sees
// only the second. If the process stood still in between, all grants that fell due meanwhile
// would reach the server as one burst. So the core dates no grant earlier than maxLate before
// its hand-over. What is older counts as time in which no call asked: the budgets fill, and the
// excess is lost. Rule B7 says what follows for any window of time.

// maxLate is the longest time between the date of a grant and its hand-over. With idle
// processors, timers and the Go scheduler are late by less. So a caller that asks again as soon
// as it was served gets the full rate at any capacity.
const maxLate = 25 * time.Millisecond

// handover records when grants are handed over.
type handover struct {
	earliest time.Duration // no grant is dated before this

	// The grants since the latest hand-over.
	pending bool
	since   time.Duration // the date of the first
	spent   Costs
	own     []ownCosts // from budgets of their keys
}

// ownCosts are what a call has taken from the budgets of its key.
type ownCosts struct {
	lane  *lane
	costs Costs
}

// add notes a grant dated at the instant at.
func (h *handover) add(at time.Duration, c *Call, budgets int) {
	if !h.pending {
		h.pending, h.since, h.spent = true, at, Costs{}
		h.own = Emptied(h.own)
	}
	h.spent.addCall(c, budgets)
}

// addOwn notes that a grant was also paid from the budgets of its key.
func (h *handover) addOwn(l *lane, c *Call) { h.own = append(h.own, ownCosts{l, c.AllCosts()}) }

// maxLate returns how much earlier than its hand-over a grant of this budget may be dated.
func (b *Budget) maxLate() time.Duration {
	if b.Configured.Strict {
		return 0
	}
	return maxLate
}

// MaxLate returns the least maxLate of the budgets, since a grant takes tokens from each. With a strict
// limit of some key it is zero.
func (k *Core) MaxLate() time.Duration {
	if k.strictKeys {
		return 0
	}
	least := maxLate
	for i := range k.Budgets {
		least = min(least, k.Budgets[i].maxLate())
	}
	return least
}

// WakeUp notes that grants are handed over at now or later.
func (k *Core) WakeUp(now time.Duration) {
	earliest := now - k.MaxLate()
	if k.resetsBy(now) {
		earliest = now
	}
	k.handover.earliest = max(k.handover.earliest, earliest)
}

// HandedOver notes that all grants were handed over by the instant at. If that is too late for
// a budget, or after a reset, its tokens count as taken only then. The core's time moves on to it, so all that
// fell due meanwhile happens at that instant, in order.
func (k *Core) HandedOver(at time.Duration) {
	h := &k.handover
	late, pending := at-h.since, h.pending
	if h.pending = false; !pending || at < k.Now || late <= k.MaxLate() && !k.resetsBy(at) {
		return
	}
	k.spend(at)
	for i := range k.Budgets {
		switch b := &k.Budgets[i]; {
		case k.Paused() && !b.isQuota():
			b.Skip(at)
		case late > b.maxLate() || b.resetsBy(at):
			b.Postpone(at, h.spent[i])
		default:
			b.Advance(at)
		}
	}
	k.postponeOwn(late)
}

// postponeOwn does the part of HandedOver for the budgets of keys. The core's time has moved on.
func (k *Core) postponeOwn(late time.Duration) {
	sums := map[*lane]*Costs{}
	for _, own := range k.handover.own {
		if sums[own.lane] == nil {
			sums[own.lane] = new(Costs)
		}
		sums[own.lane].add(&own.costs, MaxBudgets)
	}
	for _, own := range k.handover.own {
		l, sum := own.lane, sums[own.lane]
		if sum == nil { // done
			continue
		}
		sums[l] = nil
		k.account(l)
		for i := range l.own {
			if late > (*l.limits)[i].maxLate() && !k.Paused() {
				b := l.bucket(i)
				b.Skip(min(l.pausedUntil, k.Now))
				b.Postpone(k.Now, sum[len(k.Budgets)+i])
				l.own[i] = b.Pack()
			}
		}
		k.place(l)
	}
}
