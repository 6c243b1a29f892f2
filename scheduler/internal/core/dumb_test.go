package core

import (
	"slices"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/events"
	"example.com/fairlead/retry"
)

// dumb is the model of the core, as one would explain it: a list of calls for each state, the queue
// sorted, and budgets of whole numbers of any size.
type dumb struct {
	budgets  []*dumbBudget
	step     time.Duration
	slots    int
	room     int
	overflow Overflow

	now         time.Duration
	pausedUntil time.Duration // 0: not paused
	earliest    time.Duration // no grant is dated before this
	queue       []*dumbCall   // in order
	running     []*dumbCall
	backingOff  []*dumbCall
	later       []*dumbCall // not arrived
	draining    bool

	retries   *dumbBudget // in thousandths of a retry; nil: no limit
	retriesAt time.Duration
	perCall   int64 // added by each call

	adapts    bool
	share     int // of the rate, in 64ths
	loweredAt time.Duration
	raiseAt   time.Duration

	granted []grant     // since the last move
	ended   []*dumbCall // since the last move
	holds   int         // new ones since the last move
	unfair  string      // set when a call overtakes another one too late
}

// dumbCall is a call in the model.
type dumbCall struct {
	id             uint64
	costs          Costs
	priority       int
	deadline       time.Duration
	noWait         bool
	later          time.Duration // how much later it takes its place
	wantsAdmission bool          // its caller waits for room
	policy         *retry.Policy
	arrived        time.Duration
	rank           time.Duration

	outer        *dumbCall // the call inside which it was made
	outerAttempt int

	state        State
	waitsForRoom bool
	canceled     bool // while it ran
	due          time.Duration
	lastRetry    time.Duration // the latest instant at which a retry may begin; 0: any
	attempt      int
	granted      time.Duration
	paid         int64 // from the first budget
	actual       Costs // of the attempt so far
	sunk         Costs // of that, what was paid before a reset
	settledAt    time.Duration
	hasPeriods   bool // it was settled while there was a quota
	end          events.Kind
	refusal      refusal
	wait         time.Duration
	times        events.Times
}

// refusal says why a call was refused. The zero refusal is none.
type refusal struct {
	reason Reason
	cost   bool // because of its cost
}

// grant is one grant of the model.
type grant struct {
	id    uint64
	at    time.Duration
	costs Costs
}

func newDumb(cfg Config, limits []bucket.Limit) *dumb {
	d := &dumb{
		step: cfg.PriorityStep, slots: cfg.MaxInFlight, room: cfg.MaxQueued, overflow: cfg.Overflow,
		adapts: cfg.Adaptive, share: 64, loweredAt: -1, raiseAt: bucket.Forever,
	}
	if cfg.RetryBudget != nil {
		var l bucket.Limit
		l, d.perCall = retryLimit(cfg.RetryBudget.WithDefaults())
		d.retries = newDumbBudget(l)
	}
	for _, l := range limits {
		d.budgets = append(d.budgets, newDumbBudget(l))
	}
	return d
}

// remove removes a call from a list.
func (d *dumb) remove(list *[]*dumbCall, c *dumbCall) {
	i := slices.Index(*list, c)
	*list = slices.Delete(*list, i, i+1)
}

func (d *dumb) leave(c *dumbCall) {
	switch c.state {
	case Queued:
		d.remove(&d.queue, c)
	case Running:
		d.remove(&d.running, c)
	case BackingOff:
		d.remove(&d.backingOff, c)
	case Later:
		d.remove(&d.later, c)
	}
}

// goesFirst reports whether c is before other in the queue: by rank, then by arrival.
func (c *dumbCall) goesFirst(other *dumbCall) bool {
	return c.rank < other.rank || c.rank == other.rank && c.id < other.id
}

func (d *dumb) enqueue(c *dumbCall) {
	c.state = Queued
	place := 0
	for place < len(d.queue) && d.queue[place].goesFirst(c) {
		place++
	}
	d.queue = slices.Insert(d.queue, place, c)
}

// neverGranted returns how many calls in the queue have room and were never granted, and the last
// of them.
func (d *dumb) neverGranted() (n int, last *dumbCall) {
	for _, c := range d.queue {
		if c.attempt == 0 && !c.waitsForRoom {
			n, last = n+1, c
		}
	}
	return n, last
}

func (d *dumb) full() bool {
	n, _ := d.neverGranted()
	return d.room > 0 && n >= d.room
}

func (d *dumb) hasSlot() bool { return d.slots == 0 || len(d.running) < d.slots }

