package core

import (
	"math/big"
	"time"

	"example.com/fairlead/bucket"
)

// dumbLane is a key in the model. The model never forgets one.
type dumbLane struct {
	name        string
	weight      int64
	own         []*dumbBudget
	retries     *dumbRetries
	heldUntil   time.Duration
	pausedUntil time.Duration

	condition condition     // as of its latest change
	until     time.Duration // when that ends by itself
	used      int64
	epoch     int
	head      *dumbCall     // that competes
	since     time.Duration // since when that competes, or until when the last one did

	served, largest int64             // what it was charged, and the most for a call
	entered         int               // how often its checks began anew
	overtaken       map[*dumbLane]int // by how many calls of each other lane, since it began to compete; nil: not checked
}

// lane returns the lane of a key.
func (d *dumb) lane(name string) *dumbLane {
	for _, l := range d.lanes {
		if l.name == name {
			return l
		}
	}
	l := &dumbLane{name: name, weight: 1, until: bucket.Forever}
	if name != "" {
		for _, limit := range d.perKey {
			b := newDumbBudget(limit)
			b.refillFor(1) // it has been full for ever
			l.own = append(l.own, b)
		}
		if l.retries = newDumbRetries(d.retriesPerKey); l.retries != nil {
			l.retries.at = -1
		}
	}
	d.lanes = append(d.lanes, l)
	return l
}

// useKeys begins to share between lanes, when a key is first named.
func (d *dumb) useKeys() {
	if d.keyed {
		return
	}
	d.keyed = true
	for _, l := range d.lanes {
		l.since = d.now
	}
}

// allBudgets returns the budgets from which the calls of a lane pay.
func (d *dumb) allBudgets(l *dumbLane) []*dumbBudget {
	return append(append([]*dumbBudget{}, d.budgets...), l.own...)
}

// headOf returns the first queued call of a lane, or nil.
func (d *dumb) headOf(l *dumbLane) *dumbCall {
	for _, c := range d.queue {
		if c.lane == l {
			return c
		}
	}
	return nil
}

func (d *dumb) runningOf(l *dumbLane) (n int64) {
	for _, c := range d.running {
		if c.lane == l {
			n++
		}
	}
	return n
}

// conditionOf returns what a call would wait for at the head of its lane, and until when.
func (d *dumb) conditionOf(l *dumbLane, c *dumbCall) (condition, time.Duration) {
	if until := max(l.heldUntil, l.pausedUntil); until > d.now {
		return onHold, until
	}
	ready := d.now
	for i, b := range l.own {
		ready = max(ready, After(max(d.now, b.heldUntil), b.wait(c.costs[len(d.budgets)+i])))
	}
	if ready > d.now && d.pausedUntil > 0 {
		return lacksTokens, bucket.Forever
	}
	if ready > d.now {
		return lacksTokens, ready
	}
	if d.keySlots > 0 && l.name != "" && d.runningOf(l) >= int64(d.keySlots) {
		return lacksSlot, bucket.Forever
	}
	return competes, bucket.Forever
}

// look finds the condition of a lane that has changed.
func (d *dumb) look(l *dumbLane) {
	was, head := l.condition, d.headOf(l)
	l.condition, l.until = empty, bucket.Forever
	if head != nil {
		l.condition, l.until = d.conditionOf(l, head)
	}
	switch {
	case l.condition == competes && was != competes:
		d.beginShare(l)
		l.head = head
		d.welcome(l)
	case l.condition == competes && l.head != head:
		l.since, l.head, l.overtaken = d.now, head, nil
	case l.condition != competes && was == competes:
		l.since, l.head = d.now, nil
		if len(d.turn()) == 0 {
			d.epoch++
			d.virtual = 0
		}
	}
}

// turn returns the lanes that compete.
func (d *dumb) turn() (turn []*dumbLane) {
	for _, l := range d.lanes {
		if l.condition == competes {
			turn = append(turn, l)
		}
	}
	return turn
}

// usedBy returns the share of a lane if it begins to compete now.
func (d *dumb) usedBy(l *dumbLane) int64 {
	if l.epoch != d.epoch || d.now-l.since >= d.patience {
		return d.virtual
	}
	return max(l.used, d.virtual)
}

func (d *dumb) beginShare(l *dumbLane) { l.used, l.epoch, l.since = d.usedBy(l), d.epoch, d.now }

// bySlots reports whether only slots are scarce.
func (d *dumb) bySlots() bool {
	for _, b := range d.budgets {
		if b.limit != bucket.Unlimited {
			return false
		}
	}
	return d.slots > 0
}

// standing is what decides between lanes: the lowest goes first.
type standing struct {
	slots, used int64
	number      uint64 // of the head
}

