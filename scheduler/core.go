package scheduler

import (
	"math"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/events"
	"example.com/fairlead/retry"
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
	maxInFlight int // 0: no cap

	now      time.Duration
	bucket   bucket.Bucket
	queue    queue
	backoff  backoff
	running  runningCalls
	lastID   uint64
	totals   Totals
	draining bool // takes no new calls
	closed   bool

	wanted  events.Kinds // the kinds of events that somebody wants to see
	effects effects
}

// effects are what the core wants done in the world, since they were last taken.
type effects struct {
	granted []*call        // start these
	ended   []*call        // tell these that they are over; their err says how
	updates []update       // tell these how they are doing
	events  []events.Event // publish these
}

// update is news for a call that wants to know.
type update struct {
	call     *call
	progress Progress
}

func (e *effects) clear() {
	clear(e.granted)
	clear(e.ended)
	clear(e.updates)
	clear(e.events)
	e.granted, e.ended, e.updates, e.events = e.granted[:0], e.ended[:0], e.updates[:0], e.events[:0]
}

// advance lets everything happen that falls due up to now.
func (k *core) advance(now time.Duration) {
	for {
		due, ready := k.backoff.next(), k.nextGrant()
		at := min(due, ready)
		if at > now || at == bucket.Forever {
			break
		}
		k.now = max(k.now, at)
		if due <= ready { // first the one that may be senior to the head
			k.enqueue(k.backoff.pop())
		} else {
			k.grantHead()
		}
	}
	k.now = max(k.now, now)
	k.bucket.Advance(k.now)
}

// wake is the instant at which the core wants to be advanced next:
// [bucket.Forever] if it waits for nothing but new input.
func (k *core) wake() time.Duration { return min(k.backoff.next(), k.nextGrant()) }

// nextGrant is the instant at which the head has its tokens and a slot, as far as
// that depends on time alone.
func (k *core) nextGrant() time.Duration {
	head := k.queue.head()
	if head == nil || !k.hasSlot() {
		return bucket.Forever
	}
	return max(k.now, k.bucket.Ready(head.cost))
}

func (k *core) hasSlot() bool { return k.maxInFlight == 0 || k.running.count < k.maxInFlight }

// settle lets everything happen that an input has made possible at this instant.
func (k *core) settle() { k.advance(k.now) }

// submit accepts a call, or refuses it: then its err says why.
func (k *core) submit(now time.Duration, c *call) {
	k.advance(now)
	if k.draining || k.closed {
		k.refuse(c, ErrClosed)
		return
	}
	total := addCosts(k.queue.cost(), c.cost)
	if ready := k.bucket.Ready(total); c.deadline < max(ready, k.now) {
		k.refuse(c, &DeadlineError{Wait: ready - k.now, Deadline: c.deadline - k.now})
		return
	}
	k.lastID++
	c.id = k.lastID
	k.totals.Accepted++
	k.enqueue(c)
	k.settle()
}

func (k *core) refuse(c *call, err error) {
	k.totals.Refused++
	k.end(c, events.Refused, err)
}

// enqueue puts a call that arrived, or whose backoff is over, into its place.
func (k *core) enqueue(c *call) {
	c.state = queued
	k.queue.push(c)
	if !c.watched && !k.wanted.Has(events.Queued) {
		return
	}
	position, ready := k.estimate(c)
	wait := max(0, ready-k.now)
	if k.wanted.Has(events.Queued) {
		ev := k.event(events.Queued, c)
		ev.Attempt, ev.Position, ev.Wait = c.attempt+1, position, wait
		k.effects.events = append(k.effects.events, ev)
	}
	if c.watched && wait > 0 {
		k.update(c, Progress{State: Waiting, Attempt: c.attempt + 1, Position: position, Wait: wait, Err: c.lastErr()})
	}
}

// estimate is a queued call's position, from 1, and the instant at which its tokens
// will be there if nobody goes ahead of it, fails or leaves.
func (k *core) estimate(c *call) (position int, ready time.Duration) {
	ahead, cost := k.queue.before(c)
	return ahead + 1, k.bucket.Ready(addCosts(cost, c.cost))
}

// grantHead pays for the head of the queue and starts it.
func (k *core) grantHead() {
	c := k.queue.head()
	if !k.bucket.Take(k.now, c.cost) {
		panic("scheduler: the head of the queue was granted before its tokens were there")
	}
	k.queue.remove(c)
	c.state = running
	c.attempt++
	k.running.add(c)
	k.totals.Attempts++
	if c.attempt > 1 {
		k.totals.Retries++
	}
	k.emit(events.Granted, c)
	k.effects.granted = append(k.effects.granted, c)
}

// started notes that a granted call's function is about to run.
func (k *core) started(now time.Duration, c *call) {
	k.advance(now)
	if c.state == running {
		k.emit(events.Started, c)
	}
}

// abandon takes back a grant whose function never ran, and ends the call.
func (k *core) abandon(now time.Duration, c *call, cause error) {
	k.advance(now)
	if c.state != running {
		return
	}
	k.bucket.Refund(k.now, c.cost)
	k.totals.Attempts--
	if c.attempt > 1 {
		k.totals.Retries--
	}
	c.attempt--
	k.running.remove(c)
	k.cancelled(c, cause)
	k.settle()
}

// finish takes the outcome of an attempt: nil, or an error and what it was judged
// to be. The call then ended or backs off.
func (k *core) finish(now time.Duration, c *call, err error, v retry.Verdict) {
	k.advance(now)
	if c.state != running {
		return // a second report of the same attempt (H05)
	}
	k.running.remove(c)
	switch {
	case err == nil:
		k.totals.Succeeded++
		k.end(c, events.Succeeded, nil)
	case !v.Retryable():
		k.totals.Failed++
		k.end(c, events.Failed, err)
	default:
		c.errs = append(c.errs, err)
		k.hold(c, v)
		k.retry(c, v)
	}
	k.settle()
}

