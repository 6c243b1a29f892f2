package core

import (
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
	k.pausedUntil = until
	ev := events.Event{Kind: events.Paused}
	if until != bucket.Forever {
		ev.Until = k.Time(until)
	}
	k.emitEvent(ev)
	k.replan()
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
	k.pausedUntil = 0
	k.emitEvent(events.Event{Kind: events.Resumed})
	k.replan()
}

// SetLimit changes the limit of the i-th budget. It ends queued calls that the budget could never
// grant, and those that it would now grant too late.
func (k *Core) SetLimit(now time.Duration, i int, l bucket.Limit) error {
	k.Advance(now)
	trial := k.Budgets[i].Bucket // a copy
	if err := trial.SetLimit(k.Now, l); err != nil {
		return err
	}
	k.Budgets[i].Configured = l.WithDefaults()
	k.noteQuotas()
	k.Budgets[i].setShare(k.Now, k.adaptive.share)
	var tooBig []*Call
	k.queue.each(func(c *Call) {
		if c.costOf(i) > k.Budgets[i].Configured.Capacity {
			tooBig = append(tooBig, c)
		}
	})
	for _, c := range tooBig {
		k.leave(c)
		k.endFailed(c, EndEarly(Early{Cause: k.Budgets.check(c)}, c))
	}
	k.replan()
	k.advanceNow()
	return nil
}

// Observe lowers the i-th budget to what a server says remains. It never raises the level. A
// negative remaining means unknown.
func (k *Core) Observe(now time.Duration, i int, remaining int64) {
	k.Advance(now)
	if b := &k.Budgets[i]; 0 <= remaining && remaining < b.Available() {
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
	k.advanceNow()
}

// SetMaxQueued changes how many calls may be queued. Queued calls stay.
func (k *Core) SetMaxQueued(now time.Duration, n int) {
	k.Advance(now)
	k.MaxQueued = n
	k.admitWaiting()
}

// NextPlanned returns nextGrant, as it will be after a pause whose end is known.
func (k *Core) NextPlanned() time.Duration {
	head := k.queue.head()
	if head == nil || !k.Paused() {
		return k.nextGrant()
	}
	if !k.hasSlot() || k.pausedUntil == bucket.Forever {
		return bucket.Forever
	}
	return k.Budgets.skipped(k.pausedUntil).readyFor(head)
}

// replan ends the queued calls whose turn will now come after their deadlines.
func (k *Core) replan() {
	for _, c := range k.queue.late(k.ready) {
		if wait, late := k.late(c); late {
			k.leave(c)
			k.endTooLate(c, wait)
		}
	}
}
