package scheduler

import (
	"slices"
	"time"

	"example.com/fairlead/events"
	"example.com/fairlead/retry"
)

// started notes that a granted call's function is about to run.
func (k *core) started(now time.Duration, c *coreCall) {
	k.advance(now)
	if c.state == running {
		k.emit(events.Started, c)
	}
}

// abandon ends a call that was granted but whose function never ran, and refunds its tokens.
func (k *core) abandon(now time.Duration, c *coreCall, cause error) {
	k.advance(now)
	if c.state != running {
		return
	}
	k.leave(c)
	k.budgets.refund(k.now, c)
	k.totals.Attempts--
	if c.attempts > 1 {
		k.totals.Retries--
	}
	c.attempts--
	k.endCanceled(c, cause)
	k.advanceNow()
}

// finish records the outcome of an attempt. The call then ends or backs off. v is the
// classifier's verdict on err.
func (k *core) finish(now time.Duration, c *coreCall, err error, v retry.Verdict) {
	k.advance(now)
	if c.state != running {
		return // a second report of the same attempt (H05)
	}
	k.leave(c)
	switch {
	case err == nil:
		k.totals.Succeeded++
		k.end(c, events.Succeeded, nil)
	case !v.Retryable():
		k.endFailed(c, err)
	default:
		c.addError(err)
		d := k.policyOf(c).Decide(c.id, int(c.attempts), v)
		k.applyVerdict(c, v, d)
		k.retry(c, v, d)
	}
	k.advanceNow()
}

// finishLast records the outcome of an attempt as finish does, but the call is not retried.
func (k *core) finishLast(now time.Duration, c *coreCall, err error, v retry.Verdict) {
	if v.Retryable() {
		once := *k.policyOf(c)
		once.MaxRetries = retry.None
		c.ensureDetail().policy = &once
	}
	k.finish(now, c, err, v)
}

// isRunning reports whether a call was granted and its attempt is not over.
func (k *core) isRunning(c *coreCall) bool { return c.state == running }

// endOf returns the error of a call that has ended, or nil.
func (k *core) endOf(c *coreCall) error {
	if c.state != ended {
		return nil
	}
	return c.detail.err
}

// settleCost sets what a running attempt has cost of the i-th budget. It refunds an overpayment
// and charges an underpayment.
func (k *core) settleCost(now time.Duration, c *coreCall, attempt, i int, tokens int64) {
	k.advance(now)
	if c.state != running || int(c.attempts) != attempt {
		return
	}
	x := c.extras()
	if !x.settled {
		x.settled, x.costs = true, c.allCosts()
	}
	b := &k.budgets[i]
	more := tokens - x.costs[i]
	if more > 0 {
		more = min(more, max(0, addCosts(b.Available(), b.Limit().Capacity))) // bounds the debt
		b.Charge(k.now, more)
	} else {
		b.Refund(k.now, -more)
	}
	x.costs[i] += more
	if i == 0 {
		c.detail.paid += more
	}
	k.advanceNow()
}

// resent charges a running attempt the cost of its grant once more.
func (k *core) resent(now time.Duration, c *coreCall, attempt int) {
	costs := c.allCosts()
	for i := range k.budgets {
		paid := costs[i]
		if c.detail.extra != nil && c.detail.extra.settled {
			paid = c.detail.extra.costs[i]
		}
		k.settleCost(now, c, attempt, i, addCosts(paid, costs[i]))
	}
}

// applyVerdict makes all calls obey what a server said with an error. A rate-limit error (429)
// lowers an adaptive rate. A Retry-After holds the budget, and no call is granted before it ends.
// If the wait is above the MaxServerWait of the call's policy, the hold lasts MaxServerWait, and
// then the next call finds out whether the server takes calls again. A wait for this call alone
// holds no others.
func (k *core) applyVerdict(c *coreCall, v retry.Verdict, d retry.Decision) {
	if v.Kind == retry.KindRateLimited {
		k.totals.RateLimited++
	}
	if v.Alone {
		return
	}
	if v.Kind == retry.KindRateLimited {
		k.onRateLimited(c)
	}
	if v.Wait <= 0 {
		return
	}
	wait := d.Delay
	if d.Action != retry.Again { // the call ends, but others wait
		wait = k.policyOf(c).ServerWait(c.id, int(c.attempts), v.Wait)
	}
	until := after(k.now, min(wait, k.policyOf(c).MaxServerWait))
	before := k.budgets.heldUntil()
	if until <= k.now || !k.budgets.hold(k.now, until, v.Budget) {
		return
	}
	if until > before {
		k.emitEvent(events.Event{
			Kind: events.Held, Call: c.id, Name: c.options().name, Err: c.lastErr(), Delay: until - k.now, Until: k.time(until),
		})
	}
	k.replan()
}

