package core

import (
	"cmp"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/events"
	"example.com/fairlead/retry"
)

// State says how far a call has come.
type State uint8

const (
	arriving          State = iota // not yet accepted
	resumes                        // likewise, and an earlier core has accepted it: see Call.Resume
	resumesBackingOff              // likewise, and its backoff had not ended
	Queued                         // waits in the queue of its lane
	Running                        // has paid; its function runs or is about to
	BackingOff                     // waits in Core.backoff for its backoff to end
	Later                          // waits in Core.later for the instant at which it takes its place in the queue
	Ended
	leaving // has left one state, and has not entered the next
)

// Call is what the core knows of a call. The owner makes it the core's by submitting it. Fields
// that are set before that are not changed after.
//
// A million calls may wait, so the fields that a waiting call does not need are in detail.
type Call struct {
	// Set before the call is submitted.
	Work     any           // what the call is for; the core only keeps it
	Cost     int64         // from the first budget
	Deadline time.Duration // bucket.Forever if there is none; MaxWait and MaxElapsed may lower it: see Core.limitWait and Core.limitElapsed

	// The core sets these.
	ID             uint64 // in order of arrival, from 1
	Rank           time.Duration
	key            *key          // nil: the call has none
	leaf           *node         // in the queue of its lane
	holdTimeBefore time.Duration // Core.holdTime when it was queued
	detail         *detail       // nil while the call does not need one: see Call.ensureDetail
	Attempts       int32         // attempts granted
	State          State

	// Set before the call is submitted.
	Watched        bool // its caller wants to know of its progress
	WantsAdmission bool // its caller waits until the call is admitted: see Effects.Admitted
	Kind           Kind
}

// detail has the fields of a call that it does not need while it waits for the first time. Each call
// that was granted or has ended has one.
type detail struct {
	options *Options      // never nil
	policy  *retry.Policy // nil: the core's

	last         error         // the latest attempt's error
	earlier      []error       // the errors of the attempts before
	err          error         // the call's error; while running, the reason not to retry it
	verdict      verdict       // on the attempt that was just reported
	paid         int64         // from the first budget, for all attempts
	extra        *extra        // nil for most calls
	granted      time.Duration // when the running attempt was granted
	first        time.Duration // when the first attempt was granted; bucket.Forever: not known, of a resumed call
	chargedIn    uint32        // the epoch in which its key's share was charged for it; 0: it was not
	chargedAt    uint32        // the weight of the key then
	since        time.Duration // when its state began: see Call.Since
	due          time.Duration // when its backoff ends or ended; of a call in state Later, when it arrives
	next         *Call         // neighbors in a callList
	prev         *Call
	spent        times // until its state began; Queue still includes Tokens and Slot
	index        int32 // in Core.backoff, Core.later or Core.limited
	waitsForRoom bool  // in Core.waitingForRoom
	outside      bool  // its backoff is over, or it has arrived, and it waits for room in its gate
	unpaid       bool  // in Core.unpaid
	ended        events.Kind
}

// Options are the options of a call that the core heeds. They are set before the call is
// submitted, and not changed after.
type Options struct {
	Name     string
	Priority int           // at first: see Call.Priority
	Several  bool          // costs are set
	Costs    Costs         // for each budget; without them, one cost is for all
	MaxWait  time.Duration // how long it may be queued for its first attempt; 0: no bound
}

// noOptions are the options of calls without any.
var noOptions = new(Options)

// extra has the fields that few calls need.
type extra struct {
	settled bool           // the running attempt was settled
	costs   Costs          // what that attempt has cost so far, if it was settled
	sunk    *earlierPeriod // nil if no reset has come since its grant
	nesting
	arrival
	maxWait
	gate       any           // see SetGate
	retryUntil time.Duration // no retry begins later, if limited
	limited    bool          // an attempt has failed, and the policy has MaxElapsed
	cutOff     bool          // the next attempt was begun in an earlier life, and its outcome is not known
	bounded    bool          // the call was queued, or is resumed, and has a MaxWait
	seniority  *seniority    // nil: the call has the priority of its options, and its rank tells when it arrived
}

// times is an [events.Times] without Later, since a million calls may have one.
type times struct {
	Queue, Turn, Tokens, Slot, Hold, Backoff, Run time.Duration
}

// extras returns the extra of a call, and makes it if there is none.
func (c *Call) extras() *extra {
	d := c.ensureDetail()
	if d.extra == nil {
		d.extra = new(extra)
	}
	return d.extra
}

// Nested reports whether the call may be made inside another, or others inside it. It also reports
// true for other calls with an extra.
func (c *Call) Nested() bool { return c.detail != nil && c.detail.extra != nil }

// ensureDetail returns the detail of a call, and makes it if there is none.
func (c *Call) ensureDetail() *detail {
	if c.detail == nil {
		c.detail = &detail{options: noOptions, since: c.Since()}
	}
	return c.detail
}

// Since returns when the state of a call began. A call without a detail has waited since it arrived, and has the
// default priority. So its rank tells when that was.
func (c *Call) Since() time.Duration {
	if c.detail == nil {
		return c.Rank
	}
	return c.detail.since
}