// advance lets pass what is due by now: an adaptive rate rises, a pause ends, a backoff ends, or
// the head of the queue is granted. Nothing else happens by itself.
func (d *dumb) advance(now time.Duration) {
	for {
		resume, due, grant := bucket.Forever, bucket.Forever, bucket.Forever
		if d.pausedUntil > 0 {
			resume = d.pausedUntil
		}
		next := d.nextDue()
		if next != nil {
			due = next.due
		}
		if len(d.queue) > 0 && d.hasSlot() && d.pausedUntil == 0 {
			grant = max(d.earliest, d.ready(d.queue[0].costs))
		}
		at := min(resume, due, grant, d.raiseAt)
		if at > now || at == bucket.Forever {
			break
		}
		d.passTime(at)
		switch at {
		case d.raiseAt:
			d.setShare(min(64, d.share+4))
		case resume:
			d.resume()
		case due:
			d.requeue(next)
		default:
			if head := d.queue[0]; head.mayBegin(d.now) {
				d.grant(head)
			} else {
				d.endCall(head, events.Exhausted)
			}
		}
		d.admitWaiting()
	}
	d.passTime(now)
}

// wakeUp begins a turn of the owner: no later grant is dated long before now.
func (d *dumb) wakeUp(now time.Duration) {
	late := 25 * time.Millisecond
	for _, b := range d.budgets {
		if late = min(late, b.late()); b.resetsBy(now) {
			late = 0
		}
	}
	d.earliest = max(d.earliest, now-late)
}

// setWall says that the wall clock is ahead by drift. All that was due before happens now.
func (d *dumb) setWall(now, drift time.Duration) {
	d.passTime(max(now, d.now))
	for _, b := range d.budgets {
		b.setWall(d.now, drift)
	}
	d.replan()
	d.admitWaiting()
}

// handedOver says that the latest grants were handed over at this instant. If that is too late for
// a budget, or after a reset, its tokens stayed in it until then, and what did not fit is lost.
func (d *dumb) handedOver(at time.Duration) {
	late := func(b *dumbBudget) bool {
		return len(d.granted) > 0 && (at-d.granted[0].at > b.late() || b.resetsBy(at))
	}
	if !slices.ContainsFunc(d.budgets, late) {
		return
	}
	from := d.now
	d.recordTimes(at)
	for i, b := range d.budgets {
		spent := int64(0)
		for _, g := range d.granted {
			if late(b) {
				spent += g.costs[i]
			}
		}
		spent = min(spent, b.limit.Capacity-b.tokens()) // the rest was refunded
		if came := d.refillTime(b, from, at); came > 0 || b.resets() {
			b.take(from, -spent)
			b.refillFor(came)
			b.reset(at)
			b.take(at, spent)
		}
	}
}

// advanceNow does all that is possible at this instant. If every slot is then held by a call that
// waits for one made inside it, the newest queued one of those ends with a DeadlockError.
func (d *dumb) advanceNow() {
	d.admitWaiting()
	d.advance(d.now)
	for d.deadlocked() {
		var newest *dumbCall
		for _, c := range slices.Concat(d.queue, d.backingOff, d.later) {
			if c.awaited() && (newest == nil || c.id > newest.id) {
				newest = c
			}
		}
		d.endCall(newest, events.Failed)
		d.admitWaiting()
		d.advance(d.now)
	}
}

// awaited reports whether the attempt inside which a call was made still runs.
func (c *dumbCall) awaited() bool {
	return c.outer != nil && c.outer.state == Running && c.outer.attempt == c.outerAttempt
}

func (d *dumb) deadlocked() bool {
	if d.hasSlot() || len(d.running) == 0 {
		return false
	}
	waits := map[*dumbCall]bool{}
	for _, list := range [][]*dumbCall{d.queue, d.running, d.backingOff, d.later} {
		for _, c := range list {
			if c.awaited() {
				waits[c.outer] = true
			}
		}
	}
	return len(waits) == len(d.running)
}

func (d *dumb) nextDue() (next *dumbCall) {
	for _, c := range slices.Concat(d.backingOff, d.later) {
		if next == nil || c.due < next.due || c.due == next.due && c.goesFirst(next) {
			next = c
		}
	}
	return next
}

// grant starts an attempt. It also checks O5, priority: the calls that it overtakes came little
// before it.
func (d *dumb) grant(c *dumbCall) {
	for _, other := range d.queue {
		if other.id < c.id && c.arrived-other.arrived >= time.Duration(c.priority-other.priority)*d.step {
			d.unfair = "a call came too long after one that it overtakes"
		}
	}
	d.leave(c)
	for i, b := range d.budgets {
		b.take(d.now, c.costs[i])
	}
	c.actual, c.granted = c.costs, d.now
	c.sunk, c.settledAt, c.hasPeriods = Costs{}, d.now, false
	c.paid += c.costs[0]
	c.state, c.waitsForRoom = Running, false
	c.attempt++
	if c.attempt == 1 && d.retries != nil {
		d.refillRetries()
		d.retries.add(d.perCall)
	}
	d.running = append(d.running, c)
	d.granted = append(d.granted, grant{c.id, d.now, c.costs})
}

