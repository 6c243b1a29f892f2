package scheduler

import (
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/events"
)

// paused reports whether no call is granted until it is resumed.
func (k *core) paused() bool { return k.pausedUntil != 0 }

// pauseEnds returns when a pause will end by itself, or [bucket.Forever].
func (k *core) pauseEnds() time.Duration {
	if k.pausedUntil == 0 {
		return bucket.Forever
	}
	return k.pausedUntil
}

// pause stops granting until an instant, and stops the budgets meanwhile. It replaces an earlier
// pause. An instant that has passed ends that pause.
func (k *core) pause(now, until time.Duration) {
	k.advance(now)
	if until <= k.now {
		k.resume(now)
		return
	}
	k.pausedUntil = until
	ev := events.Event{Kind: events.Paused}
	if until != bucket.Forever {
		ev.Until = k.time(until)
	}
	k.emitEvent(ev)
	k.replan()
}

// resume ends a pause.
func (k *core) resume(now time.Duration) {
	k.advance(now)
	if k.paused() {
		k.resumed()
		k.advanceNow()
	}
}

func (k *core) resumed() {
	k.pausedUntil = 0
	k.emitEvent(events.Event{Kind: events.Resumed})
	k.replan()
}

// setLimit changes the limit of the i-th budget. It ends queued calls that the budget could never
// grant, and those that it would now grant too late.
func (k *core) setLimit(now time.Duration, i int, l bucket.Limit) error {
	k.advance(now)
	if err := l.Validate(); err != nil {
		return err
	}
	k.budgets[i].limit = l.WithDefaults()
	k.budgets[i].setShare(k.now, k.adaptive.share)
	var tooBig []*coreCall
	k.queue.each(func(c *coreCall) {
		if c.costOf(i) > k.budgets[i].limit.Capacity {
			tooBig = append(tooBig, c)
		}
	})
	for _, c := range tooBig {
		k.leave(c)
		k.endFailed(c, endEarly(early{cause: k.budgets.check(c)}, c))
	}
	k.replan()
	k.advanceNow()
	return nil
}

// observe lowers the i-th budget to what a server says remains. It never raises the level. A
// negative remaining means unknown.
func (k *core) observe(now time.Duration, i int, remaining int64) {
	k.advance(now)
	if b := &k.budgets[i]; 0 <= remaining && remaining < b.Available() {
		b.SetLevel(k.now, remaining)
		k.replan()
	}
	k.advanceNow()
}

// learn sets the limit and the level of the i-th budget to what a server says. It subtracts from
// the level what running calls have paid, since the server may not have counted them yet.
func (k *core) learn(now time.Duration, i int, l bucket.Limit, remaining int64) error {
	if err := k.setLimit(now, i, l); err != nil {
		return err
	}
	if remaining < 0 {
		return nil
	}
	remaining -= int64(k.inFast)
	for c := k.running.first; c != nil; c = c.detail.next {
		remaining = max(0, remaining-c.costOf(i))
	}
	if b := &k.budgets[i]; b.HeldUntil() <= k.now || remaining < b.Available() {
		b.SetLevel(k.now, remaining)
		k.replan()
	}
	k.advanceNow()
	return nil
}

// setMaxInFlight changes how many calls may run. Running calls go on.
func (k *core) setMaxInFlight(now time.Duration, n int) {
	k.advance(now)
	k.maxInFlight = n
	k.advanceNow()
}

// setMaxQueued changes how many calls may be queued. Queued calls stay.
func (k *core) setMaxQueued(now time.Duration, n int) {
	k.advance(now)
	k.maxQueued = n
	k.admitWaiting()
}

// nextPlanned returns nextGrant, as it will be after a pause whose end is known.
func (k *core) nextPlanned() time.Duration {
	head := k.queue.head()
	if head == nil || !k.paused() {
		return k.nextGrant()
	}
	if !k.hasSlot() || k.pausedUntil == bucket.Forever {
		return bucket.Forever
	}
	return k.budgets.skipped(k.pausedUntil).readyFor(head)
}

// replan ends the queued calls whose turn will now come after their deadlines.
func (k *core) replan() {
	for _, c := range k.queue.late(k.ready) {
		if wait, late := k.late(c); late {
			k.leave(c)
			k.endTooLate(c, wait)
		}
	}
}
