package scheduler

import (
	"errors"
	"time"

	"example.com/fairlead/bucket"
)

// errGaveUp is the cause of calls that tests cancel.
var errGaveUp = errors.New("gave up")

// coreState is what can be seen of a core at its present instant.
type coreState struct {
	now                                                        time.Duration
	queued, waitingForRoom, running, backingOff                int
	maxInFlight, maxQueued                                     int
	heldUntil, pausedUntil, nextGrant, nextPlanned, nextReturn time.Duration
	rate                                                       float64
	available                                                  int64 // in the first budget
	totals                                                     totals
	levels                                                     map[string]bucket.State
	ledgers                                                    []bucket.Ledger
}

func stateOf(k *core) coreState {
	s := coreState{
		now: k.now, queued: k.queue.len(), waitingForRoom: k.waitingForRoom.count, running: k.running.count, backingOff: len(k.backoff),
		maxInFlight: k.maxInFlight, maxQueued: k.maxQueued, heldUntil: k.budgets.heldUntil(), pausedUntil: k.pauseEnds(),
		nextGrant: k.nextGrant(), nextPlanned: k.nextPlanned(), nextReturn: k.backoff.next(), rate: k.adaptive.rate(), totals: k.totals,
		available: k.budgets[0].Available(),
	}
	s.levels = levelsOf(k)
	for i := range k.budgets {
		s.ledgers = append(s.ledgers, k.budgets[i].Ledger())
	}
	return s
}

// levelsOf returns the levels of a core's budgets, for another core that continues.
func levelsOf(k *core) map[string]bucket.State {
	levels := map[string]bucket.State{}
	for i := range k.budgets {
		levels[k.budgets[i].name] = k.budgets[i].level(k.now, k.time(k.now))
	}
	return levels
}

// limitsOf returns the limits of a core's budgets.
func limitsOf(k *core) bucket.Limits {
	limits := bucket.Limits{}
	for i := range k.budgets {
		limits[k.budgets[i].name] = k.budgets[i].limit
	}
	return limits
}
