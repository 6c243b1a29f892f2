package scheduler

import (
	"math"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/events"
)

// core decides everything: who is granted tokens and when, who tries again and
// when, and what becomes of each call. It is plain data. It has no goroutine, no
// clock, no lock, no channel and no randomness, and it calls nobody's code: its
// inputs are method calls at an instant, its outputs are values in effects, and
// wake says at which instant it wants to be called next.
//
// Instants are durations since origin and never go back. Whatever is done, every
// method first catches up with time: all that has fallen due meanwhile happens, in
// order, each at its own instant. So being called late costs no tokens (B7, D3).
type core struct {
	origin      time.Time
	step        time.Duration // how much earlier a priority of 1 makes a call count as having arrived
	maxInFlight int           // 0: no cap
	maxQueued   int           // 0: no bound
	overflow    Overflow

	now            time.Duration
	budgets        budgets
	queue          queue
	waitingForRoom callList // calls in the queue, but beyond its bound: those that have not been let in
	backoff        backoff
	running        callList // in order of their grants
	inFast         int      // how many run besides, let through by the till
	stuck          int      // how many of the running calls wait for calls made inside them
	adaptive       adaptiveRate
	pausedUntil    time.Duration // bucket.Forever if that is not known; 0: not paused
	holdTime       time.Duration // how long nobody could be granted, up to now
	handover       handover
	lastID         uint64
	totals         Totals
	draining       bool // takes no new calls
	closed         bool

	wanted  events.Kinds // the kinds of events that somebody wants to see
	effects effects
}

// effects are what the core wants done in the world, since they were last taken.
type effects struct {
	admitted []*call        // tell those who handed these in that they are in
	granted  []*call        // start these
	ended    []*call        // tell these that they are over; their err says how
	updates  []update       // tell these how they are doing
	events   []events.Event // publish these
}

// update is news for a call that wants to know.
type update struct {
	call     *call
	progress Progress
}

func (e *effects) clear() {
	e.admitted, e.granted, e.ended = emptied(e.admitted), emptied(e.granted), emptied(e.ended)
	e.updates, e.events = emptied(e.updates), emptied(e.events)
}

// maxKept is how much room is kept for the next turn, in entries. What a burst takes
// beyond that is given back.
const maxKept = 1024

// emptied is a slice with nothing in it, that has the room of one whose entries are not needed
// any more.
func emptied[T any](s []T) []T {
	if cap(s) > maxKept {
		return nil
	}
	clear(s)
	return s[:0]
}

// advance lets everything happen that falls due up to now.
func (k *core) advance(now time.Duration) {
	now = max(now, k.now) // a clock may go back
	for {
		due, ready, resume, increase := k.backoff.next(), k.nextGrant(), k.pauseEnds(), k.adaptive.increaseAt
		at := min(due, ready, resume, increase)
		if at > now || at == bucket.Forever {
			break
		}
		k.pass(at)
		switch at {
		case increase:
			k.increase()
		case resume:
			k.resumed()
		case due: // before the grant: it may be senior to the head
			k.requeue(k.backoff[0].call)
		default:
			k.grantHead()
		}
	}
	k.pass(now)
}

// advanceNow lets everything happen that an input has made possible at this instant.
func (k *core) advanceNow() {
	k.advance(k.now)
	if k.deadlocked() {
		k.breakDeadlock()
		k.advance(k.now)
	}
}

// wake is the instant at which the core wants to be advanced next:
// [bucket.Forever] if it waits for nothing but new input.
func (k *core) wake() time.Duration {
	return min(k.backoff.next(), k.nextGrant(), k.pauseEnds(), k.adaptive.increaseAt)
}

// nextGrant is the instant at which the head has its tokens and a slot, as far as
// that depends on time alone.
func (k *core) nextGrant() time.Duration {
	head := k.queue.head()
	if head == nil || k.paused() || !k.hasSlot() {
		return bucket.Forever
	}
	return max(k.handover.earliest, k.budgets.readyFor(head))
}

func (k *core) hasSlot() bool { return k.maxInFlight == 0 || k.running.count+k.inFast < k.maxInFlight }

// pass moves the core's time. Nothing falls due on the way, so all of it is spent on
// the same: first, perhaps, a hold; then whatever the head waits for.
func (k *core) pass(to time.Duration) {
	if to <= k.now {
		return
	}
	k.spend(to)
	if k.paused() {
		k.budgets.skip(to)
	} else {
		k.budgets.advance(to)
	}
}

// spend moves the core's time without that of the budgets, and notes what queued calls spend it
// on.
func (k *core) spend(to time.Duration) {
	free := to // from when on somebody could be granted
	if !k.paused() {
		free = min(max(k.now, k.budgets.heldUntil()), to)
	}
	k.holdTime += free - k.now
	if head := k.queue.head(); head != nil && free < to {
		head.ensureDetail()
		ready := to
		if !k.hasSlot() {
			ready = min(max(free, k.budgets.readyFor(head)), to)
		}
		head.spent.Tokens += ready - free
		head.spent.Slot += to - ready
	}
	k.now = to
}

