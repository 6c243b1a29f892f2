package core

import (
	"slices"

	"example.com/fairlead/events"
)

// breakDeadlockOf does the same for the slots of the lane of a call that was just made inside another.
func (d *dumb) breakDeadlockOf(l *dumbLane) {
	for {
		stuck := map[*dumbCall]bool{}
		var newest *dumbCall
		for _, c := range slices.Concat(d.queue, d.backingOff, d.later) {
			if !c.awaited() || c.lane != l || c.outer.lane != l {
				continue
			}
			if stuck[c.outer] = true; newest == nil || c.id > newest.id {
				newest = c
			}
		}
		if d.keySlots == 0 || l.name == "" || d.runningOf(l) < int64(d.keySlots) || int64(len(stuck)) < d.runningOf(l) {
			return
		}
		d.endCall(newest, events.Failed)
		d.advanceNow()
	}
}

// awaited reports whether the attempt inside which a call was made still runs.
func (c *dumbCall) awaited() bool {
	return c.outer != nil && c.outer.state == Running && c.outer.attempt == c.outerAttempt
}

func (d *dumb) deadlocked() bool {
	if d.hasSlot() || len(d.running) == 0 {
		return false
	}
	waits := map[*dumbCall]bool{}
	for _, list := range [][]*dumbCall{d.queue, d.running, d.backingOff, d.later} {
		for _, c := range list {
			if c.awaited() {
				waits[c.outer] = true
			}
		}
	}
	return len(waits) == len(d.running)
}
