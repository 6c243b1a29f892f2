package core

import (
	"time"

	"example.com/fairlead/events"
)

// told has what the changes of a tracked call have told of it.
type told struct {
	accepted, over bool
	due, rank      time.Duration
}

// checkChanges checks that the changes of tracked calls tell all of them (E6).
func (s *sim) checkChanges() {
	if s.moves++; s.moves%4 == 0 { // often several moves are told at once
		s.hear()
	}
	if s.moves%64 == 0 {
		s.checkTold()
	}
}

// hear takes what has changed.
func (s *sim) hear() {
	has, calls, seen := s.k.HasChanges(), s.k.TakeChanges(), map[uint64]bool{}
	s.must(has || len(calls) == 0, "E6: HasChanges misses no change")
	s.must(!s.k.HasChanges(), "E6: changes that were taken are not there any more")
	for _, c := range calls {
		s.must(!seen[c.ID], "E6: each call is there once")
		seen[c.ID] = true
		mine := s.byID[c.ID]
		s.must(&mine.Call == c && !mine.told.over, "E6, changes: each end is told once")
		mine.told = told{accepted: true, over: c.State == Ended, due: mine.dueNow(), rank: c.Rank}
		s.must(mine.told.over == (c.EndKind() != 0), "E6: a change tells how the call has ended")
		if mine.told.over && s.k.Wanted != 0 {
			s.must(c.EndKind() == mine.last, "E6: a change tells the same end as the event")
		}
	}
}

// dueNow returns when a call's backoff ends, or 0 if it does not back off.
func (c *simCall) dueNow() time.Duration {
	if c.State != BackingOff {
		return 0
	}
	return c.detail.due
}

// checkTold checks that all was told of each tracked call.
func (s *sim) checkTold() {
	s.hear()
	for _, c := range s.byID[1:] {
		if c == nil || c.serial%2 != 0 || c.ID == 0 || c.EndKind() == events.Closed {
			continue
		}
		s.must(c.told.accepted && c.told.over == (c.State == Ended), "E6: no beginning and no end is left out")
		if c.State != Ended {
			s.must(c.told.rank == c.Rank && (c.State != BackingOff || c.told.due == c.detail.due), "E6: no backoff and no priority is left out")
		}
	}
}

// tracked reports whether the call of a move is tracked.
func (m move) tracked() bool { return m.call%2 == 0 }