func (d *dumb) requeue(c *dumbCall) {
	arrives := c.state == Later
	d.leave(c)
	c.state = arriving
	full := arrives && d.full() && !d.startsAtOnce(c)
	_, last := d.neverGranted()
	switch {
	case !d.possible(c):
		d.endCall(c, events.Failed)
	case d.late(c):
		d.endLate(c)
	case !arrives && !d.paysForRetry():
		d.endCall(c, events.Exhausted)
	case full && d.overflow == refuseNew, full && d.overflow == dropLowest && last.goesFirst(c):
		d.endCall(c, events.Dropped)
	case full && d.overflow == dropLowest:
		d.endCall(last, events.Dropped)
		d.enqueue(c)
	default:
		atOnce := d.startsAtOnce(c)
		if d.enqueue(c); atOnce {
			d.grant(c) // before the next call arrives, for which there is room then
		}
	}
}

// refillRetries adds to the retry budget what time has added, which is also in holds and pauses.
func (d *dumb) refillRetries() {
	d.retries.refillFor(d.now - d.retriesAt)
	d.retriesAt = d.now
}

// paysForRetry takes a retry from the budget, if there is one.
func (d *dumb) paysForRetry() bool {
	if d.retries == nil {
		return true
	}
	d.refillRetries()
	if d.retries.tokens() < 1000 {
		return false
	}
	d.retries.add(-1000)
	return true
}

// mayBegin reports whether a retry may begin at an instant.
func (c *dumbCall) mayBegin(at time.Duration) bool { return c.lastRetry == 0 || at <= c.lastRetry }

func (d *dumb) endCall(c *dumbCall, kind events.Kind) {
	d.leave(c)
	c.state, c.end, c.waitsForRoom = Ended, kind, false
	d.ended = append(d.ended, c)
}

// estimate returns the place that a call has or would have in the queue, and when it would be
// granted.
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
	at = d.ready(sum)
	if c.state == Later || c.state == arriving {
		at = max(at, c.due)
	}
	return position, at
}

func (d *dumb) late(c *dumbCall) bool {
	if c.deadline == bucket.Forever && c.lastRetry == 0 {
		return false
	}
	_, at := d.estimate(c)
	return at > c.deadline || !c.mayBegin(at)
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

// startsAtOnce reports whether a call that takes its place now need not wait there. Another call that
// is due, and has not taken its place, may have to go first.
func (d *dumb) startsAtOnce(c *dumbCall) bool {
	if next := d.nextDue(); next != nil && (next.due < d.now || next.due == d.now && next.goesFirst(c)) {
		return false
	}
	position, at := d.estimate(c)
	return position == 1 && at == d.now && d.hasSlot() && d.pausedUntil == 0 && d.now >= d.earliest
}

func (d *dumb) submit(c *dumbCall) {
	c.due = d.now + c.later
	c.arrived, c.rank = c.due, c.due-time.Duration(c.priority)*d.step
	_, at := d.estimate(c)
	c.wait = at - d.now
	full := d.full() && !d.startsAtOnce(c) && c.later == 0
	_, last := d.neverGranted()
	switch {
	case d.draining:
		c.refusal = refusal{reason: Closed}
	case !d.possible(c):
		c.refusal = refusal{cost: true}
	case c.noWait && !(d.startsAtOnce(c) && c.later == 0):
		c.refusal = refusal{reason: WouldWait}
	case d.late(c):
		c.refusal = refusal{reason: TooLate}
	case full && d.overflow == refuseNew, full && d.overflow == dropLowest && last.goesFirst(c):
		c.refusal = refusal{reason: QueueFull}
	case full && d.overflow == dropLowest:
		d.endCall(last, events.Dropped)
	case full:
		c.waitsForRoom = c.wantsAdmission
	}
	if c.refusal != (refusal{}) {
		d.endCall(c, events.Refused)
		return
	}
	if c.later > 0 {
		c.state = Later
		d.later = append(d.later, c)
	} else {
		d.enqueue(c)
	}
	d.advanceNow()
}

// admitWaiting gives room to waiting calls, in order of arrival.
func (d *dumb) admitWaiting() {
	for !d.full() {
		var first *dumbCall
		for _, c := range d.queue {
			if c.waitsForRoom && (first == nil || c.id < first.id) {
				first = c
			}
		}
		if first == nil {
			return
		}
		first.waitsForRoom = false
	}
}
