package core

import (
	"time"

	"example.com/fairlead/bucket"
)

// seniority has what the rank of a call follows from.
type seniority struct {
	arrived  time.Duration
	priority int
}

// Priority returns the priority of a call, as it is now.
func (c *Call) Priority() int {
	if c.detail != nil && c.detail.extra != nil && c.detail.extra.seniority != nil {
		return c.detail.extra.seniority.priority
	}
	return c.Options().Priority
}

// SetPriority gives a call the rank that it would have if it had arrived with another priority. It
// does nothing to a call that has ended.
func (k *Core) SetPriority(now time.Duration, c *Call, priority int) {
	k.Advance(now)
	if c.State == Ended {
		return
	}
	x := c.extras()
	if x.seniority == nil {
		x.seniority = &seniority{arrived: c.Rank + k.headStart(c.Options().Priority)}
	}
	x.seniority.priority = priority
	rank := k.rankAt(c, x.seniority.arrived)
	switch c.State {
	case Queued:
		k.queue.remove(c)
		c.Rank = rank
		k.queue.push(c)
		if wait, late := k.late(c); late {
			k.leave(c)
			k.endTooLate(c, wait)
		}
	case BackingOff:
		k.backoff.remove(c)
		c.Rank = rank
		k.backoff.push(c)
	case Later:
		k.later.remove(c)
		c.Rank = rank
		k.later.push(c)
	default:
		c.Rank = rank
	}
	k.advanceNow()
}

// rank returns the rank of a call that is submitted now.
func (k *Core) rank(c *Call) time.Duration { return k.rankAt(c, k.arrivesAt(c)) }

// rankAt returns the instant at which a call that arrives at an instant counts as having arrived.
// Each point of priority makes that a step earlier. The queue is FIFO by rank, so calls of one
// priority are served first come, first served.
func (k *Core) rankAt(c *Call, at time.Duration) time.Duration {
	if c.detail == nil {
		return at
	}
	start := k.headStart(c.Priority())
	if start > 0 {
		return at - start
	}
	rank := After(at, -start)
	if rank == bucket.Forever { // so the rank does not tell when the call arrived
		c.extras().seniority = &seniority{arrived: at, priority: c.Priority()}
	}
	return rank
}

// headStart returns how much earlier a call counts as having arrived because of its priority.
func (k *Core) headStart(priority int) time.Duration {
	p := time.Duration(priority)
	switch most := bucket.Forever / k.step; {
	case p > most:
		return bucket.Forever
	case p < -most:
		return -bucket.Forever
	}
	return p * k.step
}
