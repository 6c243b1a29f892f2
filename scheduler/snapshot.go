package scheduler

import (
	"time"

	"example.com/fairlead/bucket"
)

// Snapshot is the state of a scheduler at one instant: plain values, fit for JSON.
type Snapshot struct {
	At     time.Time `json:"at"`
	Closed bool      `json:"closed,omitzero"`

	Budget           // the budget; of several, the first by name
	Budgets []Budget `json:"budgets"` // all of them, by name: one, which has no name, with [Config.Limit]

	Queued         int `json:"queued"`           // calls that wait for tokens or a slot
	WaitingForRoom int `json:"waiting_for_room"` // those of them whose Submit has not returned: see [WaitForRoom]
	Running        int `json:"running"`          // calls whose function runs
	BackingOff     int `json:"backing_off"`      // calls that wait for their retry time

	MaxInFlight int `json:"max_in_flight"` // 0: no cap
	MaxQueued   int `json:"max_queued"`    // 0: no bound

	Paused      bool      `json:"paused,omitzero"`       // nobody is granted before it is resumed
	PausedUntil time.Time `json:"paused_until,omitzero"` // when that will be, if it is known

	Rate float64 `json:"rate"` // the part of the configured rates that is in force: 1, unless [Config.Adaptive] has slowed them down

	HeldUntil time.Time `json:"held_until,omitzero"` // a server's wait: nobody is granted before then; zero if there is none
	NextGrant time.Time `json:"next_grant,omitzero"` // when the head of the queue has its tokens; zero if nobody waits for time
	NextRetry time.Time `json:"next_retry,omitzero"` // when the first of those that back off is queued again; zero if there is none

	Totals Totals `json:"totals"`
	Seed   uint64 `json:"seed"` // of the jitter: with it, and the same calls, a run can be replayed
}

// Budget is the state of one budget.
type Budget struct {
	Name string `json:"name,omitzero"` // in [Config.Limits]

	// Available is the whole tokens in the budget, negative in debt. The ledger
	// balances: Initial + Refilled + Refunded + Adjusted == Spent + Available.
	Available int64         `json:"available"`
	Ledger    bucket.Ledger `json:"ledger"`
	Limit     bucket.Limit  `json:"limit"`

	// Level is the budget's state in a form that survives a restart: see
	// [Config.Level] and [Config.Levels].
	Level bucket.State `json:"level"`
}

// Totals count calls and attempts since the scheduler was made.
//
//	Accepted == Ended() + those that have not ended
type Totals struct {
	Accepted  uint64 `json:"accepted"`  // calls that were taken in
	Succeeded uint64 `json:"succeeded"` // ended with nil
	Failed    uint64 `json:"failed"`    // ended with an error that is not retried, or a cost above a lowered capacity
	Exhausted uint64 `json:"exhausted"` // ended for want of retries, or by too long a server wait
	Cancelled uint64 `json:"cancelled"` // ended by their context, handle or deadline
	Dropped   uint64 `json:"dropped"`   // ended to make room for others
	Closed    uint64 `json:"closed"`    // ended by Close or Shutdown while they waited
	Refused   uint64 `json:"refused"`   // not taken in

	Attempts    uint64 `json:"attempts"`     // grants whose function was started
	Retries     uint64 `json:"retries"`      // those of them that were not a call's first
	RateLimited uint64 `json:"rate_limited"` // attempts that failed with a rate-limit error
}

// Ended is how many of the calls that were accepted are over.
func (t Totals) Ended() uint64 {
	return t.Succeeded + t.Failed + t.Exhausted + t.Cancelled + t.Dropped + t.Closed
}

func (k *core) unfinished(c *call) Unfinished {
	c.ensureDetail()
	u := Unfinished{
		Call: c.id, Name: c.name, Rank: k.time(c.rank), Priority: c.priority, Cost: c.cost,
		Attempts: c.attempt, Paid: c.paid, last: c.lastErr(), costs: c.allCosts(),
	}
	switch c.state {
	case running:
		u.State = "running"
	case queued:
		u.State = "queued"
	case backingOff:
		u.State = "backing off"
		u.Due = k.time(c.due)
	}
	return u
}

func (k *core) snapshot(now time.Duration) Snapshot {
	k.advance(now)
	at := k.time(k.now)
	s := Snapshot{
		At:             at,
		Closed:         k.closed,
		MaxInFlight:    k.maxInFlight,
		MaxQueued:      k.maxQueued,
		Paused:         k.paused(),
		Rate:           k.adaptive.rate(),
		Queued:         k.queue.len(),
		WaitingForRoom: k.waitingForRoom.count,
		Running:        k.running.count + k.inFast,
		BackingOff:     len(k.backoff),
		Totals:         k.totals,
	}
	s.Totals.Succeeded -= uint64(k.inFast) // they are not over
	for i := range k.budgets {
		b := &k.budgets[i]
		s.Budgets = append(s.Budgets, Budget{b.name, b.Available(), b.Ledger(), b.limit, b.level(k.now, at)})
	}
	s.Budget = s.Budgets[0]
	if held := k.budgets.heldUntil(); held > k.now {
		s.HeldUntil = k.time(held)
	}
	if end := k.pauseEnds(); end != bucket.Forever {
		s.PausedUntil = k.time(end)
	}
	if next := k.nextPlanned(); next != bucket.Forever {
		s.NextGrant = k.time(next)
	}
	if next := k.backoff.next(); next != bucket.Forever {
		s.NextRetry = k.time(next)
	}
	return s
}
