package scheduler

import (
	"slices"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/events"
	"example.com/fairlead/retry"
)

// dumb is the core as one would explain it: a list of calls for each state they can be
// in, one of them sorted, and budgets that are whole numbers of any size.
type dumb struct {
	budgets  []*dumbBudget
	step     time.Duration
	slots    int
	room     int
	overflow Overflow

	now        time.Duration
	pausedTill time.Duration // 0: not paused
	earliest   time.Duration // no grant is dated before this
	queue      []*dumbCall   // in order
	running    []*dumbCall
	backingOff []*dumbCall
	draining   bool

	adapts bool
	share  int // of the rate, in 64ths
	slowed time.Duration
	climbs time.Duration

	granted []grant     // since they were last looked at
	ended   []*dumbCall // likewise
	holds   int         // how many were new, likewise
	unfair  string      // what broke the rule on who may overtake whom
}

// dumbCall is a call of the model, and what it knows of the core's.
type dumbCall struct {
	id       uint64
	costs    costs
	priority int
	deadline time.Duration
	noWait   bool
	asks     bool // its caller waits outside if it must
	policy   *retry.Policy
	arrived  time.Duration
	rank     time.Duration

	outer        *dumbCall // inside whose attempt it was made
	outerAttempt int

	state     state
	outside   bool
	cancelled bool // while it ran
	due       time.Duration
	attempt   int
	granted   time.Duration
	paid      int64 // from the first budget
	actual    costs // what the attempt has cost so far
	end       events.Kind
	refusal   any // the type of its error
	wait      time.Duration
	times     events.Times
}

// grant is who was granted when.
type grant struct {
	id    uint64
	at    time.Duration
	costs costs
}

func newDumb(cfg Config, limits []bucket.Limit) *dumb {
	d := &dumb{
		step: cfg.PriorityStep, slots: cfg.MaxInFlight, room: cfg.MaxQueued, overflow: cfg.Overflow,
		adapts: cfg.Adaptive, share: 64, slowed: -1, climbs: bucket.Forever,
	}
	for _, l := range limits {
		d.budgets = append(d.budgets, newDumbBudget(l))
	}
	return d
}

// take is all that is needed for a call to go somewhere else.
func (d *dumb) take(list *[]*dumbCall, c *dumbCall) {
	i := slices.Index(*list, c)
	*list = slices.Delete(*list, i, i+1)
}

func (d *dumb) leave(c *dumbCall) {
	switch c.state {
	case queued:
		d.take(&d.queue, c)
	case running:
		d.take(&d.running, c)
	case backingOff:
		d.take(&d.backingOff, c)
	}
}

// goesFirst is the order of the queue: by rank, and by arrival where that is the same.
func (c *dumbCall) goesFirst(other *dumbCall) bool {
	return c.rank < other.rank || c.rank == other.rank && c.id < other.id
}

func (d *dumb) enqueue(c *dumbCall) {
	c.state = queued
	place := 0
	for place < len(d.queue) && d.queue[place].goesFirst(c) {
		place++
	}
	d.queue = slices.Insert(d.queue, place, c)
}

// fresh is how many are queued, were never granted, and are let in, and the last of them.
func (d *dumb) fresh() (n int, last *dumbCall) {
	for _, c := range d.queue {
		if c.attempt == 0 && !c.outside {
			n, last = n+1, c
		}
	}
	return n, last
}

func (d *dumb) full() bool {
	n, _ := d.fresh()
	return d.room > 0 && n >= d.room
}

func (d *dumb) hasSlot() bool { return d.slots == 0 || len(d.running) < d.slots }

// advance is the rules: a pause ends; whoever's backoff is over queues, in the order in
// which they are over; the first of the queue is granted when it can pay and there is a
// slot. Nothing else ever happens by itself.
func (d *dumb) advance(now time.Duration) {
	for {
		resume, due, grant := bucket.Forever, bucket.Forever, bucket.Forever
		if d.pausedTill > 0 {
			resume = d.pausedTill
		}
		next := d.nextDue()
		if next != nil {
			due = next.due
		}
		if len(d.queue) > 0 && d.hasSlot() && d.pausedTill == 0 {
			grant = max(d.earliest, d.ready(d.queue[0].costs))
		}
		at := min(resume, due, grant, d.climbs)
		if at > now || at == bucket.Forever {
			break
		}
		d.pass(at)
		switch at {
		case d.climbs:
			d.setShare(min(64, d.share+4))
		case resume:
			d.resume()
		case due:
			d.requeue(next)
		default:
			d.grant(d.queue[0])
		}
		d.letIn()
	}
	d.pass(now)
}

// wakeUp notes that grants are handed over now, so that none is dated long before.
func (d *dumb) wakeUp(now time.Duration) {
	late := 25 * time.Millisecond
	for _, b := range d.budgets {
		late = min(late, b.late())
	}
	d.earliest = max(d.earliest, now-late)
}