func (d *dumb) standing(l *dumbLane, used int64, head *dumbCall) standing {
	s := standing{0, used, head.id}
	if d.bySlots() {
		s.slots = d.runningOf(l) * unitsPerToken / l.weight
	}
	return s
}

func (s standing) less(t standing) bool {
	if s.slots != t.slots {
		return s.slots < t.slots
	}
	return s.used < t.used || s.used == t.used && s.number < t.number
}

// oldest returns the lane whose head has competed longest, of those that have lost their patience and without
// one, or nil.
func (d *dumb) oldest(without *dumbLane) (oldest *dumbLane) {
	for _, l := range d.turn() {
		if l == without || After(l.since, d.patience) > d.now || d.now == bucket.Forever {
			continue
		}
		if oldest == nil || l.since < oldest.since || l.since == oldest.since && l.head.id < oldest.head.id {
			oldest = l
		}
	}
	return oldest
}

// least returns the lane with the lowest standing, or nil.
func (d *dumb) least() (least *dumbLane) {
	for _, l := range d.turn() {
		if least == nil || d.standing(l, l.used, l.head).less(d.standing(least, least.used, least.head)) {
			least = l
		}
	}
	return least
}

// chosen returns the lane whose head goes first, or nil.
func (d *dumb) chosen() *dumbLane {
	if l := d.oldest(nil); l != nil {
		return l
	}
	return d.least()
}

// precedes reports whether another lane goes first if c is the head of its own.
func (d *dumb) precedes(c *dumbCall) bool {
	l := c.lane
	used := l.used
	if l.condition != competes {
		used = d.usedBy(l)
	}
	if d.oldest(l) != nil {
		return true
	}
	for _, other := range d.turn() {
		if other != l && d.standing(other, other.used, other.head).less(d.standing(l, used, c)) {
			return true
		}
	}
	return false
}

// charge charges the share of a call's lane, if any lane competes.
func (d *dumb) charge(c *dumbCall) {
	l := c.lane
	c.charged = -1
	least := d.least()
	if least == nil || !d.keyed {
		return
	}
	if d.virtual > mostVirtual { // only differences count
		for _, other := range d.lanes {
			if other.epoch == d.epoch {
				other.used = max(other.used-d.virtual, -mostAhead)
			}
		}
		d.virtual = 0
	}
	if l.condition != competes {
		d.beginShare(l)
	}
	if !d.standing(least, least.used, &dumbCall{}).less(d.standing(l, l.used, &dumbCall{})) {
		d.virtual = max(d.virtual, l.used)
	}
	byPatience := d.oldest(nil) != nil
	units := d.units(c.costs, l.weight)
	l.used = min(l.used+units, d.virtual+mostAhead)
	c.charged, c.chargedAt = d.epoch, l.weight
	d.checkShares(c, units, byPatience)
}

// units returns what costs add to a share.
func (d *dumb) units(costs Costs, weight int64) int64 {
	units := min(max(1, costs[0]), mostTokens) * unitsPerToken
	if len(d.budgets) > 1 {
		longest := int64(1)
		for i, b := range d.budgets {
			amount, per := b.limit.Refill, int64(b.limit.Per)
			if b.resets() {
				amount, per = b.limit.Capacity, int64(b.limit.Reset.Every)
			}
			nanos := new(big.Int).Mul(big.NewInt(max(0, costs[i])), big.NewInt(per))
			if nanos.Quo(nanos, big.NewInt(amount)); nanos.Cmp(big.NewInt(mostNanos)) > 0 {
				nanos.SetInt64(mostNanos)
			}
			longest = max(longest, nanos.Int64())
		}
		units = longest * unitsPerNano
	}
	return (units + weight - 1) / weight
}

// correct changes a share after an attempt has cost something else.
func (d *dumb) correct(c *dumbCall, more func(weight int64) int64) {
	if l := c.lane; c.charged == d.epoch && l.epoch == d.epoch {
		l.used = min(l.used+more(c.chargedAt), d.virtual+mostAhead)
		d.fair.spoiled = d.epoch
		d.look(l)
	}
}

// restartShares makes all shares equal.
func (d *dumb) restartShares() {
	d.epoch++
	d.virtual = 0
	d.forgiveAll()
	for _, l := range d.turn() {
		l.used, l.epoch = 0, d.epoch
	}
}

func (d *dumb) setWeight(l *dumbLane, weight int64) {
	if weight != l.weight {
		l.weight = weight
		l.forgive()
		d.look(l)
	}
}

// firstOf reports whether no queued call of its lane goes before c.
func (d *dumb) firstOf(c *dumbCall) bool {
	head := d.headOf(c.lane)
	return head == nil || head == c || c.goesFirst(head)
}
