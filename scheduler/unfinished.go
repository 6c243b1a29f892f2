package scheduler

import (
	"time"
)

// Unfinished describes a call that had not ended when the scheduler was shut down,
// so that an application can take it up again. In a list of them, those that would
// have gone first come first.
type Unfinished struct {
	Call     uint64    `json:"call,omitzero"` // its number, in order of arrival; 0 for a Do without options that runs and did not have to wait
	Name     string    `json:"name,omitzero"`
	State    string    `json:"state"`             // "running", "queued" or "backing off"
	Rank     time.Time `json:"rank,omitzero"`     // its seniority: when it arrived, or counts as having arrived by its priority
	Priority int       `json:"priority,omitzero"` // as given by [Priority]
	Cost     int64     `json:"cost"`              // tokens an attempt of it pays; of several budgets, from the first by name
	Attempts int       `json:"attempts"`          // how many were made
	Paid     int64     `json:"paid"`              // tokens they cost, likewise
	Due      time.Time `json:"due,omitzero"`      // when it would have tried again, if it was backing off
	Err      string    `json:"err,omitzero"`      // what its last attempt failed with

	Costs map[string]int64 `json:"costs,omitzero"` // with [Config.Limits]: what an attempt of it pays from each of them

	last  error // becomes Err away from the owner: an Error method is a user's code
	costs costs // becomes Costs
}

// fillIn makes public what the owner could not: an Error method is a user's code.
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
