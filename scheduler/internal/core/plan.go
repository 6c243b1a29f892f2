package core

import (
	"slices"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/events"
)

// Paused reports whether no call is granted until it is resumed.
func (k *Core) Paused() bool { return k.pausedUntil != 0 }

// PauseEnds returns when a pause will end by itself, or [bucket.Forever].
func (k *Core) PauseEnds() time.Duration {
	if k.pausedUntil == 0 {
		return bucket.Forever
	}
	return k.pausedUntil
}

// Pause stops granting until an instant, and stops the budgets meanwhile. It replaces an earlier
// pause. An instant that has passed ends that pause.
func (k *Core) Pause(now, until time.Duration) {
	k.Advance(now)
	if until <= k.Now {
		k.Resume(now)
		return
	}
	if !k.Paused() {
		k.refreshAll()
		k.Budgets.giveBack()
	}
	k.pausedUntil = until
	k.placeAll()
	ev := events.Event{Kind: events.Paused}
	if until != bucket.Forever {
		ev.Until = k.Time(until)
	}
	k.emitEvent(ev)
	k.replanAll()
}

// Resume ends a pause.
func (k *Core) Resume(now time.Duration) {
	k.Advance(now)
	if k.Paused() {
		k.resumed()
		k.advanceNow()
	}
}

func (k *Core) resumed() {
	k.refreshAll()
	k.pausedUntil = 0
	k.placeAll()
	k.emitEvent(events.Event{Kind: events.Resumed})
	k.replanAll()
}

// SetLimit changes the limit of the i-th budget. It ends queued calls that the budget could never
// grant, and those that it would now grant too late.
func (k *Core) SetLimit(now time.Duration, i int, l bucket.Limit) error {
	k.Advance(now)
	if s := k.Budgets[i].stock; s != nil && l.WithDefaults() != k.Budgets[i].Configured {
		if err := l.ValidateShared(); err != nil {
			return err
		}
		s.version++
		s.tellNow()
	}
	if err := k.changeLimit(i, l); err != nil {
		return err
	}
	k.advanceNow()
	return nil
}

// changeLimit sets the limit of the i-th budget in this process alone. SetLimit also tells the other processes.
func (k *Core) changeLimit(i int, l bucket.Limit) error {
	trial := k.Budgets[i].Bucket // a copy
	if err := trial.SetLimit(k.Now, l); err != nil {
		return err
	}
	before := k.Budgets[i].Configured
	if l = l.WithDefaults(); l != before {
		k.Budgets[i].Configured = l
		if s := k.Budgets[i].stock; s != nil && s.own != nil {
			s.goOnAlone(l)
		}
		if k.noteScarce(); len(k.Budgets) > 1 {
			k.restartShares()
		}
	}
	k.noteQuotas()
	k.Budgets[i].setShare(k.Now, k.adaptive.share)
	if l.Capacity < before.Capacity {
		k.endTooBig(k.eachQueued, i, l.Capacity)
	}
	k.replan()
	return nil
}

// endTooBig ends those of the given queued calls that cost more than a capacity from the i-th budget.
func (k *Core) endTooBig(each func(func(*Call)), i int, capacity int64) {
	var tooBig []*Call
	each(func(c *Call) {
		if c.costOf(i) > capacity {
			tooBig = append(tooBig, c)
		}
	})
	slices.SortFunc(tooBig, byRank)
	for _, c := range tooBig {
		k.leave(c)
		k.endFailed(c, EndEarly(Early{Cause: k.check(c)}, c))
	}
}

// Observe lowers the i-th budget to what a server says remains. It never raises the level. A
// negative remaining means unknown.
func (k *Core) Observe(now time.Duration, i int, remaining int64) {
	k.Advance(now)
	if b := &k.Budgets[i]; 0 <= remaining && (remaining < b.Available() || b.stock != nil) {
		b.SetLevel(k.Now, remaining)
		k.replan()
	}
	k.advanceNow()
}

// Learn sets the limit and the level of the i-th budget to what a server says. It subtracts from
// the level what running calls have paid, since the server may not have counted them yet.
func (k *Core) Learn(now time.Duration, i int, l bucket.Limit, remaining int64) error {
	l.Reset = sameResets(l.Reset, k.Budgets[i].Configured.Reset)
	if err := k.SetLimit(now, i, l); err != nil {
		return err
	}
	if remaining < 0 {
		return nil
	}
	remaining -= int64(k.InFast)
	for c := k.running.first; c != nil; c = c.detail.next {
		remaining = max(0, remaining-c.costOf(i))
	}
	if b := &k.Budgets[i]; b.HeldUntil() <= k.Now || remaining < b.Available() {
		b.SetLevel(k.Now, remaining)
		k.replan()
	}
	k.advanceNow()
	return nil
}

// SetMaxInFlight changes how many calls may run. Running calls go on.
func (k *Core) SetMaxInFlight(now time.Duration, n int) {
	k.Advance(now)
	k.MaxInFlight = n
	k.noteScarce()
	k.advanceNow()
}

// SetMaxQueued changes how many calls may be queued. Queued calls stay.
func (k *Core) SetMaxQueued(now time.Duration, n int) {
	k.Advance(now)
	k.MaxQueued = n
	k.noteBounds()
	k.admitWaiting(&k.plain)
}

// NextPlanned returns nextGrant, as it will be after a pause whose end is known.
func (k *Core) NextPlanned() time.Duration {
	head := k.head()
	if head == nil || !k.Paused() {
		return k.nextGrant()
	}
	if !k.hasSlot() || k.pausedUntil == bucket.Forever {
		return bucket.Forever
	}
	return k.Budgets.skipped(k.pausedUntil).readyFor(head)
}
