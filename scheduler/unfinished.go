package scheduler

import (
	"cmp"
	"slices"
	"time"

	"example.com/fairlead/scheduler/internal/core"
	"example.com/fairlead/scheduler/internal/safetext"
)

// Unfinished describes a call that had not ended when the scheduler was shut down, so that an
// application can take it up again, also from JSON in another process: see [Resumed]. Lists of them are in the order
// in which the calls would have been served. Instants are times of the scheduler's clock.
type Unfinished struct {
	Call     uint64    `json:"call,omitzero"` // its number, in order of arrival; 0 for a Do without options that runs and did not have to wait
	Name     string    `json:"name,omitzero"`
	Key      string    `json:"key,omitzero"`
	State    string    `json:"state"`             // "running", "queued", "backing off" or "later"
	Rank     time.Time `json:"rank,omitzero"`     // its seniority: when it arrived, or counts as having arrived by its priority
	Priority int       `json:"priority,omitzero"` // as given by [Priority] or [Handle.SetPriority]
	Cost     int64     `json:"cost"`              // tokens that an attempt pays; of several budgets, from the first by name
	Attempts int       `json:"attempts"`          // attempts made, also that which runs
	Began    time.Time `json:"began,omitzero"`    // when its first attempt was granted
	Paid     int64     `json:"paid"`              // tokens paid by them, likewise
	Due      time.Time `json:"due,omitzero"`      // when its backoff would have ended or, if it is later, when it would have arrived
	Err      string    `json:"err,omitzero"`      // its last attempt's error

	Costs map[string]int64 `json:"costs,omitzero"` // what an attempt pays from each budget with a name, also from those of its key

	last  error      // becomes Err outside of the owner, since Error methods are user code
	costs core.Costs // becomes Costs
}

// unfinishedCalls describes all calls that have not ended, in order of rank. Those without options
// that run by the fast path come first.
func (o *owner) unfinishedCalls(now time.Duration) []Unfinished {
	open := o.core.Unfinished(now)
	all := make([]Unfinished, 0, o.core.InFast+len(open))
	for range o.core.InFast {
		plain := core.Call{Cost: 1}
		all = append(all, Unfinished{State: running, Cost: 1, Attempts: 1, Paid: 1, costs: plain.AllCosts()})
	}
	for _, c := range open {
		all = append(all, o.describe(c))
	}
	if all = append(all, o.handedBack...); len(o.handedBack) > 0 {
		slices.SortFunc(all[o.core.InFast:], func(a, b Unfinished) int {
			return cmp.Or(a.Rank.Compare(b.Rank), cmp.Compare(a.Call, b.Call))
		})
	}
	return all
}

// drain takes no more calls, and ends those that have not arrived. Shutdown hands them back with the
// calls that are unfinished in the end.
func (o *owner) drain(now time.Duration) {
	o.core.Advance(now)
	for _, c := range o.core.LaterCalls() {
		o.handedBack = append(o.handedBack, o.describe(c))
	}
	o.core.Drain(now)
}

// describe describes a call that has not ended.
func (o *owner) describe(c *core.Call) Unfinished {
	u := Unfinished{
		Call: c.ID, Name: c.Options().Name, Key: c.Key(), Rank: o.core.Time(c.Rank), Priority: c.Priority(), Cost: c.Cost,
		Attempts: c.AttemptsMade(), Paid: c.Paid(), last: c.LastErr(), costs: c.AllCosts(),
	}
	if at, known := c.Began(); known {
		u.Began = o.core.Time(at)
	}
	switch c.State {
	case core.Running:
		u.State = running
	case core.Queued:
		if u.State = queued; c.CutOff() { // as it was reported before
			u.State = running
			u.Attempts++
		}
	case core.BackingOff:
		u.State = backingOff
		u.Due = o.core.Time(c.Due())
	case core.Later:
		u.State = later
		u.Due = o.core.Time(c.Due())
	}
	return u
}

// fillIn sets Err and Costs. The owner does not, since Error methods are user code.
func (s *Scheduler) fillIn(u *Unfinished) {
	u.Err = safetext.Of(u.last)
	budgets := *s.limits.Load()
	if u.Key != "" && len(s.keyLimits) > 0 {
		budgets = slices.Concat(budgets, s.keyLimits)
	}
	for i, b := range budgets {
		if b.name != "" {
			if u.Costs == nil {
				u.Costs = map[string]int64{}
			}
			u.Costs[b.name] = u.costs[i]
		}
	}
	u.last, u.costs = nil, core.Costs{}
}
