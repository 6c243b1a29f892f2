package scheduler

import (
	"math"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/events"
	"example.com/fairlead/retry"
)

// core decides which call is granted tokens and when, which is retried and when, and how each
// ends. It is plain data, without goroutines, clock, locks, channels or randomness, and it runs
// no user code. Its inputs are method calls at an instant, and its outputs are values in effects.
// wake returns the instant at which it has to be called next.
//
// Instants are durations since origin and never go back. Each method first catches up with time:
// all that has fallen due happens, in order, each at its own instant. So a late call of the core
// costs no tokens (B7, D3).
type core struct {
	origin      time.Time
	step        time.Duration // how much earlier a call counts as having arrived for each point of priority
	maxInFlight int           // 0: no cap
	maxQueued   int           // 0: no bound
	overflow    overflow
	policy      retry.Policy // of calls without their own

	now            time.Duration
	budgets        budgets
	queue          queue
	waitingForRoom callList // queued calls beyond maxQueued, which have not been admitted
	backoff        backoff
	running        callList // in the order of their grants
	inFast         int      // how many more calls run by the fast path
	stuck          int      // how many running calls wait for calls made inside them
	adaptive       adaptiveRate
	pausedUntil    time.Duration // 0: not paused; bucket.Forever: until it is resumed
	holdTime       time.Duration // for how long no call could be granted, up to now
	handover       handover
	lastID         uint64
	totals         totals
	draining       bool // takes no new calls
	closed         bool

	wanted  events.Kinds // the kinds of events that have a subscriber
	effects effects
}

// effects collects what the owner has to do after calling the core: start calls, wake callers,
// publish events.
type effects struct {
	admitted []*coreCall    // their Submit can return
	granted  []*coreCall    // to be started
	ended    []*coreCall    // have ended with their err
	updates  []update       // progress of calls
	events   []events.Event // to be published
}

// update is an event of a call that has OnProgress.
type update struct {
	call  *coreCall
	event events.Event
}

// clear makes the effects empty, for the next call of the core.
func (e *effects) clear() {
	e.admitted, e.granted, e.ended = emptied(e.admitted), emptied(e.granted), emptied(e.ended)
	e.updates, e.events = emptied(e.updates), emptied(e.events)
}

// maxKept is the largest capacity of a slice, in entries, that is kept for the next turn. A
// larger one is freed after its burst.
const maxKept = 1024

// emptied returns an empty slice with the capacity of s, whose entries are not needed any more.
func emptied[T any](s []T) []T {
	if cap(s) > maxKept {
		return nil
	}
	clear(s)
	return s[:0]
}

// advance makes everything happen that falls due up to now.
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
		case due: // before the grant, since it may be senior to the head
			k.requeue(k.backoff[0].call)
		default:
			k.grantHead()
		}
	}
	k.pass(now)
}

// advanceNow makes everything happen that an input has made possible at this instant.
func (k *core) advanceNow() {
	k.advance(k.now)
	if k.deadlocked() {
		k.breakDeadlock()
		k.advance(k.now)
	}
}

// wake returns the instant at which the core has to be advanced next. It returns [bucket.Forever]
// if only new input can change anything.
func (k *core) wake() time.Duration {
	return min(k.backoff.next(), k.nextGrant(), k.pauseEnds(), k.adaptive.increaseAt)
}

// nextGrant returns the instant at which the head of the queue has its tokens and a slot. It
// returns [bucket.Forever] if that does not depend on time alone.
func (k *core) nextGrant() time.Duration {
	head := k.queue.head()
	if head == nil || k.paused() || !k.hasSlot() {
		return bucket.Forever
	}
	return max(k.handover.earliest, k.budgets.readyFor(head))
}

func (k *core) hasSlot() bool { return k.maxInFlight == 0 || k.running.count+k.inFast < k.maxInFlight }

// pass moves the core's time. Nothing falls due on the way. The head of the queue spends that
// time first on a hold, if there is one, and then on tokens or a slot.
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
	free := to // from then on a call could be granted
	if !k.paused() {
		free = min(max(k.now, k.budgets.heldUntil()), to)
	}
	k.holdTime += free - k.now
	if head := k.queue.head(); head != nil && free < to {
		spent := &head.ensureDetail().spent
		ready := to
		if !k.hasSlot() {
			ready = min(max(free, k.budgets.readyFor(head)), to)
		}
		spent.Tokens += ready - free
		spent.Slot += to - ready
	}
	k.now = to
}

