package core

import (
	"math"
	"math/bits"
	"time"

	"example.com/fairlead/bucket"
)

// lanes has the lanes of all keys that are remembered, in the orders in which they are needed. It is not used
// before the first call with a key comes: see Core.keyed.
type lanes struct {
	byName map[string]*lane
	all    []*lane // in no order; without Core.plain

	turn    heap[*lane] // those whose heads compete, by their shares: see entryOf
	oldest  laneList    // the same, in the order in which their heads began to
	later   heap[*lane] // those whose condition ends at a known instant, by that
	resting laneList    // those without calls, in the order in which they came to that

	nonEmpty  int               // how many lanes have queued calls
	calls     int               // of all keys that have not ended, without those of Core.plain
	deadlines []dueLanes        // those with a queued call that has a deadline, by the size of what their calls cost
	crowded   heap[crowdedLane] // with dropLowest those with calls that were never granted, by how many for their weight

	weights     int64            // of those in turn
	queuedCosts [MaxBudgets]wide // of all queued calls, from the budgets that all keys share
	none        *waiting         // of lanes without queued calls; never changed
	free        []*waiting
	fairness
}

// laneList is a linked list of lanes. A lane can be in one of them at a time.
type laneList struct{ first, last *lane }

// add puts a lane behind another, or with nil at the front.
func (s *laneList) add(l, behind *lane) {
	l.prev = behind
	if behind == nil {
		l.next, s.first = s.first, l
	} else {
		l.next, behind.next = behind.next, l
	}
	if l.next == nil {
		s.last = l
	} else {
		l.next.prev = l
	}
}

func (s *laneList) remove(l *lane) {
	if l.prev == nil {
		s.first = l.next
	} else {
		l.prev.next = l.next
	}
	if l.next == nil {
		s.last = l.prev
	} else {
		l.next.prev = l.prev
	}
	l.prev, l.next = nil, nil
}

func (l *lane) setIndex(i int) { l.waiting.index = int32(i) }

// useKeys begins to keep lanes.
func (k *Core) useKeys() {
	if k.keyed {
		return
	}
	k.keyed, k.lanes.byName = true, map[string]*lane{}
	k.plainWaiting.since = k.freeTime()
	k.noteDeadline(&k.plain)
	k.noteCrowd(&k.plain)
	k.plain.waiting.each(func(c *Call) {
		for i := range k.Budgets {
			k.lanes.queuedCosts[i].add(c.costOf(i), 1)
		}
	})
	k.place(&k.plain)
}

// newWaiting returns what a lane has while calls are queued.
func (s *lanes) newWaiting() *waiting {
	n := len(s.free)
	if n == 0 {
		return &waiting{queue: queue{more: s.none.more}, dueIndex: -1, crowdedIndex: -1}
	}
	w := s.free[n-1]
	s.free = s.free[:n-1]
	return w
}

// putBack takes the waiting of a lane without queued calls, and keeps it for another lane.
func (s *lanes) putBack(l *lane) {
	if l.waiting == s.none || l.position < 0 { // that of calls without a key stays
		return
	}
	if len(s.free) < maxKept {
		l.waiting.free = nil
		s.free = append(s.free, l.waiting)
	}
	l.waiting = s.none
}

// putLater notes when the condition of a lane will end.
func (s *lanes) putLater(l *lane, until time.Duration, head *Call) {
	e := entry[*lane]{first: until, id: head.ID, value: l}
	if l.timed {
		s.later.replace(int(l.waiting.index), e)
	} else {
		s.later.push(e)
	}
	l.timed = true
}

// noteMove notes when the next lane moves because of time alone. It is called after each change of a lane.
func (k *Core) noteMove() {
	s := &k.lanes
	k.nextMove = bucket.Forever
	if len(s.later) > 0 {
		k.nextMove = s.later[0].first
	}
	if l := s.oldest.first; len(s.turn) > 1 && !k.impatient(l) {
		k.nextMove = min(k.nextMove, After(l.share.competes, s.patience))
	}
}

// moveLane moves the lane whose condition has ended. If there is none, it does nothing: a lane has become
// impatient, and stays where it is.
func (k *Core) moveLane() {
	if later := k.lanes.later; len(later) > 0 && later[0].first <= k.Now {
		l := later[0].value
		k.account(l)
		k.place(l)
	}
	k.noteMove()
}

// head returns the call that is granted next, as soon as what all keys share allows it, or nil.
func (k *Core) head() *Call {
	if !k.keyed {
		return k.plain.waiting.head()
	}
	if l := k.chosen(); l != nil {
		return l.waiting.head()
	}
	return nil
}

// each calls f for each lane, in no order.
func (k *Core) each(f func(*lane)) {
	f(&k.plain)
	for _, l := range k.lanes.all {
		f(l)
	}
}

// eachQueued calls f for each queued call, lane by lane, in no order of the lanes.
func (k *Core) eachQueued(f func(*Call)) {
	k.each(func(l *lane) { l.waiting.each(f) })
}

// wide is a sum of costs that does not overflow.
type wide struct{ high, low uint64 }

// add adds a cost, which is not negative, or with a sign of -1 subtracts it.
func (w *wide) add(cost int64, sign int) {
	var carry uint64
	if sign < 0 {
		w.low, carry = bits.Sub64(w.low, uint64(cost), 0)
		w.high -= carry
	} else {
		w.low, carry = bits.Add64(w.low, uint64(cost), 0)
		w.high += carry
	}
}

// value returns the sum, or math.MaxInt64 if it is larger.
func (w wide) value() int64 {
	if w.high > 0 || w.low > math.MaxInt64 {
		return math.MaxInt64
	}
	return int64(w.low)
}
