package core

import (
	"cmp"
	"maps"
	"math/big"
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
	later          time.Duration // how much later it takes its place
	wantsAdmission bool          // its caller waits for room
	policy         *retry.Policy
	lane           *dumbLane
	weight         int64 // that its lane has from then on
	accepted       bool
	charged        int // the epoch in which its lane was charged for the attempt
	arrived        time.Duration
	rank           time.Duration

	outer        *dumbCall // the call inside which it was made
	outerAttempt int

	state         State
	waitsForRoom  bool
	canceled      bool // while it ran
	due           time.Duration
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
			due = d.dueOf(next)
		}
		if unpaid, at := d.nextPayment(); at < due {
			next, due = unpaid, at
		}
		if l := d.chosen(); l != nil && d.hasSlot() && d.pausedUntil == 0 {
			grant = max(d.earliest, d.ready(l.head.costs))
		}
		moved, moves := d.nextMove()
		at := min(resume, due, moves, grant, d.raiseAt)
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
		default:
			if head := d.chosen().head; head.mayBegin(d.now) {
				d.grant(head)
			} else {
				d.endCall(head, events.Exhausted)
			}
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

// wakeUp begins a turn of the owner: no later grant is dated long before now.
func (d *dumb) wakeUp(now time.Duration) {
	late := 25 * time.Millisecond
	for _, b := range d.budgets {
		if late = min(late, b.late()); b.resetsBy(now) {
			late = 0
		}
	}
	if d.strictKeys {
		late = 0
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
	spends := d.ownSpends
	d.ownSpends = nil
	lateForKeys := len(d.granted) > 0 && d.strictKeys && at > d.granted[0].at
	if !slices.ContainsFunc(d.budgets, late) && !lateForKeys {
		return
	}
	from := d.now
	d.recordTimes(at)
	d.postponeOwn(from, at, spends)
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

// postponeOwn is handedOver for the budgets of lanes.
func (d *dumb) postponeOwn(from, at time.Duration, spends []ownSpend) {
	for _, l := range d.lanes {
		for i, b := range l.own {
			spent := int64(0)
			for _, s := range spends {
				if s.lane == l && at-d.granted[0].at > b.late() {
					spent += s.costs[len(d.budgets)+i]
				}
			}
			spent = min(spent, b.limit.Capacity-b.tokens())
			if came := d.ownRefillTime(l, b, from, at); came > 0 {
				b.add(spent)
				b.refillFor(came)
				b.add(-spent)
			}
		}
	}
	for _, l := range d.lanes {
		if slices.ContainsFunc(spends, func(s ownSpend) bool { return s.lane == l }) {
			d.look(l)
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

// breakDeadlockOf does the same for the slots of the lane of a call that was just made inside another.
func (d *dumb) breakDeadlockOf(l *dumbLane) {
	for {
		stuck := map[*dumbCall]bool{}
		var newest *dumbCall
		for _, c := range slices.Concat(d.queue, d.backingOff, d.later) {
			if !c.awaited() || c.lane != l || c.outer.lane != l {
				continue
			}
			if stuck[c.outer] = true; newest == nil || c.id > newest.id {
				newest = c
			}
		}
		if d.keySlots == 0 || l.name == "" || d.runningOf(l) < int64(d.keySlots) || int64(len(stuck)) < d.runningOf(l) {
			return
		}
		d.endCall(newest, events.Failed)
		d.advanceNow()
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
		if next == nil || d.dueOf(c) < d.dueOf(next) || d.dueOf(c) == d.dueOf(next) && c.goesFirst(next) {
			next = c
		}
	}
	return next
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
	case full && d.overflow == refuseNew, full && d.overflow == dropLowest && last == c:
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
	if c.deadline == bucket.Forever && c.lastRetry == 0 {
		return false
	}
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
	full := d.full(c.lane) && !d.startsAtOnce(c) && c.later == 0
	last := d.lastToGo(c)
	switch {
	case d.draining:
		c.refusal = refusal{reason: Closed}
	case !d.possible(c):
		c.refusal = refusal{cost: true}
	case c.noWait && !(d.startsAtOnce(c) && c.later == 0):
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
