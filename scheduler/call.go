package scheduler

import (
	"cmp"
	"time"

	"example.com/fairlead/events"
	"example.com/fairlead/retry"
)

// state says how far a call has come.
type state uint8

const (
	arriving   state = iota // not yet accepted
	queued                  // waits in core.queue for its tokens
	running                 // has paid; its function runs or is about to
	backingOff              // waits in core.backoff for its backoff to end
	ended
	leaving // has left one state, and has not entered the next
)

// coreCall is what the core knows of a call. The owner makes it the core's by submitting it. Fields
// that are set before that are not changed after.
//
// A million calls may wait, so the fields that a waiting call does not need are in callDetail.
type coreCall struct {
	// Set before the call is submitted.
	work     any           // what the call is for; the core only keeps it
	cost     int64         // from the first budget
	deadline time.Duration // bucket.Forever if there is none

	id             uint64 // in order of arrival, from 1
	rank           time.Duration
	leaf           *node         // in core.queue
	since          time.Duration // when its state began
	holdTimeBefore time.Duration // core.holdTime then
	detail         *callDetail   // nil while the call does not need one: see coreCall.ensureDetail
	attempts       int32         // attempts granted
	state          state

	// Set before the call is submitted.
	watched        bool // its caller wants to know of its progress
	wantsAdmission bool // its caller waits until the call is admitted: see effects.admitted
	reservation    bool // its holder works, and not a function
}

// callDetail has the fields of a call that it does not need while it waits for the first time.
type callDetail struct {
	options *callOptions  // never nil
	policy  *retry.Policy // nil: the core's

	last         error         // the latest attempt's error
	earlier      []error       // the errors of the attempts before
	err          error         // the call's error; while running, the reason not to retry it
	verdict      verdict       // on the attempt that was just reported
	paid         int64         // from the first budget, for all attempts
	extra        *extra        // nil for most calls
	granted      time.Duration // when the running attempt was granted
	due          time.Duration // when its backoff ends or ended
	next         *coreCall     // neighbors in a callList
	prev         *coreCall
	spent        events.Times // until its state began; Queue still includes Tokens and Slot
	index        int32        // in core.backoff
	waitsForRoom bool         // in core.waitingForRoom
}

// callOptions are the options of a call that the core heeds. They are set before the call is
// submitted, and not changed after.
type callOptions struct {
	name     string
	priority int
	several  bool  // costs are set
	costs    costs // for each budget; without them, one cost is for all
	noWait   bool  // the call is refused if it can't start at once
}

// noOptions are the options of calls without any.
var noOptions = new(callOptions)

// extra has the fields that few calls need.
type extra struct {
	settled bool  // the running attempt was settled
	costs   costs // what that attempt has cost so far, if it was settled
	nesting
}

// extras returns the extra of a call, and makes it if there is none.
func (c *coreCall) extras() *extra {
	d := c.ensureDetail()
	if d.extra == nil {
		d.extra = new(extra)
	}
	return d.extra
}

// nested reports whether the call is made inside another, or others inside it.
func (c *coreCall) nested() bool { return c.detail != nil && c.detail.extra != nil }

// ensureDetail returns the detail of a call, and makes it if there is none.
func (c *coreCall) ensureDetail() *callDetail {
	if c.detail == nil {
		c.detail = &callDetail{options: noOptions}
	}
	return c.detail
}

// reset makes the call new, and keeps the memory of its detail.
func (c *coreCall) reset() {
	d := c.ensureDetail()
	*d = callDetail{options: noOptions}
	*c = coreCall{work: c.work, detail: d}
}

// options returns the options of a call, which must not be changed.
func (c *coreCall) options() *callOptions {
	if c.detail == nil {
		return noOptions
	}
	return c.detail.options
}

// policyOf returns the retry policy of a call.
func (k *core) policyOf(c *coreCall) *retry.Policy {
	if c.detail == nil || c.detail.policy == nil {
		return &k.policy
	}
	return c.detail.policy
}

// verdict is a [retry.Verdict] without the name of a budget, since a million calls may have one.
type verdict struct {
	kind   retry.Kind
	alone  bool
	budget int8 // counted from 1; 0: no budget of the scheduler
	wait   time.Duration
}

// setVerdict notes the verdict on an attempt that is about to be reported. budget is the index of
// the budget that the verdict names, or -1.
func (c *coreCall) setVerdict(v retry.Verdict, budget int) {
	c.ensureDetail().verdict = verdict{kind: v.Kind, alone: v.Alone, budget: int8(budget + 1), wait: v.Wait}
}

// verdict returns the verdict on the attempt that a call has reported.
func (k *core) verdict(c *coreCall) retry.Verdict {
	short := c.ensureDetail().verdict
	v := retry.Verdict{Kind: short.kind, Alone: short.alone, Wait: short.wait}
	if i := short.budget; i > 0 {
		v.Budget = k.budgets[i-1].name
	}
	return v
}

// before reports whether c goes ahead of d: its rank is lower or, at the same rank, it arrived
// earlier (FIFO). A retry keeps its rank and number.
func (c *coreCall) before(d *coreCall) bool {
	return c.rank < d.rank || c.rank == d.rank && c.id < d.id
}

// byRank compares calls in the order of before.
func byRank(c, d *coreCall) int {
	return cmp.Or(cmp.Compare(c.rank, d.rank), cmp.Compare(c.id, d.id))
}

// addError records the error of an attempt.
func (c *coreCall) addError(err error) {
	if c.detail.last != nil {
		c.detail.earlier = append(c.detail.earlier, c.detail.last)
	}
	c.detail.last = err
}

// endAlone ends a running call at an instant after the core has been closed.
func (c *coreCall) endAlone(now time.Duration, attempts int, err error) {
	c.detail.spent.Run += max(0, now-c.since)
	c.detail.err, c.attempts = err, int32(attempts)
}

// paid returns what the call has paid from the first budget, for all attempts.
func (c *coreCall) paid() int64 {
	if c.detail == nil {
		return 0
	}
	return c.detail.paid
}

// err returns the error of a call that has ended.
func (c *coreCall) err() error { return c.detail.err }

// setErr replaces the error of a call that has ended.
func (c *coreCall) setErr(err error) { c.detail.err = err }

// due returns when the backoff of a call ends or ended.
func (c *coreCall) due() time.Duration { return c.detail.due }

// attemptsMade returns how many attempts were granted.
func (c *coreCall) attemptsMade() int { return int(c.attempts) }

// setOptions sets the options of a call that is not submitted yet.
func (c *coreCall) setOptions(o *callOptions) { c.ensureDetail().options = o }

// setPolicy sets the retry policy of a call that is not submitted yet.
func (c *coreCall) setPolicy(p *retry.Policy) { c.ensureDetail().policy = p }

// lastErr returns the latest attempt's error, or nil.
func (c *coreCall) lastErr() error {
	if c.detail == nil {
		return nil
	}
	return c.detail.last
}

// times returns how a call spent its time until its state began.
func (c *coreCall) times() events.Times {
	if c.detail == nil {
		return events.Times{}
	}
	t := c.detail.spent
	t.Queue -= t.Tokens + t.Slot
	return t
}
