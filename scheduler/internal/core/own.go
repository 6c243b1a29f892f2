package core

import (
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry"
)

// PerKey has what each key has for itself. Calls without a key have none of it.
type PerKey struct {
	Limits      bucket.Limits // the budgets of each key, by name; nil: none
	MaxInFlight int           // 0: no cap
	MaxQueued   int           // 0: no bound
	MaxKeys     int           // how many keys are remembered at most; 0: no bound
	Patience    time.Duration // after which a competing head goes first; 0: DefaultPatience
	HoldsAll    bool          // a server's wait holds all keys, if its verdict does not say
	RetryBudget *retry.Budget // for the retries of each key; nil: no limit
}

// bucket returns a copy of the bucket of a key's i-th budget. Since there may be many keys, each key keeps only
// what differs between them, packed. Code that changes the copy packs it again.
func (l *lane) bucket(i int) bucket.Bucket {
	b := (*l.limits)[i].Bucket
	b.Unpack(l.own[i])
	return b
}

// fullForEver is when the budgets of a new key became full, before the instant 0.
const fullForEver = -1

// newOwn returns the budgets of a new key. They are as if they had been full for ever. So a key that is forgotten
// and comes again has the same budgets as if it had been remembered.
func (k *Core) newOwn() []bucket.Packed {
	if len(k.perKeyBudgets) == 0 {
		return nil
	}
	own := make([]bucket.Packed, len(k.perKeyBudgets))
	for i := range own {
		b := k.perKeyBudgets[i].Bucket
		b.Advance(k.Now)
		own[i] = b.Pack()
	}
	return own
}

// hasLimits reports whether a key has limits of its own instead of those of PerKey.
func (k *Core) hasLimits(l *lane) bool { return l.limits != &k.perKeyBudgets }

// refresh brings the budgets of a key up to now. It is called when a pause of the key or of all begins and
// when that of all ends, so at most one time in which they stood still has to be left out.
func (k *Core) refresh(l *lane) {
	stood := l.pausedUntil
	if k.Paused() {
		stood = k.Now
	}
	for i := range l.own {
		b := l.bucket(i)
		if stood != 0 {
			b.Skip(min(stood, k.Now))
		}
		b.Advance(k.Now)
		l.own[i] = b.Pack()
	}
	if l.pausedUntil <= k.Now && !k.Paused() {
		l.pausedUntil = 0
	}
}

// readyFor returns the first instant at which the key has the tokens for a call. shared is how many budgets
// all keys share.
func (l *lane) readyFor(c *Call, shared int) (at time.Duration) {
	for i := range l.own {
		b := l.bucket(i)
		at = max(at, b.Ready(c.costOf(shared+i)))
	}
	return at
}

// takeOwn pays for a call from the budgets of its key.
func (k *Core) takeOwn(l *lane, c *Call) {
	k.refresh(l)
	for i := range l.own {
		b := l.bucket(i)
		if !b.Take(k.Now, c.costOf(len(k.Budgets)+i)) {
			panic("scheduler: a call was granted before the tokens of its key were there")
		}
		l.own[i] = b.Pack()
	}
	k.handover.addOwn(l, c)
}

// refundOwn gives back what an attempt that was never started has paid from the budgets of its key.
func (k *Core) refundOwn(l *lane, c *Call) {
	k.refresh(l)
	for i := range l.own {
		b := l.bucket(i)
		b.Refund(k.Now, c.costOf(len(k.Budgets)+i))
		l.own[i] = b.Pack()
	}
}

// refund gives back what an attempt that was never started has paid.
func (k *Core) refund(c *Call) {
	l := k.laneOf(c)
	k.account(l)
	k.Budgets.refund(k.Now, c)
	k.refundOwn(l, c)
	costs := c.AllCosts()
	k.correct(c, &costs, nil)
	k.place(l)
}

// settleOwn corrects what an attempt has paid from the i-th budget, which is its key's.
func (k *Core) settleOwn(c *Call, i int, tokens int64) {
	l, costs := k.laneOf(c), &c.detail.extra.costs
	k.account(l)
	k.refresh(l)
	own := i - len(k.Budgets)
	b := l.bucket(own)
	costs[i] += settle(&b, k.Now, tokens-costs[i])
	l.own[own] = b.Pack()
	k.place(l)
}

