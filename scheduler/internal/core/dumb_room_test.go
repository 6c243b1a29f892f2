package core

import (
	"math/big"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/events"
)

// admitted returns how many calls in the queue have room and were never granted, of a lane or with nil of all.
func (d *dumb) admitted(l *dumbLane) (n int) {
	for _, c := range d.queue {
		if c.attempt == 0 && !c.waitsForRoom && (l == nil || c.lane == l) {
			n++
		}
	}
	return n
}

// full reports whether there is no room for a call of a lane that has to wait.
func (d *dumb) full(l *dumbLane) bool {
	return d.room > 0 && d.admitted(nil) >= d.room && d.admitted(l) > 0 || d.laneFull(l)
}

func (d *dumb) laneFull(l *dumbLane) bool {
	return d.keyRoom > 0 && l.name != "" && d.admitted(l) >= d.keyRoom
}

// weightNow returns the weight of a call's lane, or the one that it has once the call is accepted.
func (c *dumbCall) weightNow() int64 {
	if c.accepted {
		return c.lane.weight
	}
	return c.weight
}

// lastToGo returns the call that would be dropped if c were in the queue. It is the last one that was never granted,
// of the lane with the most of them for its weight.
func (d *dumb) lastToGo(c *dumbCall) *dumbCall {
	var last *dumbCall
	var most int64
	for _, l := range d.lanes {
		n, weight, end := int64(0), l.weight, (*dumbCall)(nil)
		if l == c.lane {
			n, weight, end = 1, c.weightNow(), c
		} else if d.laneFull(c.lane) {
			continue
		}
		for _, other := range d.queue {
			if other.lane == l && other.attempt == 0 {
				if n++; end == nil || end.goesFirst(other) {
					end = other
				}
			}
		}
		if n = n * unitsPerToken / weight; end != nil && (last == nil || n > most || n == most && last.id < end.id) {
			last, most = end, n
		}
	}
	return last
}

// estimate returns the place that a call has or would have in the queue of its lane, and when it would be granted if no
// other lane got any tokens.
func (d *dumb) estimate(c *dumbCall) (position int, at time.Duration) {
	position, sum := d.ahead(c)
	at = d.readyIn(c.lane, sum)
	if c.state == Later || c.state == arriving {
		at = max(at, c.due)
	}
	return position, at
}

// ahead returns the place of a call in its lane, and the costs up to and with it.
func (d *dumb) ahead(c *dumbCall) (position int, sum Costs) {
	sum = c.costs
	position = 1
	for _, other := range d.queue {
		if other.lane == c.lane && other.goesFirst(c) {
			position++
			for i := range sum {
				sum[i] += other.costs[i]
			}
		}
	}
	return position, sum
}

// likely returns when a call would be granted if the lanes that compete go on to share.
func (d *dumb) likely(c *dumbCall) time.Duration {
	_, at := d.estimate(c)
	_, sum := d.ahead(c)
	weight := c.weightNow()
	weights := weight
	for _, l := range d.lanes {
		if l.condition == competes && l != c.lane {
			weights += l.weight
		}
	}
	for i := range d.budgets {
		all := big.NewInt(0)
		for _, other := range d.queue {
			all.Add(all, big.NewInt(other.costs[i]))
		}
		if c.state != Queued {
			all.Add(all, big.NewInt(c.costs[i]))
		}
		part := new(big.Int).Mul(big.NewInt(sum[i]), big.NewInt(weights))
		if part.Quo(part, big.NewInt(weight)); part.Cmp(all) > 0 {
			part = all
		}
		sum[i] = part.Int64()
	}
	return max(at, d.ready(sum))
}

func (d *dumb) late(c *dumbCall) bool {
	_, at := d.estimate(c)
	return d.lateAt(c, at)
}

// lateAt reports whether a call is late if its tokens are there at an instant.
func (d *dumb) lateAt(c *dumbCall, at time.Duration) bool {
	by := min(c.deadline, d.startByOf(c))
	if by == bucket.Forever && c.lastRetry == 0 {
		return false
	}
	return at > by || !c.mayBegin(at)
}

// endLate ends a call that would be granted after its deadline, or after its last retry could begin,
// whichever comes first.
func (d *dumb) endLate(c *dumbCall) {
	if c.lastRetry > 0 && c.lastRetry <= c.deadline {
		d.endCall(c, events.Exhausted)
	} else {
		d.endCall(c, events.Canceled)
	}
}

// admitWaiting gives room to waiting calls, in order of arrival.
func (d *dumb) admitWaiting() {
	for {
		var first *dumbCall
		for _, c := range d.queue {
			if c.waitsForRoom && !d.full(c.lane) && (first == nil || c.id < first.id) {
				first = c
			}
		}
		if first == nil {
			return
		}
		first.waitsForRoom = false
	}
}