// enqueue puts a call that arrived, or whose backoff is over, into its place, unless
// there is nothing that it would have to wait for.
func (k *core) enqueue(c *call) {
	c.state, c.since, c.holdTimeBefore = queued, k.now, k.holdTime
	if c.watched || k.wanted.Has(events.Queued) {
		k.reportPlace(c)
	}
	if k.startsAtOnce(c) {
		c.ensureDetail()
		k.grant(c)
	} else {
		k.queue.push(c)
	}
}

// reportPlace tells those who want to know how long a call will have to wait.
func (k *core) reportPlace(c *call) {
	position, wait := k.estimate(c)
	if k.wanted.Has(events.Queued) {
		ev := k.event(events.Queued, c)
		ev.Attempt, ev.Position, ev.Wait = c.attempt+1, position, wait
		k.effects.events = append(k.effects.events, ev)
	}
	if c.watched && wait > 0 {
		k.update(c, Progress{State: Waiting, Attempt: c.attempt + 1, Position: position, Wait: wait, Err: c.lastErr()})
	}
}

// requeue puts a call back whose backoff is over, or ends it if that is in vain.
func (k *core) requeue(c *call) {
	k.leave(c)
	if err := k.budgets.check(c); err != nil { // the capacity was lowered meanwhile
		k.endFailed(c, endedBy(err, c))
		return
	}
	if late := k.late(c); late != nil {
		k.endTooLate(c, late)
		return
	}
	k.enqueue(c)
}

// leave takes a call from wherever its state has it, and accounts for the time it has
// spent there. Its next state is the caller's to set.
func (k *core) leave(c *call) {
	c.ensureDetail()
	d := k.now - c.since
	switch c.state {
	case queued:
		held := k.holdTime - c.holdTimeBefore
		c.spent.Hold += held
		c.spent.Queue += d - held
		k.queue.remove(c)
		k.stopWaitingForRoom(c)
		k.admitWaiting()
	case running:
		c.spent.Run += d
		k.running.remove(c)
		k.unlinkInner(c)
	case backingOff:
		c.spent.Backoff += d
		k.backoff.remove(c)
	}
	c.since = k.now
}

// grantHead starts the head of the queue.
func (k *core) grantHead() {
	c := k.queue.head()
	k.leave(c)
	k.grant(c)
}

// grant pays for a call and starts it.
func (k *core) grant(c *call) {
	if !k.budgets.take(k.now, c) {
		panic("scheduler: a call was granted before its tokens were there")
	}
	k.handover.add(k.now, c, len(k.budgets))
	k.admit(c)
	c.paid += c.cost
	if c.extra != nil {
		c.extra.settled = false
	}
	c.state = running
	c.attempt++
	c.granted = k.now
	k.running.add(c)
	k.totals.Attempts++
	if c.attempt > 1 {
		k.totals.Retries++
	}
	k.emit(events.Granted, c)
	k.effects.granted = append(k.effects.granted, c)
}

// end is the only way out for a call, after it has left its place.
func (k *core) end(c *call, kind events.Kind, err error) {
	c.ensureDetail()
	k.unlink(c)
	c.state, c.err = ended, err
	k.effects.ended = append(k.effects.ended, c)
	if k.wanted.Has(kind) {
		ev := k.event(kind, c)
		ev.Err, ev.Times = err, c.times()
		k.effects.events = append(k.effects.events, ev)
	}
}

// emit adds an event that needs no more than what is known of every call.
func (k *core) emit(kind events.Kind, c *call) {
	if k.wanted.Has(kind) {
		k.effects.events = append(k.effects.events, k.event(kind, c))
	}
}

func (k *core) event(kind events.Kind, c *call) events.Event {
	c.ensureDetail()
	return events.Event{
		Kind: kind, At: k.time(k.now), Call: c.id, Name: c.name, Cost: c.cost,
		Attempt: c.attempt, MaxAttempts: c.policy.Attempts(), Budget: k.budgets[0].name, Available: k.budgets[0].Available(),
	}
}

// emitEvent adds an event that is about the scheduler.
func (k *core) emitEvent(ev events.Event) {
	if k.wanted.Has(ev.Kind) {
		ev.At, ev.Budget, ev.Available = k.time(k.now), k.budgets[0].name, k.budgets[0].Available()
		k.effects.events = append(k.effects.events, ev)
	}
}

func (k *core) update(c *call, p Progress) {
	p.Call, p.Name, p.MaxAttempts = c.id, c.name, c.policy.Attempts()
	p.Budget, p.Available = k.budgets[0].name, k.budgets[0].Available()
	k.effects.updates = append(k.effects.updates, update{c, p})
}

func (k *core) time(at time.Duration) time.Time { return k.origin.Add(at) }

// after is at + d without overflow, for a d that is not negative.
func after(at, d time.Duration) time.Duration {
	if at > 0 && d > bucket.Forever-at {
		return bucket.Forever
	}
	return at + d
}

// addCosts is a + b without overflow, for costs.
func addCosts(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}
