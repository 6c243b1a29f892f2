package scheduler

import (
	"time"
)

// Unfinished describes a call that had not ended when the scheduler was shut down, so that an
// application can submit it again. Lists of them are in the order in which the calls would have
// been served.
type Unfinished struct {
	Call     uint64    `json:"call,omitzero"` // its number, in order of arrival; 0 for a Do without options that runs and did not have to wait
	Name     string    `json:"name,omitzero"`
	State    string    `json:"state"`             // "running", "queued" or "backing off"
	Rank     time.Time `json:"rank,omitzero"`     // its seniority: when it arrived, or counts as having arrived by its priority
	Priority int       `json:"priority,omitzero"` // as given by [Priority]
	Cost     int64     `json:"cost"`              // tokens that an attempt pays; of several budgets, from the first by name
	Attempts int       `json:"attempts"`          // attempts made
	Paid     int64     `json:"paid"`              // tokens paid by them, likewise
	Due      time.Time `json:"due,omitzero"`      // when its backoff would have ended
	Err      string    `json:"err,omitzero"`      // its last attempt's error

	Costs map[string]int64 `json:"costs,omitzero"` // with [Config.Limits]: what an attempt pays from each of them

	last  error // becomes Err outside of the owner, since Error methods are user code
	costs costs // becomes Costs
}

// unfinishedCalls describes all calls that have not ended, in order of rank. Those without options
// that run by the fast path come first.
func (o *owner) unfinishedCalls(now time.Duration) []Unfinished {
	open := o.core.unfinished(now)
	all := make([]Unfinished, 0, o.core.inFast+len(open))
	for range o.core.inFast {
		plain := coreCall{cost: 1}
		all = append(all, Unfinished{State: "running", Cost: 1, Attempts: 1, Paid: 1, costs: plain.allCosts()})
	}
	for _, c := range open {
		all = append(all, o.describe(c))
	}
	return all
}

// describe describes a call that has not ended.
func (o *owner) describe(c *coreCall) Unfinished {
	u := Unfinished{
		Call: c.id, Name: c.options().name, Rank: o.core.time(c.rank), Priority: c.options().priority, Cost: c.cost,
		Attempts: c.attemptsMade(), Paid: c.paid(), last: c.lastErr(), costs: c.allCosts(),
	}
	switch c.state {
	case running:
		u.State = "running"
	case queued:
		u.State = "queued"
	case backingOff:
		u.State = "backing off"
		u.Due = o.core.time(c.due())
	}
	return u
}

// fillIn sets Err and Costs. The owner does not, since Error methods are user code.
func (u *Unfinished) fillIn(budgets []Budget) {
	u.Err = errText(u.last)
	if budgets[0].Name != "" {
		u.Costs = map[string]int64{}
		for i, b := range budgets {
			u.Costs[b.Name] = u.costs[i]
		}
	}
	u.last, u.costs = nil, costs{}
}
