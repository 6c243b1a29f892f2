package core

import (
	"time"

	"example.com/fairlead/bucket"
)

// seniority has what determines the rank of a call.
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
		x.seniority = &seniority{arrived: k.arrived(c)}
	}
	x.seniority.priority = priority
	rank := k.rankAt(c, x.seniority.arrived)
	k.noteChange(c)
	switch c.State {
	case Queued:
		k.setRank(c, rank)
		if wait, late := k.late(c); late {
			k.leave(c)
			k.endTooLate(c, wait)
		}
	case BackingOff, Later:
		heap := k.waiting(c)
		heap.remove(c)
		c.Rank = rank
		heap.push(c)
	default:
		c.Rank = rank
	}
	k.advanceNow()
}

// arrived returns when a call that has its rank has arrived, or will.
func (k *Core) arrived(c *Call) time.Duration {
	if c.detail != nil && c.detail.extra != nil && c.detail.extra.seniority != nil {
		return c.detail.extra.seniority.arrived
	}
	return c.Rank + k.headStart(c.Options().Priority)
}

// setRank moves a queued call to where another rank has it.
func (k *Core) setRank(c *Call, rank time.Duration) {
	l := k.laneOf(c)
	k.account(l)
	l.waiting.remove(c)
	c.Rank = rank
	l.waiting.push(c)
	k.place(l)
	if k.keyed {
		k.noteCrowd(l)
	}
}

// rankAt returns the rank of a call that arrives at an instant. It is that instant, a step earlier for
// each point of priority. The queue is FIFO by rank, so calls of one priority are served first come,
// first served.
func (k *Core) rankAt(c *Call, at time.Duration) time.Duration {
	if c.detail == nil {
		return at
	}
	start := k.headStart(c.Priority())
	if start > 0 {
		return max(at, start-bucket.Forever) - start
	}
	rank := After(at, -start)
	if rank == bucket.Forever { // which does not tell when the call arrived
		c.extras().seniority = &seniority{arrived: at, priority: c.Priority()}
	}
	return rank
}

// headStart returns how much earlier a call counts as having arrived because of its priority.
func (k *Core) headStart(priority int) time.Duration { return headStart(priority, k.step) }

func headStart(priority int, step time.Duration) time.Duration {
	p := time.Duration(priority)
	switch most := bucket.Forever / step; {
	case p > most:
		return bucket.Forever
	case p < -most:
		return -bucket.Forever
	}
	return p * step
}