// handedOver notes that the latest grants were handed over only at this instant. If that is too
// late for a budget, its tokens stayed in it until then, and what did not fit is lost.
func (d *dumb) handedOver(at time.Duration) {
	late := func(b *dumbBudget) bool { return len(d.granted) > 0 && at-d.granted[0].at > b.late() }
	if !slices.ContainsFunc(d.budgets, late) {
		return
	}
	from := d.now
	d.spend(at)
	for i, b := range d.budgets {
		spent := int64(0)
		for _, g := range d.granted {
			if late(b) {
				spent += g.costs[i]
			}
		}
		spent = min(spent, b.limit.Capacity-b.tokens()) // the rest was refunded
		if came := d.came(b, from, at); came > 0 {
			b.give(spent)
			b.come(came)
			b.give(-spent)
		}
	}
}

// settle does all that is possible at this instant. If then every slot is held by a call that
// waits for one made inside it, the newest queued one of those is ended.
func (d *dumb) settle() {
	d.letIn()
	d.advance(d.now)
	for d.deadlocked() {
		var newest *dumbCall
		for _, c := range append(slices.Clone(d.queue), d.backingOff...) {
			if c.awaited() && (newest == nil || c.id > newest.id) {
				newest = c
			}
		}
		d.over(newest, events.Failed)
		d.letIn()
		d.advance(d.now)
	}
}

// awaited reports whether the attempt in which a call was made still runs.
func (c *dumbCall) awaited() bool {
	return c.outer != nil && c.outer.state == running && c.outer.attempt == c.outerAttempt
}

func (d *dumb) deadlocked() bool {
	if d.hasSlot() || len(d.running) == 0 {
		return false
	}
	waits := map[*dumbCall]bool{}
	for _, list := range [][]*dumbCall{d.queue, d.running, d.backingOff} {
		for _, c := range list {
			if c.awaited() {
				waits[c.outer] = true
			}
		}
	}
	return len(waits) == len(d.running)
}

func (d *dumb) nextDue() (next *dumbCall) {
	for _, c := range d.backingOff {
		if next == nil || c.due < next.due || c.due == next.due && c.goesFirst(next) {
			next = c
		}
	}
	return next
}

// grant lets a call run. Here is the bound: those that it overtakes came little before it.
func (d *dumb) grant(c *dumbCall) {
	for _, other := range d.queue {
		if other.id < c.id && c.arrived-other.arrived >= time.Duration(c.priority-other.priority)*d.step {
			d.unfair = "it came too long after one that it overtakes"
		}
	}
	d.leave(c)
	for i, b := range d.budgets {
		b.give(-c.costs[i])
	}
	c.actual, c.granted = c.costs, d.now
	c.paid += c.costs[0]
	c.state, c.outside = running, false
	c.attempt++
	d.running = append(d.running, c)
	d.granted = append(d.granted, grant{c.id, d.now, c.costs})
}

func (d *dumb) requeue(c *dumbCall) {
	d.take(&d.backingOff, c)
	c.state = arriving
	switch {
	case !d.possible(c):
		d.over(c, events.Failed)
	case d.late(c):
		d.over(c, events.Cancelled)
	default:
		d.enqueue(c)
	}
}

func (d *dumb) over(c *dumbCall, kind events.Kind) {
	d.leave(c)
	c.state, c.end, c.outside = ended, kind, false
	d.ended = append(d.ended, c)
}

// estimate is a call's place, were it queued, and when its turn would come.
func (d *dumb) estimate(c *dumbCall) (position int, at time.Duration) {
	sum := c.costs
	position = 1
	for _, other := range d.queue {
		if other.goesFirst(c) {
			position++
			for i := range d.budgets {
				sum[i] += other.costs[i]
			}
		}
	}
	return position, d.ready(sum)
}

func (d *dumb) late(c *dumbCall) bool {
	if c.deadline == bucket.Forever {
		return false
	}
	_, at := d.estimate(c)
	return at > c.deadline
}

func (d *dumb) startsAtOnce(c *dumbCall) bool {
	position, at := d.estimate(c)
	return position == 1 && at == d.now && d.hasSlot() && d.pausedTill == 0 && d.now >= d.earliest
}

func (d *dumb) submit(c *dumbCall) {
	c.arrived, c.rank = d.now, d.now-time.Duration(c.priority)*d.step
	_, at := d.estimate(c)
	c.wait = at - d.now
	full := d.full() && !d.startsAtOnce(c)
	_, last := d.fresh()
	switch {
	case d.draining:
		c.refusal = ErrClosed
	case !d.possible(c):
		c.refusal = &bucket.CostError{}
	case c.noWait && !d.startsAtOnce(c):
		c.refusal = &WouldWaitError{}
	case d.late(c):
		c.refusal = &DeadlineError{}
	case full && d.overflow == RefuseNew, full && d.overflow == DropLowest && last.goesFirst(c):
		c.refusal = &QueueFullError{}
	case full && d.overflow == DropLowest:
		d.over(last, events.Dropped)
	case full:
		c.outside = c.asks
	}
	if c.refusal != nil {
		d.over(c, events.Refused)
		return
	}
	d.enqueue(c)
	d.settle()
}

// letIn lets in from outside, in order of arrival.
func (d *dumb) letIn() {
	for !d.full() {
		var first *dumbCall
		for _, c := range d.queue {
			if c.outside && (first == nil || c.id < first.id) {
				first = c
			}
		}
		if first == nil {
			return
		}
		first.outside = false
	}
}
