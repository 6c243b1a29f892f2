package scheduler

import (
	"time"

	"example.com/fairlead/bucket"
)

// Snapshot is the state of a scheduler at one instant, as plain values that can be written as
// JSON.
type Snapshot struct {
	At     time.Time `json:"at"`
	Closed bool      `json:"closed,omitzero"`

	Budget           // the only budget, or the first by name
	Budgets []Budget `json:"budgets"` // all budgets, by name; with [Config.Limit] one without a name

	Queued         int `json:"queued"`                  // calls that wait for tokens or a slot
	WaitingForRoom int `json:"waiting_for_room"`        // queued calls whose Submit has not returned: see [WaitForRoom]
	Running        int `json:"running"`                 // calls whose function runs
	BackingOff     int `json:"backing_off"`             // calls whose backoff has not ended
	Later          int `json:"later,omitzero"`          // calls that have not arrived: see [NotBefore]
	Keys           int `json:"keys,omitzero"`           // keys that are remembered: see [PerKey.MaxKeys]
	KeysCompeting  int `json:"keys_competing,omitzero"` // keys whose first call waits only for what all keys share
	KeysBlocked    int `json:"keys_blocked,omitzero"`   // keys whose first call waits for something of its own

	MaxInFlight int `json:"max_in_flight"` // 0: no cap
	MaxQueued   int `json:"max_queued"`    // 0: no bound

	Paused      bool      `json:"paused,omitzero"`       // no call is granted until it is resumed
	PausedUntil time.Time `json:"paused_until,omitzero"` // when the pause will end, if that is known

	Rate float64 `json:"rate"` // the part of the configured rates that is in force: below 1 if [Config.Adaptive] has lowered it

	HeldUntil time.Time `json:"held_until,omitzero"` // the end of a hold by a server's Retry-After; zero if there is none
	NextGrant time.Time `json:"next_grant,omitzero"` // when the head of the queue has its tokens; zero if no call waits for time
	NextRetry time.Time `json:"next_retry,omitzero"` // when the first backoff ends; zero if there is none
	NextLater time.Time `json:"next_later,omitzero"` // when the first of the calls that have not arrived does; zero if there is none

	Totals Totals `json:"totals"`
	Seed   uint64 `json:"seed"` // of the jitter: with it, and the same calls, a run can be replayed
}

// Budget is the state of one budget.
type Budget struct {
	Name string `json:"name,omitzero"` // in [Config.Limits]

	// Available is the number of whole tokens in the budget. It is negative in debt. The ledger
	// balances: Initial + Refilled + Refunded + Adjusted == Spent + Available.
	Available int64         `json:"available"`
	Ledger    bucket.Ledger `json:"ledger"`
	Limit     bucket.Limit  `json:"limit"`

	// Level is the budget's level in a form that survives a restart: see [Config.Level] and
	// [Config.Levels].
	Level bucket.State `json:"level"`

	// Store is the state of the store if processes share the budget: see [Config.Store]. Available then counts
	// what this process has bought and not spent, and Level is zero. Nil if the budget is this scheduler's own.
	Store *StoreState `json:"store,omitzero"`
}

// StoreState has what a process knows of the store of a budget that several processes share.
type StoreState struct {
	Away      bool      `json:"away,omitzero"`       // the store has not answered for a second
	AwaySince time.Time `json:"away_since,omitzero"` // since when the store has not answered
	Err       string    `json:"err,omitzero"`        // while it is away: the text of the error of the latest exchange that has failed; "" if none has yet
	SellsFrom time.Time `json:"sells_from,omitzero"` // before then the store sells nothing, for example since it is new or may have lost what it knew
	Sharers   int64     `json:"sharers"`             // how many processes share the budget, this one included; 0: not known yet
	Coming    int64     `json:"coming"`              // tokens that this process has bought and may not spend yet
	Exchanges uint64    `json:"exchanges"`           // how many exchanges with the store have succeeded
}

// Totals count calls and attempts since the scheduler was made.
//
//	Accepted == Ended() + those that have not ended
type Totals struct {
	Accepted  uint64 `json:"accepted"`  // accepted calls
	Succeeded uint64 `json:"succeeded"` // ended with nil
	Failed    uint64 `json:"failed"`    // ended with an error that is not retried, or a cost above a lowered capacity
	Exhausted uint64 `json:"exhausted"` // ended because retries or MaxElapsed ran out, or a server's wait was too long
	Canceled  uint64 `json:"canceled"`  // ended by their context, handle or deadline
	Dropped   uint64 `json:"dropped"`   // ended by [DropLowest], to make room for others
	Closed    uint64 `json:"closed"`    // ended by Close or Shutdown while they waited
	Refused   uint64 `json:"refused"`   // not accepted

	Attempts    uint64 `json:"attempts"`     // grants whose function was started
	Retries     uint64 `json:"retries"`      // those of them that were not a call's first
	RateLimited uint64 `json:"rate_limited"` // attempts that failed with a rate-limit error
}

// Ended returns how many accepted calls have ended.
func (t Totals) Ended() uint64 {
	return t.Succeeded + t.Failed + t.Exhausted + t.Canceled + t.Dropped + t.Closed
}

// snapshot returns the state at this instant.
func (o *owner) snapshot(now time.Duration) Snapshot {
	k := o.core
	k.Advance(now)
	at := k.Time(k.Now)
	s := Snapshot{
		At:             at,
		Closed:         k.Closed,
		MaxInFlight:    k.MaxInFlight,
		MaxQueued:      k.MaxQueued,
		Paused:         k.Paused(),
		Rate:           k.Rate(),
		Queued:         k.Queued(),
		WaitingForRoom: k.CallsWaitingForRoom(),
		Running:        k.InFlight(),
		BackingOff:     k.BackingOff(),
		Later:          k.Later(),
		Keys:           k.Keys(),
		KeysCompeting:  k.CompetingKeys(),
		KeysBlocked:    k.KeysBlocked(),
		Totals:         Totals(k.Totals),
	}
	s.Totals.Succeeded -= uint64(k.InFast) // they are not over
	for i := range k.Budgets {
		b := &k.Budgets[i]
		s.Budgets = append(s.Budgets, Budget{b.Name, b.Available(), b.Ledger(), b.Configured, k.LevelOf(i), o.storeState(i)})
	}
	s.Budget = s.Budgets[0]
	if held := k.HeldUntil(); held > k.Now {
		s.HeldUntil = k.Time(held)
	}
	s.PausedUntil = k.TimeOrZero(k.PauseEnds())
	s.NextGrant = k.TimeOrZero(k.NextPlanned())
	s.NextRetry = k.TimeOrZero(k.NextRetry())
	s.NextLater = k.TimeOrZero(k.NextLater())
	return s
}
