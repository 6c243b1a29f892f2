package core

import "fmt"

// dumbFair checks that the model shares fairly, and so the core, which grants the same calls at the same instants.
type dumbFair struct {
	pairs   map[[2]*dumbLane]*dumbPair
	spoiled int    // the epoch in which a head went first for want of patience, or a share was corrected
	unfair  string // set when a rule is broken
}

// dumbPair has what two lanes that compete have been charged since both do, at their weights.
type dumbPair struct {
	entered     [2]int // of each lane
	least, most int64  // of the difference
}

// checkGrant checks a grant. The lanes that compete have been charged for the grants before.
func (d *dumb) checkGrant(c *dumbCall) {
	began := d.now
	if c.lane.head == c {
		began = c.lane.since
	}
	for _, l := range d.turn() {
		if l != c.lane && began > After(l.since, d.patience) {
			d.fair.unfair = fmt.Sprintf("K5, patience: a head that began to compete at %v overtakes one of %v", began, l.since)
		}
	}
}

// checkShares checks the shares after a lane was charged.
func (d *dumb) checkShares(c *dumbCall, units int64, byPatience bool) {
	charged := c.lane
	if len(d.budgets) == 1 { // by tokens, whatever it was charged
		units = (min(max(1, c.costs[0]), 1<<36)<<20 + charged.weight - 1) / charged.weight
	}
	charged.served += units
	charged.largest = max(charged.largest, units)
	if byPatience {
		d.fair.spoiled = d.epoch
	}
	if d.fair.spoiled == d.epoch || d.bySlots() {
		d.forgiveAll()
		return
	}
	charged.overtaken = nil
	for _, l := range d.turn() {
		if l == charged {
			continue
		}
		if l.overtaken != nil {
			if l.overtaken[charged]++; l.overtaken[charged] > 1 {
				d.fair.unfair = fmt.Sprintf("K2, fairness: a call of %q, which has used no more than others, is overtaken by %d of %q", l.name, l.overtaken[charged], charged.name)
			}
		}
		if charged.condition == competes {
			d.checkPair(charged, l)
		}
	}
}

func (d *dumb) checkPair(a, b *dumbLane) {
	if a.name > b.name {
		a, b = b, a
	}
	difference := a.served - b.served
	p := d.fair.pairs[[2]*dumbLane{a, b}]
	if p == nil || p.entered != [2]int{a.entered, b.entered} {
		p = &dumbPair{[2]int{a.entered, b.entered}, difference, difference}
		d.fair.pairs[[2]*dumbLane{a, b}] = p
	}
	p.least, p.most = min(p.least, difference), max(p.most, difference)
	if p.most-p.least > a.largest+b.largest {
		d.fair.unfair = fmt.Sprintf("K2: %q and %q differ by %d, and their largest calls are %d and %d", a.name, b.name, p.most-p.least, a.largest, b.largest)
	}
}

// forgive begins the checks of a lane anew, since its share was corrected, or it has begun to compete.
func (l *dumbLane) forgive() {
	l.entered++
	l.overtaken = nil
}

// forgiveAll begins all checks anew.
func (d *dumb) forgiveAll() {
	for _, l := range d.lanes {
		l.forgive()
	}
}

// welcome notes that a lane begins to compete.
func (d *dumb) welcome(l *dumbLane) {
	l.forgive()
	if l.used == d.virtual {
		l.overtaken = map[*dumbLane]int{}
	}
}