// hold believes a server that said when it will take calls again: nobody is
// granted before then. A wait above what the call's policy accepts holds the others
// for as long as it accepts; then the next call finds out how things stand.
func (k *core) hold(c *call, v retry.Verdict) {
	if v.Kind == retry.KindRateLimited {
		k.totals.RateLimited++
	}
	wait := c.policy.ServerWait(c.id, c.attempt, v.Wait)
	until := after(k.now, min(wait, c.policy.MaxServerWait))
	if v.Wait <= 0 || until <= max(k.now, k.bucket.HeldUntil()) {
		return
	}
	k.bucket.Hold(k.now, until)
	if k.wanted.Has(events.Held) {
		k.effects.events = append(k.effects.events, events.Event{
			Kind: events.Held, At: k.time(k.now), Call: c.id, Name: c.name, Err: c.lastErr(),
			Delay: until - k.now, Until: k.time(until), Available: k.bucket.Available(),
		})
	}
}

// retry lets a failed call back off, or ends it.
func (k *core) retry(c *call, v retry.Verdict) {
	d := c.policy.Decide(c.id, c.attempt, v)
	due := after(k.now, d.Delay)
	switch {
	case d.Action == retry.Exhausted:
		k.exhausted(c, &retry.ExhaustedError{Attempts: c.attempt, Waited: c.waited, Errors: c.errs})
	case d.Action == retry.TooLong:
		k.exhausted(c, &retry.WaitTooLongError{
			Wait: v.Wait, Max: c.policy.MaxServerWait, RetryAt: k.time(after(k.now, v.Wait)), Err: c.lastErr(),
		})
	case c.cause != nil:
		k.cancelled(c, c.cause)
	case due > c.deadline:
		k.totals.Cancelled++
		k.end(c, events.Cancelled, &DeadlineError{Wait: d.Delay, Deadline: max(0, c.deadline-k.now), Err: c.lastErr()})
	default:
		k.backOff(c, due)
	}
}

func (k *core) backOff(c *call, due time.Duration) {
	delay := due - k.now
	c.state, c.due = backingOff, due
	c.waited = after(c.waited, delay)
	k.backoff.push(c)
	if k.wanted.Has(events.Retrying) {
		ev := k.event(events.Retrying, c)
		ev.Delay, ev.Until, ev.Err = delay, k.time(due), c.lastErr()
		k.effects.events = append(k.effects.events, ev)
	}
	if c.watched {
		k.update(c, Progress{State: Retrying, Attempt: c.attempt, Delay: delay, Err: c.lastErr()})
	}
}

// cancel ends a call that waits. One that runs is ended by its function alone, and
// is merely not retried (H09).
func (k *core) cancel(now time.Duration, c *call, cause error) {
	k.advance(now)
	switch c.state {
	case queued:
		k.queue.remove(c)
		k.cancelled(c, cause)
	case backingOff:
		k.backoff.remove(c)
		k.cancelled(c, cause)
	case running:
		c.cause = cause
	}
	k.settle()
}

// drain takes no more calls from now on.
func (k *core) drain(now time.Duration) {
	k.advance(now)
	k.draining = true
}

// drained reports whether every accepted call has ended.
func (k *core) drained() bool {
	return k.queue.len() == 0 && len(k.backoff) == 0 && k.running.count == 0
}

// close ends every call that waits, and returns what all calls that had not ended
// were about: those that run, then those in the queue, then those backing off.
func (k *core) close(now time.Duration) []Unfinished {
	k.advance(now)
	k.draining, k.closed = true, true
	var left []Unfinished
	for c := k.running.first; c != nil; c = c.next {
		left = append(left, k.unfinished(c))
	}
	for c := k.queue.head(); c != nil; c = k.queue.head() {
		left = append(left, k.unfinished(c))
		k.queue.remove(c)
		k.closedBefore(c)
	}
	for len(k.backoff) > 0 {
		c := k.backoff.pop()
		left = append(left, k.unfinished(c))
		k.closedBefore(c)
	}
	if k.wanted.Has(events.ShutDown) {
		k.effects.events = append(k.effects.events, events.Event{Kind: events.ShutDown, At: k.time(k.now), Available: k.bucket.Available()})
	}
	return left
}

func (k *core) closedBefore(c *call) {
	k.totals.Closed++
	k.end(c, events.Closed, endedBy(ErrClosed, c))
}

func (k *core) cancelled(c *call, cause error) {
	k.totals.Cancelled++
	k.end(c, events.Cancelled, endedBy(cause, c))
}

func (k *core) exhausted(c *call, err error) {
	k.totals.Exhausted++
	k.end(c, events.Exhausted, err)
}

// end is the only way out for a call.
func (k *core) end(c *call, kind events.Kind, err error) {
	c.state, c.err = ended, err
	k.effects.ended = append(k.effects.ended, c)
	if k.wanted.Has(kind) {
		ev := k.event(kind, c)
		ev.Err = err
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
	return events.Event{
		Kind: kind, At: k.time(k.now), Call: c.id, Name: c.name, Cost: c.cost,
		Attempt: c.attempt, MaxAttempts: c.policy.Attempts(), Available: k.available(),
	}
}

func (k *core) update(c *call, p Progress) {
	p.Call, p.Name, p.MaxAttempts, p.Available = c.id, c.name, c.policy.Attempts(), k.available()
	k.effects.updates = append(k.effects.updates, update{c, p})
}

func (k *core) available() int64 {
	k.bucket.Advance(k.now)
	return k.bucket.Available()
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
