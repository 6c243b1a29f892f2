package core

import (
	"time"

	"example.com/fairlead/bucket"
)

// A MaxWait bounds how long a call is queued for its first attempt. Meanwhile it is a deadline of the call, so
// that a replan finds both kinds in one search. A context's deadline is heeded by the caller of the core. That of a
// MaxWait is in Core.limited, so that it takes no timer of its own.

// NoWait is the MaxWait of a call that is refused unless it starts at once.
const NoWait time.Duration = -1

// maxWait has what a call needs while its MaxWait is in force.
type maxWait struct {
	startBy  time.Duration // the latest instant at which the first attempt may begin, if bounded
	deadline time.Duration // of its context, for its retries
}

// limitedCall is a call as an entry of Core.limited. While a call is queued, its index has no other use.
type limitedCall struct{ *Call }

func (c limitedCall) setIndex(i int) { c.detail.index = int32(i) }

// startBy returns the latest instant at which the first attempt of a call may begin, because of its MaxWait. If none
// is in force, it returns [bucket.Forever].
func (k *Core) startBy(c *Call) time.Duration {
	most := c.Options().MaxWait
	switch {
	case most == 0 || c.Attempts > 0:
		return bucket.Forever
	case c.detail.extra != nil && c.detail.extra.bounded:
		return c.detail.extra.startBy
	}
	return After(k.arrivesAt(c), max(0, most))
}

// limitWait makes the end of a call's MaxWait a deadline of the call, which is about to be queued.
func (k *Core) limitWait(c *Call) {
	by := k.startBy(c)
	if by == bucket.Forever {
		return
	}
	x := c.extras()
	x.startBy, x.deadline, x.bounded = by, c.Deadline, true
	c.Deadline = min(c.Deadline, by)
	k.limited.push(entry[limitedCall]{first: by, id: c.ID, value: limitedCall{c}})
}

// stopLimit ends what limitWait began, for a call that has left the queue.
func (k *Core) stopLimit(c *Call) {
	if k.startBy(c) != bucket.Forever {
		k.limited.remove(int(c.detail.index))
		c.Deadline = c.detail.extra.deadline
	}
}

// nextLimit returns when the first MaxWait ends, or [bucket.Forever].
func (k *Core) nextLimit() time.Duration {
	if len(k.limited) == 0 {
		return bucket.Forever
	}
	return k.limited[0].first
}

// endLimited ends the call whose MaxWait ends first.
func (k *Core) endLimited() {
	c := k.limited[0].value.Call
	k.leave(c)
	k.endTooLate(c, 0)
}

// waitsTooLong returns the error of a call that would have to wait longer than its MaxWait allows.
func (k *Core) waitsTooLong(c *Call) error {
	wait, turn := k.turnOf(c, 0)
	early := &Early{Reason: WouldWait, First: k.obstacle(c), Wait: wait, RetryAt: turn}
	if most := c.Options().MaxWait; most > 0 {
		early.MaxWait, early.Left = most, k.startBy(c)-k.Now
	}
	return early
}
