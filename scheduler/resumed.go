package scheduler

import (
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler/internal/core"
)

// Resumed takes up a call that an earlier scheduler has left unfinished, in this process or another: see
// [Scheduler.Shutdown]. The call goes on as if there had been one scheduler. It is an option for all ways to make a call,
// with the same function as before:
//
//	for _, u := range left {
//		h, err := s.Submit(ctx, work[u.Name], scheduler.Resumed(u))
//	}
//
// Resume the calls in the order of the report, each once, and before other calls are made. Set [Config.LastCall] to the
// highest number that a call has had, as [Handle.Call] tells it. Without it, a new call may get the number of one that has
// ended. Set [Config.Level] to Snapshot().Level after Shutdown or, with several budgets, [Config.Levels] to
// Snapshot().Levels(). Without these, the budgets are full. In a [Stream], give each input its own Resumed by [OptionsFor].
//
// The call has the name, key, priority and costs of u, except those that later options set. It keeps its number,
// on which its backoffs depend, and its rank. So it goes before all calls of its priority that arrived after it. A new
// [Priority] counts from its first arrival. [Config.MaxQueued] does not bound a call that has arrived. [MaxWait]
// counts from its arrival and the policy's MaxElapsed from its first attempt, downtime included. The attempts that
// it has made count for its policy, and in [CallInfo], events and errors. Its last error is known by its text.
//
// A call that was backing off comes back at u.Due, and one that has not arrived arrives then. A call that was running is
// run again, since its outcome is not known. This is the same attempt, with the same number. It pays again, and
// no MaxElapsed or MaxWait prevents it. If the wall clock was set back meanwhile, a call that has arrived counts as having
// arrived now at the latest, and its first attempt as having begun now at the latest. No backoff is longer than the
// longest of its policy. Calls that count as having arrived at the same instant go in the order of their numbers.
//
// These do not survive: the weight of a key, retry policies, options with functions, errors before the last one, retry
// budgets, adaptive rates, what each key has had of its share, and pauses. Options and inputs of the new scheduler set most of
// them again. The levels and holds of keys survive with [Scheduler.RestoreKey], and new limits of keys are set again.
//
// The call fails if no scheduler can have written u, if a budget of u.Costs is missing ([ErrNoBudget]), if there is
// a [NotBefore] or [Delay] for a call that has arrived, or if this scheduler has had a call with that number. [Handle.Wait]
// returns this last error, and Submit the others. Nothing is lost by an error, since u can be resumed again.
// A [Scheduler.Do] without options that ran has no number and rank in the report, and is resumed as a new call.
func Resumed(u Unfinished) Option {
	return func(o *options) {
		if o.resumed == nil {
			o.resumed = spareUnfinished.Get().(*Unfinished)
		}
		*o.resumed = u // a copy, since &u would take memory for each of a million calls
		o.Name, o.key, o.Priority = u.Name, u.Key, u.Priority
		o.cost, o.costSet, o.costsOf = u.Cost, true, o.costsOf[:0]
		for budget, tokens := range u.Costs {
			if tokens != u.Cost { // the others are paid without a CostOf, which takes memory
				o.costsOf = append(o.costsOf, costOf{budget, tokens})
			}
		}
		o.notBefore, o.delay = time.Time{}, 0
		if u.State == later {
			o.notBefore = u.Due
		}
	}
}

// spareUnfinished has zero values that no options use now.
var spareUnfinished = sync.Pool{New: func() any { return new(Unfinished) }}

// These are the states of an Unfinished that has arrived.
const (
	running    = "running"
	queued     = "queued"
	backingOff = "backing off"
)

// maxNumber is the highest number of an earlier call. It leaves as many numbers for new calls.
const maxNumber uint64 = math.MaxInt64

// maxPaid is the most that an earlier call can have paid. It leaves as much for the next attempts.
const maxPaid int64 = math.MaxInt64 / 2

// check returns an error for a description that no scheduler has written. Instants are not checked, since a clock may
// have been set.
func (u *Unfinished) check() error {
	var fault string
	switch {
	case u.State != running && u.State != queued && u.State != backingOff && u.State != later:
		fault = fmt.Sprintf("its State is %q: it must be %q, %q, %q or %q", u.State, running, queued, backingOff, later)
	case u.Call > maxNumber:
		fault = fmt.Sprintf("its number must be at most %d", maxNumber)
	case u.Attempts < 0 || u.Attempts >= math.MaxInt32:
		fault = fmt.Sprintf("its Attempts is %d: it must be from 0 to %d", u.Attempts, math.MaxInt32-1)
	case u.Attempts == 0 && (u.State == running || u.State == backingOff):
		fault = fmt.Sprintf("its State is %q and its Attempts 0: such a call has made at least one", u.State)
	case u.Attempts > 0 && u.State == later:
		fault = fmt.Sprintf("its State is %q and its Attempts %d: such a call has made none", later, u.Attempts)
	case u.Paid < 0 || u.Paid > maxPaid:
		fault = fmt.Sprintf("its Paid is %d: it must be from 0 to %d", u.Paid, maxPaid)
	default:
		return nil
	}
	return retry.Permanent(fmt.Errorf("scheduler: Resumed: call %d %q: %s", u.Call, u.Name, fault))
}

// resume gives a call what it had in an earlier life.
func (s *Scheduler) resume(c *call, o *options) error {
	u := o.resumed
	o.resumed = nil // the options may be kept
	if err := u.check(); err != nil {
		return err
	}
	if u.State != later && (!o.notBefore.IsZero() || o.delay != 0) {
		return retry.Permanent(fmt.Errorf("scheduler: Resumed: call %d %q has arrived in its earlier life: leave out NotBefore and Delay", u.Call, u.Name))
	}
	for budget := range u.Costs {
		if i, err := s.anyBudget(budget); err != nil {
			return err
		} else if err := s.checkPayer(c, i, budget); err != nil {
			return err
		}
	}
	p := core.Past{
		State: stateOf(u.State), Number: u.Call, Arrived: bucket.Forever,
		Attempts: int32(u.Attempts), Paid: u.Paid, Began: bucket.Forever, Due: u.Due.Sub(s.origin),
	}
	if !u.Began.IsZero() {
		p.Began = u.Began.Sub(s.origin)
	}
	if !u.Rank.IsZero() {
		p.Arrived = core.Arrived(u.Rank.Sub(s.origin), u.Priority, s.step)
	}
	if u.Err != "" {
		p.Err = errors.New(u.Err)
	}
	if u.Attempts > 0 {
		o.MaxWait = 0 // its first attempt was granted in time
	}
	if u.State == running {
		p.Attempts--
	}
	c.Resume(&p)
	c.made = p.Attempts
	*u = Unfinished{}
	spareUnfinished.Put(u)
	return nil
}

// stateOf returns the state of a call that was described.
func stateOf(name string) core.State {
	switch name {
	case running:
		return core.Running
	case backingOff:
		return core.BackingOff
	case later:
		return core.Later
	}
	return core.Queued
}
