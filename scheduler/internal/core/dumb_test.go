package core

import (
	"cmp"
	"maps"
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
	closed      bool

	lanes      []*dumbLane
	keyed      bool
	fair       dumbFair
	perKey     []bucket.Limit
	keyNames   []string // of the budgets of each key
	keySlots   int
	keyRoom    int
	holdsAll   bool
	strictKeys bool // some key has or had a strict limit
	patience   time.Duration
	virtual    int64
	epoch      int
	ownSpends  []ownSpend // of the grants since the last hand-over

	retries       *dumbRetries
	retriesPerKey *retry.Budget
	unpaid        []*dumbCall // of those that back off, the ones that wait for the retry budget

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
	maxWait        time.Duration // in the queue, for the first attempt; 0: no bound
	later          time.Duration // how much later it takes its place
	wantsAdmission bool          // its caller waits for room
	tracked        bool          // a program keeps it
	policy         *retry.Policy
	lane           *dumbLane
	weight         int64 // that its lane has from then on
	accepted       bool
	charged        int   // the epoch in which its lane was charged for the attempt
	chargedAt      int64 // at this weight
	arrived        time.Duration
	rank           time.Duration

	outer        *dumbCall // the call inside which it was made
	outerAttempt int

	state         State
	waitsForRoom  bool
	canceled      bool // while it ran
	due           time.Duration
	startBy       time.Duration // when its maxWait ends, once it is queued
	lastRetry     time.Duration // the latest instant at which a retry may begin; 0: any
	attempt       int
	granted       time.Duration
	paid          int64 // from the first budget
	actual        Costs // of the attempt so far
	sunk          Costs // of that, what was paid before a reset
	settledAt     time.Duration
	hasPeriods    bool // it was settled while there was a quota
	end           events.Kind
	refusal       refusal
	wait, atLeast time.Duration
	turnKnown     bool // its turn does not depend on the end of a pause that is not known
	times         events.Times
}

// refusal says why a call was refused. The zero refusal is none.
type refusal struct {
	reason Reason
	cost   bool // because of its cost
}

// ownSpend is what a grant took from the budgets of its lane.
type ownSpend struct {
	lane  *dumbLane
	costs Costs
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
		keySlots: cfg.PerKey.MaxInFlight, keyRoom: cfg.PerKey.MaxQueued, holdsAll: cfg.PerKey.HoldsAll,
		patience: cmp.Or(cfg.PerKey.Patience, DefaultPatience),
		fair:     dumbFair{spoiled: -1, pairs: map[[2]*dumbLane]*dumbPair{}},
	}
	for _, name := range slices.Sorted(maps.Keys(cfg.PerKey.Limits)) {
		d.keyNames = append(d.keyNames, name)
		d.perKey = append(d.perKey, cfg.PerKey.Limits[name])
		d.strictKeys = d.strictKeys || cfg.PerKey.Limits[name].Strict
	}
	d.retries, d.retriesPerKey = newDumbRetries(cfg.RetryBudget), cfg.PerKey.RetryBudget
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
		first := d.headOf(c.lane) == c
		d.remove(&d.queue, c)
		if first {
			d.look(c.lane)
		}
		if !d.closed {
			d.admitWaiting()
		}
	case Running:
		d.remove(&d.running, c)
		if c.lane.condition == lacksSlot || d.bySlots() {
			d.look(c.lane)
		}
	case BackingOff:
		d.remove(&d.backingOff, c)
		if slices.Contains(d.unpaid, c) {
			d.remove(&d.unpaid, c)
		}
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
	if c.attempt == 0 && c.maxWait > 0 {
		c.startBy = d.now + c.maxWait
	}
	first := d.firstOf(c)
	d.insert(c)
	if first {
		d.look(c.lane)
	}
}

// insert puts a call into its place in the queue.
func (d *dumb) insert(c *dumbCall) {
	place := 0
	for place < len(d.queue) && d.queue[place].goesFirst(c) {
		place++
	}
	d.queue = slices.Insert(d.queue, place, c)
}

func (d *dumb) hasSlot() bool { return d.slots == 0 || len(d.running) < d.slots }

