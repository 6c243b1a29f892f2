package core

import (
	"math"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/events"
	"example.com/fairlead/retry"
)

// Core decides which call is granted tokens and when, which is retried and when, and how each
// ends. It is plain data, without goroutines, clock, locks, channels or randomness, and it runs
// no user code. Its inputs are method calls at an instant, and its outputs are values in Effects.
// Wake returns the instant at which it has to be called next.
//
// Instants are durations since origin and never go back. Each method first catches up with time:
// all that has fallen due happens, in order, each at its own instant. So a late call of the core
// costs no tokens (B7, D3).
type Core struct {
	origin      time.Time
	step        time.Duration // how much earlier a call counts as having arrived for each point of priority
	MaxInFlight int           // 0: no cap
	MaxQueued   int           // 0: no bound
	overflow    Overflow
	policy      retry.Policy // of calls without their own
	retries     *retryBudget // of all calls; nil: no limit

	Now            time.Duration
	keyed          bool // some call had a key, so lanes is kept
	Budgets        Budgets
	HasQuotas      bool          // a limit has a Reset
	shared         bool          // other processes pay from a budget, too
	LimitsChanged  bool          // another process has changed a limit, since the owner has last cleared this
	drift          time.Duration // how far the wall clock is ahead of origin + Now
	plain          lane          // of calls without a key
	plainWaiting   waiting       // its queue
	lanes          lanes
	perKey         PerKey
	bounded        bool                    // there is a MaxQueued
	perKeyBudgets  Budgets                 // of the limits of each key, by name; their buckets are as new
	strictKeys     bool                    // some key has a strict limit
	retriesPerKey  *retryBudget            // of a new key; nil: no limit
	usedRetries    map[*lane]bucket.Packed // what is left of it, for keys that have used some
	queued         int                     // calls
	neverGranted   int                     // of them, those that wait for their first attempt
	waitingForRoom callList                // queued calls beyond maxQueued, which have not been admitted
	backoff        dueHeap
	unpaid         callList          // of these, the calls that wait for the retry budget, in the order in which their backoffs ended
	later          dueHeap           // calls that have not arrived
	limited        heap[limitedCall] // queued calls with a MaxWait, by when it ends
	nextDue        time.Duration     // when the first call in backoff or later is due, or can pay for its retry
	nextMove       time.Duration     // when the next lane moves because of time alone
	running        callList          // in the order of their grants
	InFast         int               // how many more calls run by the fast path
	stuck          int               // how many running calls wait for calls made inside them
	adaptive       adaptiveRate
	pausedUntil    time.Duration // 0: not paused; bucket.Forever: until it is resumed
	holdTime       time.Duration // for how long no call could be granted, up to now
	handover       handover
	LastID         uint64
	changed        []*Call // see TakeChanges
	numbers        numbers
	Totals         Totals
	Draining       bool // takes no new calls
	Closed         bool

	Wanted  events.Kinds // the kinds of events that have a subscriber
	Effects Effects
}

// Advance makes everything happen that falls due up to now.
func (k *Core) Advance(now time.Duration) {
	now = max(now, k.Now) // a clock may go back
	for {
		due, move, ready, resume, increase := k.nextDue, k.nextMove, k.nextGrant(), k.PauseEnds(), k.adaptive.increaseAt
		at := min(due, move, ready, resume, increase, k.nextLimit())
		if k.shared && k.passShared(min(at, now)) {
			continue
		}
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
			k.comeBack(k.firstDue())
		case move: // likewise
			k.moveLane()
		case ready:
			k.grantHead()
		default:
			k.endLimited()
		}
	}
	k.pass(now)
}

// advanceNow makes everything happen that an input has made possible at this instant.
func (k *Core) advanceNow() {
	k.Advance(k.Now)
	if k.deadlocked() {
		k.breakDeadlock()
		k.Advance(k.Now)
	}
}

// Wake returns the instant at which the core has to be advanced next. It returns [bucket.Forever]
// if only new input can change anything.
func (k *Core) Wake() time.Duration {
	at := min(k.nextDue, k.nextMove, k.nextGrant(), k.PauseEnds(), k.adaptive.increaseAt, k.nextLimit())
	if k.shared {
		at = min(at, k.nextOfShared())
	}
	return at
}

// nextGrant returns the instant at which the head of the queue has its tokens and a slot. It
// returns [bucket.Forever] if that does not depend on time alone.
func (k *Core) nextGrant() time.Duration {
	head := k.plainWaiting.head()
	if k.keyed {
		head = k.head()
	}
	if head == nil || k.Paused() || !k.hasSlot() {
		return bucket.Forever
	}
	return max(k.handover.earliest, k.Budgets.readyFor(head))
}

func (k *Core) hasSlot() bool { return k.MaxInFlight == 0 || k.running.count+k.InFast < k.MaxInFlight }

// pass moves the core's time. Nothing falls due on the way. The head of the queue spends that
// time first on a hold, if there is one, and then on tokens or a slot.
func (k *Core) pass(to time.Duration) {
	if to <= k.Now {
		return
	}
	k.spend(to)
	if k.Paused() {
		k.Budgets.skip(to)
	} else {
		k.Budgets.advance(to)
	}
}

