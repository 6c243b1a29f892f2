package core

import (
	"slices"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/events"
	"example.com/fairlead/retry"
)

// Started notes that a granted call's function is about to run.
func (k *Core) Started(now time.Duration, c *Call) {
	k.Advance(now)
	if c.State == Running {
		k.emit(events.Started, c)
	}
}

// Abandon ends a call that was granted but whose function never ran, and refunds its tokens.
func (k *Core) Abandon(now time.Duration, c *Call, cause error) {
	k.Advance(now)
	if c.State != Running {
		return
	}
	k.leave(c)
	k.refund(c)
	k.Totals.Attempts--
	if c.Attempts > 1 {
		k.Totals.Retries--
	}
	c.Attempts--
	k.endCanceled(c, cause)
	k.advanceNow()
}

// Finish records the outcome of an attempt. The call then ends or backs off. v is the
// classifier's verdict on err.
func (k *Core) Finish(now time.Duration, c *Call, err error, v retry.Verdict) {
	k.Advance(now)
	if c.State != Running {
		return // a second report of the same attempt (H05)
	}
	k.leave(c)
	switch {
	case err == nil:
		k.Totals.Succeeded++
		k.end(c, events.Succeeded, nil)
	case !v.Retryable():
		k.endFailed(c, err)
	default:
		c.addError(err)
		c.fillPolicy()
		d := k.policyOf(c).Decide(c.ID, int(c.Attempts), v)
		k.applyVerdict(c, v, d)
		k.retry(c, v, d)
	}
	k.advanceNow()
}

// FinishLast records the outcome of an attempt as Finish does, but the call is not retried.
func (k *Core) FinishLast(now time.Duration, c *Call, err error, v retry.Verdict) {
	if v.Retryable() {
		once := *k.policyOf(c)
		once.MaxRetries = retry.None
		c.ensureDetail().policy = &once
	}
	k.Finish(now, c, err, v)
}

// IsRunning reports whether a call was granted and its attempt is not over.
func (k *Core) IsRunning(c *Call) bool { return c.State == Running }

// EndOf returns the error of a call that has ended, or nil.
func (k *Core) EndOf(c *Call) error {
	if c.State != Ended {
		return nil
	}
	return c.detail.err
}

// SettleCost sets how many tokens of the i-th budget a running attempt has cost. It refunds an overpayment
// and charges an underpayment.
func (k *Core) SettleCost(now time.Duration, c *Call, attempt, i int, tokens int64) {
	k.Advance(now)
	if c.State != Running || int(c.Attempts) != attempt {
		return
	}
	x := c.extras()
	if !x.settled {
		x.settled, x.costs = true, c.AllCosts()
	}
	before := x.costs
	if k.HasQuotas || x.sunk != nil {
		tokens = max(tokens, k.sunk(c)[i]) // which is 0 for the budgets of keys
	}
	switch {
	case i < len(k.Budgets):
		x.costs[i] += k.Budgets[i].settle(k.Now, tokens-before[i])
	case i < k.laneOf(c).waiting.budgets():
		k.settleOwn(c, i, tokens)
	}
	if i == 0 {
		c.detail.paid += x.costs[0] - before[0]
	}
	k.correct(c, &before, &x.costs)
	k.advanceNow()
}

// settle charges so many tokens more, or refunds them if the number is negative. It returns how many it has
// charged, since it bounds the debt.
func settle(b *bucket.Bucket, now time.Duration, more int64) int64 {
	if more > 0 {
		more = min(more, max(0, addCosts(b.Available(), b.Limit().Capacity)))
		b.Charge(now, more)
	} else {
		b.Refund(now, -more)
	}
	return more
}

// Resent charges a running attempt the cost of its grant once more.
func (k *Core) Resent(now time.Duration, c *Call, attempt int) {
	costs := c.AllCosts()
	for i := range k.laneOf(c).waiting.budgets() {
		paid := costs[i]
		if c.detail.extra != nil && c.detail.extra.settled {
			paid = c.detail.extra.costs[i]
		}
		k.SettleCost(now, c, attempt, i, addCosts(paid, costs[i]))
	}
}

// applyVerdict makes all calls obey what a server said with an error. A rate-limit error (429)
// lowers an adaptive rate. A Retry-After holds the budget, and no call is granted before it ends.
// If the wait is above the MaxServerWait of the call's policy, the hold lasts MaxServerWait, and
// then the next call finds out whether the server takes calls again. A wait for this call alone
// holds no others.
func (k *Core) applyVerdict(c *Call, v retry.Verdict, d retry.Decision) {
	if v.Kind == retry.KindRateLimited {
		k.Totals.RateLimited++
	}
	all := k.concernsAll(c, v)
	if v.Scope == retry.ScopeCall {
		return
	}
	if v.Kind == retry.KindRateLimited && all {
		k.onRateLimited(c)
	}
	if v.Wait <= 0 {
		return
	}
	wait := d.Delay
	if d.Action != retry.Again { // the call ends, but others wait
		wait = k.policyOf(c).ServerWait(c.ID, int(c.Attempts), v.Wait)
	}
	until := After(k.Now, min(wait, k.policyOf(c).MaxServerWait))
	if until <= k.Now {
		return
	}
	if all {
		k.hold(c, until, v.Budget)
	} else {
		k.holdKey(c, until, v.Budget)
	}
}

// hold holds all calls until an instant, since a call's attempt was refused.
func (k *Core) hold(c *Call, until time.Duration, budget string) {
	before := k.Budgets.heldUntil()
	if !k.Budgets.hold(k.Now, until, budget) {
		return
	}
	if until > before {
		k.emitEvent(k.held(c, until))
	}
	k.replan()
}