// begin notes that the state of a call begins.
func (c *Call) begin(now time.Duration) {
	if c.detail != nil {
		c.detail.since = now
	}
}

// Reset makes the call new. It keeps Work and the memory of the detail.
func (c *Call) Reset() {
	d := c.ensureDetail()
	*d = detail{options: noOptions}
	*c = Call{Work: c.Work, detail: d}
}

// Options returns the options of a call, which must not be changed.
func (c *Call) Options() *Options {
	if c.detail == nil {
		return noOptions
	}
	return c.detail.options
}

// policyOf returns the retry policy of a call.
func (k *Core) policyOf(c *Call) *retry.Policy {
	if c.detail == nil || c.detail.policy == nil {
		return &k.policy
	}
	return c.detail.policy
}

// fillPolicy sets the fields of a call's policy that are zero to their defaults. That waits for the first
// failure, since most calls have none.
func (c *Call) fillPolicy() {
	if c.detail != nil && c.detail.policy != nil {
		*c.detail.policy = c.detail.policy.WithDefaults()
	}
}

// verdict is a [retry.Verdict] with the number of a budget in place of its name, since a
// million calls may each have one.
type verdict struct {
	kind   retry.Kind
	scope  retry.Scope
	budget int8 // counted from 1; 0: no budget of the scheduler
	wait   time.Duration
}

// SetVerdict notes the verdict on an attempt that is about to be reported. budget is the index of
// the budget that the verdict names, or -1.
func (c *Call) SetVerdict(v retry.Verdict, budget int) {
	c.ensureDetail().verdict = verdict{kind: v.Kind, scope: v.Scope, budget: int8(budget + 1), wait: v.Wait}
}

// Verdict returns the verdict on the attempt that a call has reported.
func (k *Core) Verdict(c *Call) retry.Verdict {
	short := c.ensureDetail().verdict
	v := retry.Verdict{Kind: short.kind, Scope: short.scope, Wait: short.wait}
	switch i := int(short.budget) - 1; {
	case i >= len(k.Budgets):
		v.Budget = k.perKeyBudgets[i-len(k.Budgets)].Name
	case i >= 0:
		v.Budget = k.Budgets[i].Name
	}
	return v
}

// Before reports whether c goes ahead of d: its rank is lower or, at the same rank, it arrived
// earlier (FIFO). A retry keeps its rank and number.
func (c *Call) Before(d *Call) bool {
	return c.Rank < d.Rank || c.Rank == d.Rank && c.ID < d.ID
}

// byRank compares calls in the order of [Call.Before].
func byRank(c, d *Call) int {
	return cmp.Or(cmp.Compare(c.Rank, d.Rank), cmp.Compare(c.ID, d.ID))
}

// addError records the error of an attempt.
func (c *Call) addError(err error) {
	if c.detail.last != nil {
		c.detail.earlier = append(c.detail.earlier, c.detail.last)
	}
	c.detail.last = err
}

// EndAlone ends a running call at an instant after the core has been closed.
func (c *Call) EndAlone(now time.Duration, attempts int, err error) {
	c.detail.spent.Run += max(0, now-c.Since())
	c.detail.err, c.Attempts = err, int32(attempts)
}

// Paid returns what the call has paid from the first budget, for all attempts.
func (c *Call) Paid() int64 {
	if c.detail == nil {
		return 0
	}
	return c.detail.paid
}

// Err returns the error of a call that has ended.
func (c *Call) Err() error { return c.detail.err }

// SetErr replaces the error of a call that has ended.
func (c *Call) SetErr(err error) { c.detail.err = err }

// Granted returns when the running attempt of a call was granted.
func (c *Call) Granted() time.Duration { return c.detail.granted }

// Due returns when the backoff of a call ends or ended, or when a call in state Later arrives.
func (c *Call) Due() time.Duration { return c.detail.due }

// Began returns when the first attempt of a call was granted. It reports false if none was, or if that is not known.
func (c *Call) Began() (at time.Duration, known bool) {
	if c.Attempts == 0 && !c.CutOff() {
		return 0, false
	}
	return c.detail.first, c.detail.first != bucket.Forever
}

// AttemptsMade returns how many attempts were granted.
func (c *Call) AttemptsMade() int { return int(c.Attempts) }

// SetOptions sets the options of a call that is not submitted yet.
func (c *Call) SetOptions(o *Options) { c.ensureDetail().options = o }

// SetPolicy sets the retry policy of a call that is not submitted yet. It belongs to the core from then on.
func (c *Call) SetPolicy(p *retry.Policy) { c.ensureDetail().policy = p }

// LastErr returns the latest attempt's error, or nil.
func (c *Call) LastErr() error {
	if c.detail == nil {
		return nil
	}
	return c.detail.last
}

// Times returns how a call spent its time until its state began.
func (c *Call) Times() events.Times {
	if c.detail == nil {
		return events.Times{}
	}
	s := &c.detail.spent // see there for Queue
	t := events.Times{Queue: s.Queue - s.Tokens - s.Slot, Turn: s.Turn, Tokens: s.Tokens, Slot: s.Slot, Hold: s.Hold, Backoff: s.Backoff, Run: s.Run}
	if x := c.detail.extra; x != nil {
		t.Later = x.later
	}
	return t
}