// check returns an error if a call's cost can never be granted.
func (k *Core) check(c *Call) error {
	if err := k.Budgets.check(c); err != nil || c.key == nil {
		return err
	}
	return k.checkOwn(c)
}

// checkOwn does what check does, for the budgets of a call's key.
func (k *Core) checkOwn(c *Call) error {
	l := c.key.lane
	for i := range l.own {
		if err := CheckCost((*l.limits)[i].Name, (*l.limits)[i].Configured, c.costOf(len(k.Budgets)+i)); err != nil {
			return err
		}
	}
	return nil
}

// noteRunning notes that the number of running calls of a lane has changed.
func (k *Core) noteRunning(l *lane) {
	if l.condition == lacksSlot || k.lanes.bySlots {
		k.account(l)
		k.place(l)
	}
}

// readyIn returns when the tokens for a cost will be there for calls of a lane, in the budgets of its key and in
// those that all share. A pause without a known end counts as if it ended now.
func (k *Core) readyIn(l *lane, cost *Costs) time.Duration {
	at := k.ready(cost)
	if len(l.own) == 0 && l.heldUntil == 0 && l.pausedUntil == 0 {
		return at
	}
	stands := l.pausedUntil
	if stands == bucket.Forever {
		stands = 0
	}
	at = max(at, l.heldUntil, stands)
	if k.pausedUntil != bucket.Forever {
		stands = max(stands, k.pausedUntil)
	}
	k.refresh(l)
	for i := range l.own {
		b := l.bucket(i)
		b.Skip(stands)
		at = max(at, b.Ready(cost[len(k.Budgets)+i]))
	}
	return at
}

// refreshAll brings the budgets of all keys up to now, since a pause of all begins or ends.
func (k *Core) refreshAll() {
	if len(k.perKeyBudgets) > 0 {
		for _, l := range k.lanes.all {
			k.refresh(l)
		}
	}
}

// placeAll places the lanes that lack tokens, since a pause of all has begun or ended.
func (k *Core) placeAll() {
	for _, l := range k.lanes.all {
		if l.condition == lacksTokens {
			k.account(l)
			k.place(l)
		}
	}
}

// concernsAll reports whether a verdict on an attempt concerns all keys. A call without a key has none of its
// own to hold. A named budget that all keys share is held for all, and one of a key for that key.
func (k *Core) concernsAll(c *Call, v retry.Verdict) bool {
	switch {
	case k.laneOf(c) == &k.plain || v.Scope == retry.ScopeAll:
		return true
	case v.Scope == retry.ScopeKey || k.perKeyBudgets.has(v.Budget):
		return false
	}
	return k.perKey.HoldsAll || k.Budgets.has(v.Budget)
}

// holdKey holds the key of a call until an instant, since the call's attempt was refused.
func (k *Core) holdKey(c *Call, until time.Duration, budget string) {
	l := k.laneOf(c)
	before := max(l.heldUntil, k.Now)
	if !k.holdLane(l, until, budget) {
		return
	}
	if until > before {
		ev := k.held(c, until)
		ev.Key = l.name
		k.emitEvent(ev)
	}
	k.replanLane(l)
}

// holdLane holds a key until an instant, as a server asks. It empties and stops the key's budget of that name, or
// all budgets of the key if there is none. It reports whether that changed anything.
func (k *Core) holdLane(l *lane, until time.Duration, name string) (changed bool) {
	k.account(l)
	k.refresh(l)
	named := l.limits.has(name) && len(l.own) > 0
	for i := range l.own {
		if b := l.bucket(i); (!named || (*l.limits)[i].Name == name) && b.HeldUntil() < until {
			b.Hold(k.Now, until)
			l.own[i] = b.Pack()
			changed = true
		}
	}
	if l.heldUntil < until {
		l.heldUntil, changed = until, true
	}
	k.place(l)
	return changed
}
