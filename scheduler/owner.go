package scheduler

import (
	"runtime"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/clock"
	"example.com/fairlead/events"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler/internal/core"
)

// owner is the goroutine that owns the core. It takes messages from one inbox, which puts them in
// order, passes them to the core, and carries out the core's effects. It never blocks and never
// runs user code. Each reply channel has room for all replies that can be sent before its reader
// must have read.
type owner struct {
	s     *Scheduler
	core  *core.Core
	timer clock.Timer
	armed time.Duration // when the timer goes off; bucket.Forever if it does not
	slack time.Duration // crowdSlack; 0 if the clock is a mock or a bubble's, which are never late
	lease leaser
	drift time.Duration // how far the wall clock was ahead when the core was last told: see readWall

	work   []*call         // empty between two turns
	passed passed          // zero between two turns
	after  []func()        // called at the end of the turn, after the timer is set
	drains []chan struct{} // of Shutdown: closed when every call and function of OnEnd has ended
	idles  []chan struct{} // of WaitIdle, likewise

	readers []chan Changes // of goroutines that wait in Changes

	links      []*storeLink // to the stores of budgets that processes share
	exchanging int          // how many asks are under way

	handedBack []Unfinished // calls that Shutdown has ended because they had not arrived
}

// message is sent to the owner.
type message struct {
	op   op
	call *call
	err  error                       // opDone, opFailed: the outcome; opCancel, opAbandon: the cause
	do   func(*owner, time.Duration) // opAsk
}

type op uint8

const (
	opSubmit    op = iota // submits a call
	opStarted             // its function is about to run
	opDone                // its attempt was the last, and its runner knows
	opFailed              // its attempt failed with a retryable error: see call.verdict
	opAbandon             // it was granted but is not started
	opCancel              // it is canceled
	opFastDone            // a call that was granted by the fast path has succeeded
	opFastKnown           // the owner has to know such a call while it runs
	opTick                // only time has passed
	opAsk                 // run do, which reads or changes the core
)

// keepsLease reports whether a message can't change which call is granted next.
func (op op) keepsLease() bool {
	return op == opStarted || op == opDone || op == opFastDone || op == opTick
}

// reply is sent to the runner of a call.
type reply struct {
	kind  replyKind
	event *events.Event // replyUpdate
}

type replyKind uint8

const (
	replyGranted replyKind = iota // run the function
	replyEnded                    // the call has ended: see call.err
	replyUpdate                   // progress of the call
)

// maxReplies is how many replies to one runner can be pending. They are "retrying" after a failed
// attempt or "later" at first, then "waiting", and then "granted" or "ended".
const maxReplies = 3

// crowd is how many queued calls are a crowd. Thousands of goroutines may then be about to run, and
// the owner does not queue up behind them with runtime.Gosched: a turn that comes more than maxLate
// after the last one loses tokens. Asleep, it is woken by the next message, and runs at once.
const crowd = 32

// crowdSlack is how late the timer may be in a crowd, so that a wake-up grants several calls, and so
// that the timer is not set anew in each turn. The core dates each grant at its own instant all the
// same.
const crowdSlack = 500 * time.Microsecond

// turnLength limits the messages that are handled on one reading of the clock.
const turnLength = 256

// reader returns a function that returns the time since an origin. For the system clock that is
// cheaper than reading the time of day.
func reader(c clock.Clock, origin time.Time) func() time.Duration {
	if quick, ok := c.(interface{ Since(time.Time) time.Duration }); ok {
		return func() time.Duration { return quick.Since(origin) }
	}
	return func() time.Duration { return c.Now().Sub(origin) }
}

// post sends a message to the owner. It returns false, without sending, if the scheduler is
// closed. It waits only for the owner, which never blocks.
func (s *Scheduler) post(m message) bool {
	s.mustBeMade()
	s.gate.RLock()
	defer s.gate.RUnlock()
	if s.closed {
		return false
	}
	s.inbox <- m
	return true
}

func (o *owner) run() {
	for !o.core.Closed {
		select { // most often there is a message: cheaper than a select with the timer
		case m := <-o.s.inbox:
			o.turn(m)
			continue
		default:
		}
		select {
		case m := <-o.s.inbox:
			o.turn(m)
		case <-o.timer.C():
			o.armed = bucket.Forever
			o.turn(message{op: opTick})
		}
	}
	o.timer.Stop()
	o.keepChanges()
	o.s.hub.Close()
	close(o.s.done)
}

// turn handles a message and those that came meanwhile, all at one instant.
func (o *owner) turn(m message) {
	now := o.s.read()
	if o.core.HasQuotas {
		o.readWall(now)
	}
	if o.core.Wake() <= now {
		o.revokeLease(now)
		o.core.WakeUp(now)
	}
	o.want(now)
	o.look(now)
	o.collect(now)
	o.handle(now, m)
	for range min(len(o.s.inbox), turnLength) {
		o.handle(now, <-o.s.inbox)
	}
	o.takeNew(now)
	o.core.Advance(now)
	o.collectUrgent(now)
	o.movePlaces(now)
	o.setListing(now)
	o.grantLease()
	if o.links != nil && !o.core.Closed {
		o.askStores()
	}
	o.deliver()
	if o.core.HandoverPending() {
		o.core.HandedOver(o.s.read())
	}
	o.arm()
	o.notify()
	if len(o.s.inbox) == 0 && o.core.Queued() < crowd {
		runtime.Gosched() // callers that were just answered often send more: cheaper than to fall asleep first
	}
}