// retry makes a failed call back off, or ends it, as its policy has decided.
func (k *core) retry(c *coreCall, v retry.Verdict, d retry.Decision) {
	due := after(k.now, d.Delay)
	switch {
	case d.Action == retry.Exhausted:
		k.endExhausted(c, &retry.ExhaustedError{Attempts: int(c.attempts), Waited: c.detail.spent.Backoff, Errors: append(c.detail.earlier, c.detail.last)})
	case d.Action == retry.TooLong:
		k.endExhausted(c, &retry.WaitTooLongError{
			Wait: v.Wait, Max: k.policyOf(c).MaxServerWait, RetryAt: k.time(after(k.now, v.Wait)), Err: c.lastErr(),
		})
	case c.detail.err != nil:
		k.endCanceled(c, c.detail.err)
	case due > c.deadline:
		k.endTooLate(c, d.Delay)
	default:
		k.backOff(c, due)
	}
}

func (k *core) backOff(c *coreCall, due time.Duration) {
	delay := due - k.now
	c.state, c.detail.due = backingOff, due
	k.backoff.push(c)
	if c.watched || k.wanted.Has(events.Retrying) {
		ev := k.event(events.Retrying, c)
		ev.Delay, ev.Until, ev.Err = delay, k.time(due), c.lastErr()
		k.report(c, ev, true)
	}
}

// cancel ends a call that waits. A running call ends as its function does, but is not retried
// (H09).
func (k *core) cancel(now time.Duration, c *coreCall, cause error) {
	k.advance(now)
	switch c.state {
	case queued, backingOff:
		k.leave(c)
		k.endCanceled(c, cause)
	case running:
		c.detail.err = cause
	}
	k.advanceNow()
}

// cancelReservation ends a reservation. If it was granted, its tokens are refunded.
func (k *core) cancelReservation(now time.Duration, c *coreCall, cause error) {
	k.advance(now)
	if c.state == running {
		k.abandon(now, c, cause)
	} else {
		k.cancel(now, c, cause)
	}
}

// drain stops taking new calls.
func (k *core) drain(now time.Duration) {
	k.advance(now)
	k.draining = true
}

// drained reports whether every accepted call has ended.
func (k *core) drained() bool {
	return k.queue.len() == 0 && len(k.backoff) == 0 && k.running.count+k.inFast == 0
}

// functions returns how many functions run and don't wait for a call made inside them. A
// reservation has no function.
func (k *core) functions() int {
	n := k.running.count + k.inFast
	var waiting []*coreCall
	note := func(inner *coreCall) {
		if o := inner.outer(); o != nil && !slices.Contains(waiting, o) {
			waiting = append(waiting, o)
		}
	}
	k.queue.each(note)
	for i := range k.backoff {
		note(k.backoff[i].call)
	}
	for c := k.running.first; c != nil; c = c.detail.next {
		if c.reservation {
			n-- // its holder works, perhaps the function inside which it was made
		} else {
			note(c)
		}
	}
	return n - len(waiting)
}

// unfinished returns all calls that have not ended, in order of rank, without those that run by the
// fast path.
func (k *core) unfinished(now time.Duration) (open []*coreCall) {
	k.advance(now)
	for c := k.running.first; c != nil; c = c.detail.next {
		open = append(open, c)
	}
	k.queue.each(func(c *coreCall) { open = append(open, c) })
	for _, p := range k.backoff {
		open = append(open, p.call)
	}
	slices.SortFunc(open, byRank)
	return open
}

// close ends every waiting call.
func (k *core) close(now time.Duration) {
	open := k.unfinished(now)
	k.draining, k.closed = true, true
	for _, c := range open {
		if c.state != running {
			k.leave(c)
			k.totals.Closed++
			k.end(c, events.Closed, endEarly(early{reason: closed}, c))
		}
	}
	k.emitEvent(events.Event{Kind: events.ShutDown})
}

func (k *core) endFailed(c *coreCall, err error) {
	k.totals.Failed++
	k.end(c, events.Failed, err)
}

func (k *core) endCanceled(c *coreCall, cause error) {
	k.totals.Canceled++
	k.end(c, events.Canceled, endEarly(early{cause: cause}, c))
}

func (k *core) endTooLate(c *coreCall, wait time.Duration) {
	k.totals.Canceled++
	k.end(c, events.Canceled, k.tooLate(c, wait))
}

func (k *core) endExhausted(c *coreCall, err error) {
	k.totals.Exhausted++
	k.end(c, events.Exhausted, err)
}