// enqueue puts a call that has arrived, or whose backoff has ended, into its place in the queue.
// A call that need not wait is granted at once.
func (k *core) enqueue(c *coreCall) {
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

// reportPlace tells subscribers and the call's own caller how long it will have to wait.
func (k *core) reportPlace(c *coreCall) {
	ev := k.event(events.Queued, c)
	ev.Attempt = int(c.attempts) + 1
	ev.Position, ev.Wait = k.estimate(c)
	k.report(c, ev, ev.Wait > 0)
}

// requeue puts a call back into the queue when its backoff delay has passed. It ends the call if
// it could not be granted, or not before its deadline.
func (k *core) requeue(c *coreCall) {
	k.leave(c)
	if err := k.budgets.check(c); err != nil { // the capacity was lowered meanwhile
		k.endFailed(c, endEarly(early{cause: err}, c))
		return
	}
	if wait, late := k.late(c); late {
		k.endTooLate(c, wait)
		return
	}
	k.enqueue(c)
}

// leave takes a call out of the place where its state has it, and accounts for the time spent
// there. The caller of leave sets the next state.
func (k *core) leave(c *coreCall) {
	c.ensureDetail()
	d := k.now - c.since
	switch c.state {
	case queued:
		held := k.holdTime - c.holdTimeBefore
		c.detail.spent.Hold += held
		c.detail.spent.Queue += d - held
		k.queue.remove(c)
		k.stopWaitingForRoom(c)
		k.admitWaiting()
	case running:
		c.detail.spent.Run += d
		k.running.remove(c)
		k.unlinkInner(c)
	case backingOff:
		c.detail.spent.Backoff += d
		k.backoff.remove(c)
	}
	c.since = k.now
	c.state = leaving // so that an attempt that is over does not count as one for which calls inside it wait
}

// grantHead starts the head of the queue.
func (k *core) grantHead() {
	c := k.queue.head()
	k.leave(c)
	k.grant(c)
}

// grant takes a call's tokens from the budgets and starts the call.
func (k *core) grant(c *coreCall) {
	if !k.budgets.take(k.now, c) {
		panic("scheduler: a call was granted before its tokens were there")
	}
	k.handover.add(k.now, c, len(k.budgets))
	k.admit(c)
	c.detail.paid += c.cost
	if c.detail.extra != nil {
		c.detail.extra.settled = false
	}
	c.state = running
	c.attempts++
	c.detail.granted = k.now
	k.running.add(c)
	k.totals.Attempts++
	if c.attempts > 1 {
		k.totals.Retries++
	}
	k.emit(events.Granted, c)
	k.effects.granted = append(k.effects.granted, c)
}

// end ends a call that has left its place. Every call ends here.
func (k *core) end(c *coreCall, kind events.Kind, err error) {
	c.ensureDetail()
	k.unlink(c)
	c.state, c.detail.err = ended, err
	k.effects.ended = append(k.effects.ended, c)
	if k.wanted.Has(kind) {
		ev := k.event(kind, c)
		ev.Err, ev.Times = err, c.times()
		k.effects.events = append(k.effects.events, ev)
	}
}

// emit adds an event about a call, with the fields that every call has.
func (k *core) emit(kind events.Kind, c *coreCall) {
	if k.wanted.Has(kind) {
		k.effects.events = append(k.effects.events, k.event(kind, c))
	}
}

func (k *core) event(kind events.Kind, c *coreCall) events.Event {
	return events.Event{
		Kind: kind, At: k.time(k.now), Call: c.id, Name: c.options().name, Cost: c.cost,
		Attempt: int(c.attempts), MaxAttempts: k.policyOf(c).Attempts(), Budget: k.budgets[0].name, Available: k.budgets[0].Available(),
	}
}

// emitEvent adds an event about the scheduler.
func (k *core) emitEvent(ev events.Event) {
	if k.wanted.Has(ev.Kind) {
		ev.At, ev.Budget, ev.Available = k.time(k.now), k.budgets[0].name, k.budgets[0].Available()
		k.effects.events = append(k.effects.events, ev)
	}
}

// report adds an event about a call that waits, for subscribers and, as progress, for the call's own
// caller.
func (k *core) report(c *coreCall, ev events.Event, progress bool) {
	if k.wanted.Has(ev.Kind) {
		k.effects.events = append(k.effects.events, ev)
	}
	if c.watched && progress {
		ev.Err = c.lastErr()
		k.effects.updates = append(k.effects.updates, update{c, ev})
	}
}

// time returns the time of an instant.
func (k *core) time(at time.Duration) time.Time { return k.origin.Add(at) }

// timeOrZero returns the zero time for [bucket.Forever].
func (k *core) timeOrZero(at time.Duration) time.Time {
	if at == bucket.Forever {
		return time.Time{}
	}
	return k.time(at)
}

// after returns at + d without overflow. d must not be negative.
func after(at, d time.Duration) time.Duration {
	if at > 0 && d > bucket.Forever-at {
		return bucket.Forever
	}
	return at + d
}

// addCosts returns the sum of two costs without overflow.
func addCosts(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}
