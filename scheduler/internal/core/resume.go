package core

import (
	"fmt"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry"
)

// A resumed call was accepted by an earlier core, and did not end there. It is submitted again with what it had.
// Its instants count from the origin of this core, so most of them are negative.

// Past has the state of a resumed call in its earlier life.
type Past struct {
	State    State         // Queued, Running, BackingOff or Later
	Number   uint64        // 0: it gets a new one
	Arrived  time.Duration // when it arrived; bucket.Forever: it arrives when it is submitted
	Attempts int32         // whose outcome is known
	Paid     int64         // from the first budget, for all attempts
	Err      error         // the latest attempt's
	Began    time.Duration // when the first attempt was granted; bucket.Forever: not known
	Due      time.Duration // BackingOff: when its backoff ends
}

// longAgo is the earliest instant at which a call can have arrived, so that the time since then does not overflow.
const longAgo = -bucket.Forever / 2

// Arrived returns when a call of a rank and priority arrived.
func Arrived(rank time.Duration, priority int, step time.Duration) time.Duration {
	start := headStart(priority, step)
	switch {
	case start > 0 && rank > bucket.Forever-start:
		return bucket.Forever
	case start < 0 && rank < longAgo-start:
		return longAgo
	}
	return max(longAgo, rank+start)
}

// Resume sets what a call had in its earlier life, before it is submitted. A call in state Later also needs SetNotBefore.
func (c *Call) Resume(p *Past) {
	c.State, c.ID, c.Rank, c.Attempts = resumes, p.Number, p.Arrived, p.Attempts
	if p.State == Running {
		c.extras().cutOff = true
	}
	if p.State == Running || p.Attempts > 0 || p.Paid > 0 {
		d := c.ensureDetail()
		d.paid, d.last, d.first = p.Paid, p.Err, max(longAgo, p.Began)
	}
	if p.State == BackingOff {
		c.State, c.ensureDetail().due = resumesBackingOff, p.Due
	}
}

// CutOff reports whether a call waits to repeat an attempt that began in an earlier life.
func (c *Call) CutOff() bool {
	return c.detail != nil && c.detail.extra != nil && c.detail.extra.cutOff
}

// IsResumed reports whether Resume was called, and the call is not submitted yet.
func (c *Call) IsResumed() bool { return c.State != arriving && c.State <= resumesBackingOff }

// hasArrived reports whether a call that is about to be submitted has arrived in its earlier life. MaxQueued does not
// bound such a call, since it was queued before.
func (k *Core) hasArrived(c *Call) bool { return c.IsResumed() && k.arrivesAt(c) <= k.Now }

// seat gives a call that is submitted now its number and its rank. If the clock was set back, a resumed call could
// have arrived in the future. Then it arrives now, so that it stays ahead of the calls that come later. Likewise its first
// attempt was granted now at the latest, so that its retries end in time.
func (k *Core) seat(c *Call) {
	arrived := k.arrivesAt(c)
	if !c.IsResumed() {
		c.ID, c.Rank = k.LastID+1, k.rankAt(c, arrived)
		c.begin(k.Now)
		return
	}
	if arrived <= k.Now {
		arrived = min(c.Rank, k.Now)
	}
	if c.ID == 0 {
		c.ID = k.LastID + 1
	}
	if began, known := c.Began(); known {
		c.detail.first = min(began, k.Now)
	}
	if most := c.Options().MaxWait; most > 0 && k.hasArrived(c) {
		x := c.extras()
		x.startBy, x.bounded = After(arrived, most), true
	}
	c.Rank = k.rankAt(c, arrived)
	if c.begin(k.Now); c.Attempts == 0 {
		c.begin(min(arrived, k.Now))
	}
}

// endWait accounts for the wait of a resumed call that starts at once.
func (c *Call) endWait(now time.Duration) {
	c.ensureDetail().spent.Queue = now - c.Since()
	c.begin(now)
}

// checkNumber returns an error if a resumed call has the number of another call.
func (k *Core) checkNumber(c *Call) error {
	if !k.numbers.taken(c.ID, k.LastID) {
		return nil
	}
	return retry.Permanent(fmt.Errorf("scheduler: Resumed: this scheduler has had a call with the number %d: resume each call once, and before others are made", c.ID))
}

// takeUp puts a resumed call back into the queue or into its backoff. An attempt that was cut off is made again, even if the
// policy's MaxElapsed has passed.
func (k *Core) takeUp(c *Call, was State) {
	if c.Attempts > 0 && !c.CutOff() {
		k.limitElapsed(c)
	}
	due, wait, late := k.Now, time.Duration(0), false
	if was == resumesBackingOff {
		due = max(k.Now, min(c.detail.due, After(k.Now, k.longestBackoff(c))))
		wait, late = due-k.Now, due > c.Deadline
	} else {
		wait, late = k.late(c)
	}
	switch {
	case late:
		k.endTooLate(c, wait)
	case was == resumesBackingOff:
		k.backOff(c, due)
	default:
		k.enqueue(c)
	}
}

// longestBackoff returns the longest backoff that a call's policy allows after its latest attempt.
func (k *Core) longestBackoff(c *Call) time.Duration {
	p := k.policyOf(c).WithDefaults()
	return max(p.Max, p.ServerWait(c.ID, int(c.Attempts), p.MaxServerWait))
}
