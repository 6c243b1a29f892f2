package timeline

import (
	"time"

	"example.com/fairlead/events"
)

// curves are the tokens in the budget and the number of calls that wait for a grant. Only so
// many points are kept; then every second of them goes, and those that come are as far apart.
type curves struct {
	points  []point
	apart   time.Duration // what happens sooner after the last point only changes that
	waiting map[uint64]struct{}
	now     time.Duration
	peak    int // the most that have waited until before now
}

// most is the most calls that have waited: longer than an instant, as one that is granted when
// it comes does not.
func (c *curves) most() int { return max(c.peak, len(c.waiting)) }

// point is where the curves stand from an instant on.
type point struct {
	at      time.Duration
	tokens  int64
	waiting int
}

const (
	mostPoints  = 2000
	mostWaiting = 1 << 18 // the numbers of as many calls are remembered; more than that are not counted
)

func (c *curves) add(at time.Duration, ev events.Event) {
	if at > c.now {
		c.now, c.peak = at, c.most()
	}
	if ev.Kind != events.Queued {
		delete(c.waiting, ev.Call)
	} else if len(c.waiting) < mostWaiting {
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
	if last >= 0 && (at == c.points[last].at || at-c.points[last].at < c.apart) {
		p.at = c.points[last].at
		c.points[last] = p
	} else {
		c.points = append(c.points, p)
	}
	if len(c.points) == mostPoints {
		c.thin()
	}
}

func (c *curves) thin() {
	for i := range mostPoints / 2 {
		c.points[i] = c.points[2*i]
	}
	c.points = c.points[:mostPoints/2]
	c.apart = (c.points[len(c.points)-1].at - c.points[0].at) / (mostPoints / 2)
}