func (o *owner) handle(now time.Duration, m message) {
	if m.op != opSubmit {
		o.takeNew(now) // the message may be about one of them
	}
	if m.op == opSubmit && m.call.runner != nil && m.call.runner.fast && o.tryFast(now, m.call) {
		return
	}
	if !m.op.keepsLease() {
		o.revokeLease(now)
	}
	switch m.op {
	case opSubmit:
		o.core.Submit(now, &m.call.Call)
	case opStarted:
		o.core.Started(now, &m.call.Call)
	case opDone:
		o.know(now, m.call)
		m.call.doneWith()
		o.core.Finish(now, &m.call.Call, m.err, retry.Verdict{})
	case opFailed:
		o.know(now, m.call)
		o.core.Finish(now, &m.call.Call, m.err, o.core.Verdict(&m.call.Call))
	case opAbandon:
		m.call.doneWith()
		o.core.Abandon(now, &m.call.Call, m.err)
	case opCancel:
		o.core.Cancel(now, &m.call.Call, m.err)
	case opFastDone:
		o.look(now)
		o.core.DoneFast(now, &m.call.Call, m.call.runner.permit.number)
		o.s.recycle(m.call)
	case opFastKnown:
		o.know(now, m.call)
	case opTick:
		o.collect(now) // it may have been sent after this turn began
		o.renewLease(now)
	case opAsk:
		o.collect(now)
		m.do(o, now)
	}
}

// deliver carries out the core's effects. Events come first, so that an event is published before
// its consequence can be seen.
func (o *owner) deliver() {
	fx := &o.core.Effects
	for _, ev := range fx.Events {
		ev.Err = publicError(ev.Err)
		o.s.hub.Publish(ev)
	}
	for _, c := range fx.Admitted {
		callOf(c).handle().admit <- nil
	}
	for _, u := range fx.Updates {
		callOf(u.Call).runner.reply <- reply{kind: replyUpdate, event: &u.Event}
	}
	for _, c := range fx.Ended {
		o.deliverEnd(callOf(c))
	}
	work := o.work[:0]
	for _, c := range fx.Granted {
		switch call := callOf(c); {
		case call.runner != nil && call.runner.reply != nil:
			call.runner.reply <- reply{kind: replyGranted}
		case c.Kind != core.Reserved:
			work = append(work, call)
		case c.State != core.Ended: // its holder may have canceled it in this same turn
			call.handle().grant()
		}
	}
	if len(work) > 0 {
		o.s.workers.add(o.s, work)
	}
	o.work = core.Emptied(work)
	o.passed = passed{}
	fx.Clear()
}

// deliverEnd delivers the end of a call to its runner and its handle.
func (o *owner) deliverEnd(c *call) {
	c.SetErr(publicError(c.Err()))
	if h := c.handle(); h != nil {
		if h.handleExtras != nil && h.stopWatch != nil {
			go h.stopWatch() // runs code of the context, which may be a user's
		}
		if c.WantsAdmission {
			h.admit <- c.Err() // Submit returns the error, and no handle
		} else {
			h.complete()
		}
	}
	switch r := c.runner; {
	case r == nil:
	case r.runnerDone:
		o.s.recycle(c)
	case r.reply != nil:
		r.reply <- reply{kind: replyEnded}
	}
}

// notify answers the callers that wait for the end of the turn, or for the end of all calls.
func (o *owner) notify() {
	for _, do := range o.after {
		do()
	}
	o.after = nil
	if o.drains != nil || o.idles != nil {
		o.notifyIdle()
	}
	if len(o.readers) > 0 {
		o.giveChanges()
	}
}

// arm sets the timer for the instant at which the core has to be advanced next. That is later than
// now, since all that is due has happened.
func (o *owner) arm() {
	wake := o.core.Wake()
	if o.lease.active {
		wake = min(wake, o.lease.renewAt)
	}
	if o.core.HasQuotas {
		wake = o.lookBy(wake)
	}
	if o.links != nil {
		wake = min(wake, o.core.AskAgainAt())
	}
	latest := o.latest(wake)
	if wake <= o.armed && o.armed <= latest {
		return
	}
	o.armed = latest
	if latest == bucket.Forever {
		o.timer.Stop()
	} else {
		o.timer.Reset(latest - o.core.Now)
	}
}

// latest returns until when the timer may go off if the core has to be advanced at wake. That is
// later than wake only in a crowd whose tokens come so often that the wake-up grants several calls.
func (o *owner) latest(wake time.Duration) time.Duration {
	if o.core.Queued() < crowd || wake-o.core.Now >= o.slack {
		return wake
	}
	return core.After(wake, min(o.slack, o.core.MaxLate()))
}

// close ends the owner after this turn. Its message is the last one, since the gate was closed
// before.
func (o *owner) close(now time.Duration) {
	o.knowAll(now)
	o.s.unfinished = o.unfinishedCalls(now)
	o.core.Close(now)
	o.s.final = o.snapshot(now)
	o.leaveStores()
	for _, c := range o.core.RunningCalls() {
		if h := callOf(c).handle(); h != nil {
			o.s.toInterrupt = append(o.s.toInterrupt, h)
		}
	}
}