// advance lets pass what is due by now: an adaptive rate rises, a pause ends, a backoff ends, or
// the head of the queue is granted, or a call has waited for too long. Nothing else happens by itself.
func (d *dumb) advance(now time.Duration) {
	for {
		resume, due, grant := bucket.Forever, bucket.Forever, bucket.Forever
		if d.pausedUntil > 0 {
			resume = d.pausedUntil
		}
		next := d.nextDue()
		if next != nil {
			due = d.dueOf(next)
		}
		if unpaid, at := d.nextPayment(); at < due {
			next, due = unpaid, at
		}
		if l := d.chosen(); l != nil && d.hasSlot() && d.pausedUntil == 0 {
			grant = max(d.earliest, d.ready(l.head.costs))
		}
		moved, moves := d.nextMove()
		impatient, gone := d.nextImpatient()
		at := min(resume, due, moves, grant, d.raiseAt, gone)
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
		case moves:
			if moved != nil {
				d.look(moved)
			}
		case grant:
			if head := d.chosen().head; head.mayBegin(d.now) {
				d.grant(head)
			} else {
				d.endCall(head, events.Exhausted)
			}
		default:
			d.endCall(impatient, events.Canceled)
		}
		d.admitWaiting()
	}
	d.passTime(now)
}

// nextMove returns when the condition of a lane ends by itself, and which, or when a head loses its patience. Of several
// lanes it is the one with the senior head.
func (d *dumb) nextMove() (moved *dumbLane, at time.Duration) {
	at = bucket.Forever
	for _, l := range d.lanes {
		if l.until < at || l.until == at && moved != nil && d.headOf(l).id < d.headOf(moved).id {
			moved, at = l, l.until
		}
		if lost := After(l.since, d.patience); l.condition == competes && len(d.turn()) > 1 && lost > d.now && lost < at {
			moved, at = nil, lost
		}
	}
	return moved, at
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

func (d *dumb) nextDue() (next *dumbCall) {
	for _, c := range slices.Concat(d.backingOff, d.later) {
		if next == nil || d.dueOf(c) < d.dueOf(next) || d.dueOf(c) == d.dueOf(next) && c.goesFirst(next) {
			next = c
		}
	}
	return next
}

// nextImpatient returns the queued call whose maxWait ends next, and when.
func (d *dumb) nextImpatient() (next *dumbCall, at time.Duration) {
	at = bucket.Forever
	for _, c := range d.queue {
		if by := d.startByOf(c); by < at || by == at && next != nil && c.id < next.id {
			next, at = c, by
		}
	}
	return next, at
}

// startByOf returns when the first attempt of a call may begin at the latest.
func (d *dumb) startByOf(c *dumbCall) time.Duration {
	switch {
	case c.maxWait == 0 || c.attempt > 0:
		return bucket.Forever
	case c.state == Queued:
		return c.startBy
	}
	return max(d.now, c.due) + c.maxWait
}

// grant starts an attempt. It also checks O5, priority: the calls that it overtakes came little
// before it.
func (d *dumb) grant(c *dumbCall) {
	for _, other := range d.queue {
		if other.lane == c.lane && other.id < c.id && c.arrived-other.arrived >= time.Duration(c.priority-other.priority)*d.step {
			d.unfair = "a call came too long after one that it overtakes"
		}
	}
	d.checkGrant(c)
	d.charge(c)
	for i, b := range d.allBudgets(c.lane) {
		b.take(d.now, c.costs[i])
	}
	if len(c.lane.own) > 0 {
		d.ownSpends = append(d.ownSpends, ownSpend{c.lane, c.costs})
	}
	d.running = append(d.running, c)
	if c.state == Queued {
		d.leave(c)
	} else {
		d.look(c.lane)
	}
	c.actual, c.granted = c.costs, d.now
	c.sunk, c.settledAt, c.hasPeriods = Costs{}, d.now, false
	c.paid += c.costs[0]
	c.state, c.waitsForRoom = Running, false
	c.attempt++
	if c.attempt == 1 {
		d.earn(c.lane)
	}
	d.granted = append(d.granted, grant{c.id, d.now, c.costs})
}

func (d *dumb) requeue(c *dumbCall) {
	arrives := c.state == Later
	waited := len(d.unpaid) > 0 && d.unpaid[0] == c
	d.leave(c)
	c.state = arriving
	full := arrives && d.full(c.lane) && !d.startsAtOnce(c)
	last := d.lastToGo(c)
	pays := paid
	if !arrives && d.possible(c) && !d.late(c) {
		pays = d.payForRetry(c, waited)
	}
	switch {
	case !d.possible(c):
		d.endCall(c, events.Failed)
	case d.late(c):
		d.endLate(c)
	case pays == tooPoor:
		d.endCall(c, events.Exhausted)
	case pays == waitsToPay:
		c.state = BackingOff
		d.backingOff = append(d.backingOff, c)
		d.unpaid = append(d.unpaid, c)
	case full && d.overflow == refuseNew && !c.tracked, full && d.overflow == dropLowest && last == c:
		d.endCall(c, events.Dropped)
	default:
		if full && d.overflow == dropLowest {
			d.endCall(last, events.Dropped)
		}
		d.arrive(c)
	}
}

// arrive queues a call, or grants it if it need not wait.
func (d *dumb) arrive(c *dumbCall) {
	if d.startsAtOnce(c) {
		d.grant(c) // before the next call arrives, for which there is room then
	} else {
		d.enqueue(c)
	}
}

// mayBegin reports whether a retry may begin at an instant.
func (c *dumbCall) mayBegin(at time.Duration) bool { return c.lastRetry == 0 || at <= c.lastRetry }

func (d *dumb) endCall(c *dumbCall, kind events.Kind) {
	d.leave(c)
	c.state, c.end, c.waitsForRoom = Ended, kind, false
	d.ended = append(d.ended, c)
}

// startsAtOnce reports whether a call that takes its place now need not wait there. Another call that
// is due, and has not taken its place, may have to go first.
func (d *dumb) startsAtOnce(c *dumbCall) bool {
	if next := d.nextDue(); next != nil && (d.dueOf(next) < d.now || d.dueOf(next) == d.now && next.goesFirst(c)) {
		return false
	}
	position, at := d.estimate(c)
	is, _ := d.conditionOf(c.lane, c)
	return position == 1 && at == d.now && is == competes && !d.precedes(c) && d.hasSlot() && d.pausedUntil == 0 && d.now >= d.earliest
}

func (d *dumb) submit(c *dumbCall) {
	c.due = d.now + c.later
	c.arrived, c.rank = c.due, c.due-time.Duration(c.priority)*d.step
	_, at := d.estimate(c)
	c.wait, c.atLeast = d.likely(c)-d.now, at-d.now
	c.turnKnown = d.pausedUntil != bucket.Forever
	full := d.full(c.lane) && !d.startsAtOnce(c) && c.later == 0
	last := d.lastToGo(c)
	switch {
	case d.draining:
		c.refusal = refusal{reason: Closed}
	case !d.possible(c):
		c.refusal = refusal{cost: true}
	case c.noWait && !(d.startsAtOnce(c) && c.later == 0):
		c.refusal = refusal{reason: WouldWait}
	case d.late(c) && d.startByOf(c) <= c.deadline:
		c.refusal = refusal{reason: WouldWait}
	case d.late(c):
		c.refusal = refusal{reason: TooLate}
	case full && d.overflow == refuseNew, full && d.overflow == dropLowest && last == c:
		c.refusal = refusal{reason: QueueFull}
	}
	if c.refusal != (refusal{}) {
		d.endCall(c, events.Refused)
		return
	}
	c.accepted = true
	d.setWeight(c.lane, c.weight)
	switch {
	case c.later > 0:
		c.state = Later
		d.later = append(d.later, c)
		d.advanceNow()
		if c.awaited() {
			d.breakDeadlockOf(c.lane)
		}
		return
	case d.full(c.lane) && !d.startsAtOnce(c) && d.overflow == dropLowest:
		d.endCall(d.lastToGo(c), events.Dropped)
	case d.full(c.lane) && !d.startsAtOnce(c):
		c.waitsForRoom = c.wantsAdmission
	}
	d.arrive(c)
	d.advanceNow()
	if c.awaited() {
		d.breakDeadlockOf(c.lane)
	}
}
