package timeline

import (
	"time"

	"example.com/fairlead/events"
)

// curves are the tokens in the budget and the number of waiting calls, over time. If there are
// too many points, every second one is dropped, and new ones are twice as far apart from then on.
type curves struct {
	points  []point
	spacing time.Duration // a change sooner than this after the last point only updates that point
	waiting map[uint64]struct{}
	now     time.Duration
	peak    int // the most calls that waited at a time before now
}

// maxWaited returns the most calls that waited at once. A call that is granted in the instant in
// which it is queued does not count.
func (c *curves) maxWaited() int { return max(c.peak, len(c.waiting)) }

// point holds the values of the curves from an instant on.
type point struct {
	at      time.Duration
	tokens  int64
	waiting int
}

const (
	maxPoints  = 2000
	maxWaiting = 1 << 18 // waiting calls whose numbers are remembered; further ones are not counted
)

// add updates the curves with an event.
func (c *curves) add(at time.Duration, ev events.Event) {
	if at > c.now {
		c.now, c.peak = at, c.maxWaited()
	}
	if ev.Kind != events.Queued {
		delete(c.waiting, ev.Call)
	} else if len(c.waiting) < maxWaiting {
		if c.waiting == nil {
			c.waiting = map[uint64]struct{}{}
		}
		c.waiting[ev.Call] = struct{}{}
	}
	p := point{at, ev.Available, len(c.waiting)}
	last := len(c.points) - 1
	if last >= 0 && p.tokens == c.points[last].tokens && p.waiting == c.points[last].waiting {
		return
	}
	if last >= 0 && (at == c.points[last].at || at-c.points[last].at < c.spacing) {
		p.at = c.points[last].at
		c.points[last] = p
	} else {
		c.points = append(c.points, p)
	}
	if len(c.points) == maxPoints {
		c.thinOut()
	}
}

// thinOut drops every second point.
func (c *curves) thinOut() {
	for i := range maxPoints / 2 {
		c.points[i] = c.points[2*i]
	}
	c.points = c.points[:maxPoints/2]
	c.spacing = (c.points[len(c.points)-1].at - c.points[0].at) / (maxPoints / 2)
}