func (k *Core) held(c *Call, until time.Duration) events.Event {
	return events.Event{
		Kind: events.Held, Call: c.ID, Name: c.Options().Name, Err: c.LastErr(), Delay: until - k.Now, Until: k.Time(until),
	}
}

// retry makes a failed call back off, or ends it, as its policy has decided.
func (k *Core) retry(c *Call, v retry.Verdict, d retry.Decision) {
	due := After(k.Now, d.Delay)
	k.limitElapsed(c)
	switch {
	case d.Action == retry.Exhausted:
		err := c.exhausted()
		if v.Wait > 0 {
			_, err.RetryAt = k.turnOf(c, k.policyOf(c).ServerWait(c.ID, int(c.Attempts), v.Wait))
		}
		k.endExhausted(c, err)
	case d.Action == retry.TooLong:
		_, turn := k.turnOf(c, v.Wait)
		k.endExhausted(c, &retry.WaitTooLongError{Wait: v.Wait, Max: k.policyOf(c).MaxServerWait, RetryAt: turn, Err: c.LastErr()})
	case c.detail.err != nil:
		k.endCanceled(c, c.detail.err)
	case due > c.Deadline:
		k.endTooLate(c, d.Delay)
	default:
		k.backOff(c, due)
	}
}

func (k *Core) backOff(c *Call, due time.Duration) {
	delay := due - k.Now
	c.State, c.detail.due = BackingOff, due
	k.noteChange(c)
	k.backoff.push(c)
	k.noteDue()
	k.away(c)
	if c.Watched || k.Wanted.Has(events.Retrying) {
		ev := k.event(events.Retrying, c)
		ev.Delay, ev.Until, ev.Err = delay, k.Time(due), c.LastErr()
		k.report(c, ev, true)
	}
}

// Cancel ends a call that waits. A running call ends as its function does, but is not retried
// (H09).
func (k *Core) Cancel(now time.Duration, c *Call, cause error) {
	k.Advance(now)
	switch c.State {
	case Queued, BackingOff, Later:
		k.leave(c)
		k.endCanceled(c, cause)
	case Running:
		c.detail.err = cause
	}
	k.advanceNow()
}

// CancelReservation ends a reservation. If it was granted, its tokens are refunded.
func (k *Core) CancelReservation(now time.Duration, c *Call, cause error) {
	k.Advance(now)
	if c.State == Running {
		k.Abandon(now, c, cause)
	} else {
		k.Cancel(now, c, cause)
	}
}

// Drain stops taking new calls. Calls that have not arrived end at once, so that Drained does
// not wait for them.
func (k *Core) Drain(now time.Duration) {
	k.Advance(now)
	k.Draining = true
	k.endLater()
}

// Drained reports whether every accepted call has ended.
func (k *Core) Drained() bool {
	return k.queued == 0 && len(k.backoff) == 0 && len(k.later) == 0 && k.running.count+k.InFast == 0
}

// Functions returns how many functions run and don't wait for a call made inside them. A
// reservation has no function.
func (k *Core) Functions() int {
	n := k.running.count + k.InFast
	var waiting []*Call
	note := func(inner *Call) {
		if o := inner.outer(); o != nil && !slices.Contains(waiting, o) {
			waiting = append(waiting, o)
		}
	}
	k.eachQueued(note)
	for i := range k.backoff {
		note(k.backoff[i].value)
	}
	for i := range k.later {
		note(k.later[i].value)
	}
	for c := k.running.first; c != nil; c = c.detail.next {
		if c.Kind == Reserved {
			n-- // its holder works, perhaps the function inside which it was made
		} else {
			note(c)
		}
	}
	return n - len(waiting)
}

// Unfinished returns all calls that have not ended, in order of rank, without those that run by the
// fast path.
func (k *Core) Unfinished(now time.Duration) (open []*Call) {
	k.Advance(now)
	for c := k.running.first; c != nil; c = c.detail.next {
		open = append(open, c)
	}
	k.eachQueued(func(c *Call) { open = append(open, c) })
	for _, p := range k.backoff {
		open = append(open, p.value)
	}
	open = append(open, k.LaterCalls()...)
	slices.SortFunc(open, byRank)
	return open
}

// Close ends every waiting call.
func (k *Core) Close(now time.Duration) {
	open := k.Unfinished(now)
	k.Draining, k.Closed = true, true
	for _, c := range open {
		if c.State != Running {
			k.leave(c)
			k.endClosed(c)
		}
	}
	k.emitEvent(events.Event{Kind: events.ShutDown})
}

func (k *Core) endClosed(c *Call) {
	k.Totals.Closed++
	k.end(c, events.Closed, EndEarly(Early{Reason: Closed}, c))
}

func (k *Core) endDropped(c *Call, err error) {
	k.Totals.Dropped++
	k.end(c, events.Dropped, err)
}

func (k *Core) endFailed(c *Call, err error) {
	k.Totals.Failed++
	k.end(c, events.Failed, err)
}

func (k *Core) endCanceled(c *Call, cause error) {
	k.Totals.Canceled++
	k.end(c, events.Canceled, EndEarly(Early{Cause: cause}, c))
}

// endTooLate ends a call that would have to wait until after its deadline.
func (k *Core) endTooLate(c *Call, wait time.Duration) {
	if until, limited := c.lastRetryAt(); limited && c.Deadline == until {
		k.endElapsed(c, After(k.Now, wait))
		return
	}
	k.Totals.Canceled++
	k.end(c, events.Canceled, k.tooLate(c, wait))
}

func (k *Core) endExhausted(c *Call, err error) {
	k.Totals.Exhausted++
	k.end(c, events.Exhausted, err)
}