// spend moves the core's time without that of the budgets, and notes what queued calls spend it
// on.
func (k *Core) spend(to time.Duration) {
	free := to // from then on a call could be granted
	if !k.Paused() {
		free = min(max(k.Now, k.Budgets.heldUntil()), to)
	}
	k.holdTime += free - k.Now
	head := k.plainWaiting.head()
	if k.keyed {
		head = k.head()
	}
	if head != nil && free < to {
		spent := &head.ensureDetail().spent
		ready := to
		if !k.hasSlot() {
			ready = min(max(free, k.Budgets.readyFor(head)), to)
		}
		spent.Tokens += ready - free
		spent.Slot += to - ready
		if k.keyed {
			spent.Turn -= to - free // which account adds
		}
	}
	k.Now = to
}

// enqueue puts a call that has arrived, or whose backoff has ended, into its place in the queue.
// A call that need not wait is granted at once.
func (k *Core) enqueue(c *Call) {
	l := k.laneOf(c)
	k.account(l)
	resumed := c.IsResumed()
	c.State, c.holdTimeBefore = Queued, k.holdTimeOf(l)
	if !resumed { // else it has waited before
		c.begin(k.Now)
	}
	if c.Watched || k.Wanted.Has(events.Queued) {
		k.reportPlace(c)
	}
	if k.startsAtOnce(c) {
		if resumed {
			c.endWait(k.Now)
		}
		k.grant(c)
	} else {
		k.limitWait(c)
		k.join(l, c)
	}
}

// leave takes a call out of the place where its state has it, and accounts for the time spent
// there. The caller of leave sets the next state.
func (k *Core) leave(c *Call) {
	c.ensureDetail()
	d := k.Now - c.detail.since
	switch c.State {
	case Queued:
		l := k.laneOf(c)
		k.account(l)
		held := k.holdTimeOf(l) - c.holdTimeBefore
		c.detail.spent.Hold += held
		c.detail.spent.Queue += d - held
		k.stopWaitingForRoom(c)
		k.quit(l, c)
		k.stopLimit(c)
		k.admitWaiting(l)
	case Running:
		c.detail.spent.Run += d
		k.running.remove(c)
		if k.laneOf(c).running--; k.keyed {
			k.noteRunning(k.laneOf(c))
		}
		k.unlinkInner(c)
	case BackingOff:
		c.detail.spent.Backoff += d
		k.backoff.remove(c)
		k.stopWaitingToPay(c)
		k.noteDue()
	case Later:
		c.detail.extra.later += d
		k.later.remove(c)
		k.noteDue()
	}
	c.detail.since = k.Now
	c.detail.outside = false
	c.State = leaving // so that an attempt that is over does not count as one for which calls inside it wait
}

// grantHead starts the head of the queue. A retry that has waited for too long, for a slot or behind
// calls that overtook it, ends instead.
func (k *Core) grantHead() {
	c := k.head()
	if until, limited := c.lastRetryAt(); limited && k.Now > until {
		k.leave(c)
		k.endElapsed(c, k.Now)
		return
	}
	k.grant(c)
}

// grant takes a call's tokens from the budgets and starts the call, which is at the head or arrives.
func (k *Core) grant(c *Call) {
	l := k.laneOf(c)
	c.ensureDetail()
	if k.keyed {
		k.account(l)
		k.charge(l, c)
	}
	if !k.Budgets.take(k.Now, c) {
		panic("scheduler: a call was granted before its tokens were there")
	}
	k.handover.add(k.Now, c, len(k.Budgets))
	if len(l.own) > 0 {
		k.takeOwn(l, c)
	}
	l.running++
	if l.waiting.head() == c {
		k.leave(c)
	} else {
		k.place(l)
	}
	k.admit(c)
	c.detail.paid += c.Cost
	if c.Attempts == 0 && !c.CutOff() || c.detail.first == bucket.Forever {
		c.detail.first = k.Now
	}
	if x := c.detail.extra; x != nil {
		x.settled, x.sunk, x.cutOff = false, nil, false
	}
	c.State = Running
	c.Attempts++
	c.detail.granted = k.Now
	k.running.add(c)
	k.Totals.Attempts++
	if c.Attempts > 1 {
		k.Totals.Retries++
	} else {
		k.earnRetries(l)
	}
	k.emit(events.Granted, c)
	k.Effects.Granted = append(k.Effects.Granted, c)
}

// end ends a call that has left its place. Every call ends here.
func (k *Core) end(c *Call, kind events.Kind, err error) {
	c.ensureDetail()
	k.unlink(c)
	if k.keyed && c.ID != 0 {
		l := k.laneOf(c)
		l.calls--
		if l != &k.plain {
			k.lanes.calls--
		}
		k.rest(l)
	}
	c.State, c.detail.err, c.detail.ended = Ended, err, kind
	if c.ID != 0 && kind != events.Closed {
		k.noteChange(c)
	}
	k.Effects.Ended = append(k.Effects.Ended, c)
	if k.Wanted.Has(kind) {
		ev := k.event(kind, c)
		ev.Err, ev.Times = err, c.Times()
		k.Effects.Events = append(k.Effects.Events, ev)
	}
}

// Time returns the time of an instant.
func (k *Core) Time(at time.Duration) time.Time { return k.origin.Add(at) }

// TimeOrZero returns the zero time for [bucket.Forever].
func (k *Core) TimeOrZero(at time.Duration) time.Time {
	if at == bucket.Forever {
		return time.Time{}
	}
	return k.Time(at)
}

// After returns at + d without overflow. d must not be negative.
func After(at, d time.Duration) time.Duration {
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
