package core

import (
	"errors"
	"time"

	"example.com/fairlead/bucket"
)

// errGaveUp is the cause of calls that tests cancel.
var errGaveUp = errors.New("gave up")

// coreState holds what an owner can see of a core at its present instant.
type coreState struct {
	now                                                                   time.Duration
	queued, waitingForRoom, running, backingOff, later                    int
	maxInFlight, maxQueued                                                int
	heldUntil, pausedUntil, nextGrant, nextPlanned, nextReturn, nextLater time.Duration
	rate                                                                  float64
	available                                                             int64 // in the first budget
	totals                                                                Totals
	levels                                                                map[string]bucket.State
	ledgers                                                               []bucket.Ledger
}

func stateOf(k *Core) coreState {
	s := coreState{
		now: k.Now, queued: k.queued, waitingForRoom: k.waitingForRoom.count, running: k.running.count, backingOff: len(k.backoff), later: len(k.later),
		maxInFlight: k.MaxInFlight, maxQueued: k.MaxQueued, heldUntil: k.Budgets.heldUntil(), pausedUntil: k.PauseEnds(),
		nextGrant: k.nextGrant(), nextPlanned: k.NextPlanned(), nextReturn: k.NextRetry(), nextLater: k.later.next(), rate: k.adaptive.rate(), totals: k.Totals,
		available: k.Budgets[0].Available(),
	}
	s.levels = levelsOf(k)
	for i := range k.Budgets {
		s.ledgers = append(s.ledgers, k.Budgets[i].Ledger())
	}
	return s
}

// levelsOf returns the levels of a core's budgets, for another core that continues.
func levelsOf(k *Core) map[string]bucket.State {
	levels := map[string]bucket.State{}
	for i := range k.Budgets {
		levels[k.Budgets[i].Name] = k.LevelOf(i)
	}
	return levels
}

// limitsOf returns the limits of a core's budgets.
func limitsOf(k *Core) bucket.Limits {
	limits := bucket.Limits{}
	for i := range k.Budgets {
		limits[k.Budgets[i].Name] = k.Budgets[i].Configured
	}
	return limits
}
