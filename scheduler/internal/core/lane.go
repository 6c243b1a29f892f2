package core

import (
	"time"

	"example.com/fairlead/bucket"
)

// lane has the queued calls of one key, its share of what all keys have in common, and its own budgets, cap, hold
// and pause. It is plain data, without a goroutine or timer.
//
// A change of a lane comes after account, which notes what its calls waited for until now. Then place puts the
// lane where it belongs from now on.
type lane struct {
	key
	waiting *waiting        // lanes.none if no call is queued
	own     []bucket.Packed // its budgets; empty if the scheduler has no limits per key, and for calls without a key
	limits  *Budgets        // of own
	share   share

	heldUntil   time.Duration // the end of a server's wait for this key; may be in the past
	pausedUntil time.Duration // 0: not paused

	calls      int32 // that have not ended
	running    int32
	position   int32 // in lanes.all; -1 if the key is not remembered
	condition  condition
	resting    bool  // in lanes.resting
	timed      bool  // in lanes.later, since its condition ends at a known instant
	size       uint8 // in which of lanes.deadlines it is
	prev, next *lane // in lanes.resting or lanes.oldest
}

// waiting has the queued calls of a lane, and what is noted while there are some.
type waiting struct {
	queue
	since        time.Duration // Core.freeTime when account was last called
	holdTime     time.Duration // for how long the key was held or paused while not all were
	index        int32         // in lanes.turn or lanes.later
	dueIndex     int32         // in lanes.deadlines, if a call has one
	crowdedIndex int32         // in lanes.crowded, with dropLowest
	waitsForRoom int32         // how many of the calls are not admitted
}

// condition says what the head of a lane waits for.
type condition uint8

const (
	empty       condition = iota // no call is queued
	competes                     // its turn, or what all keys share
	onHold                       // the end of a hold or pause of its key
	lacksTokens                  // tokens of its key's own budgets
	lacksSlot                    // a slot of its key
)

// conditionOf returns what a call would wait for at the head of its lane. If that ends at a known instant, it
// returns that, and otherwise [bucket.Forever].
func (k *Core) conditionOf(l *lane, c *Call) (is condition, until time.Duration) {
	if l == &k.plain {
		return competes, bucket.Forever
	}
	if until = max(l.heldUntil, l.pausedUntil); until > k.Now {
		return onHold, until
	}
	if len(l.own) > 0 {
		k.refresh(l)
		if until = l.readyFor(c, len(k.Budgets)); until > k.Now {
			if k.Paused() { // the budgets stand still
				until = bucket.Forever
			}
			return lacksTokens, until
		}
	}
	if k.perKey.MaxInFlight > 0 && int(l.running) >= k.perKey.MaxInFlight {
		return lacksSlot, bucket.Forever
	}
	return competes, bucket.Forever
}

// account notes what the calls of a lane have waited for since it was last called.
func (k *Core) account(l *lane) {
	if k.keyed {
		k.accountFor(l)
	}
}

func (k *Core) accountFor(l *lane) {
	if l.condition == empty {
		return
	}
	d := k.freeTime() - l.waiting.since
	l.waiting.since += d
	if d <= 0 {
		return
	}
	if l.condition == onHold {
		l.waiting.holdTime += d
		return
	}
	spent := &l.waiting.head().ensureDetail().spent
	switch l.condition {
	case competes:
		spent.Turn += d
	case lacksTokens:
		spent.Tokens += d
	case lacksSlot:
		spent.Slot += d
	}
}

// place finds the condition of a lane, and puts the lane among those of that condition.
func (k *Core) place(l *lane) {
	if k.keyed {
		k.placeAnew(l)
	}
}

func (k *Core) placeAnew(l *lane) {
	was, head := l.condition, l.waiting.head()
	is, until := empty, bucket.Forever
	if head != nil {
		is, until = k.conditionOf(l, head)
	}
	if was == competes && is != competes {
		k.leaveTurn(l)
	}
	if l.timed && (is == competes || until == bucket.Forever) {
		k.lanes.later.remove(int(l.waiting.index))
		l.timed = false
	}
	switch l.condition = is; {
	case was == empty && is != empty:
		k.lanes.nonEmpty++
	case was != empty && is == empty:
		k.lanes.nonEmpty--
	}
	switch {
	case is == competes && was != competes:
		k.enterTurn(l, head)
	case is == competes:
		k.stayInTurn(l, head)
	case until != bucket.Forever:
		k.lanes.putLater(l, until, head)
	}
	if head == nil {
		k.lanes.putBack(l)
	}
	if was == competes && len(k.lanes.turn) == 0 {
		k.lanes.forgetShares()
	}
	k.noteMove()
}

// freeTime returns for how long, up to now, not all calls were held or paused.
func (k *Core) freeTime() time.Duration { return k.Now - k.holdTime }

// holdTimeOf returns for how long no call of a lane could be granted, because of a hold or pause of its key
// or of all. The lane is accounted for.
func (k *Core) holdTimeOf(l *lane) time.Duration { return k.holdTime + l.waiting.holdTime }

// join queues a call in its lane, which is accounted for.
func (k *Core) join(l *lane, c *Call) {
	if l.waiting == k.lanes.none {
		l.waiting = k.lanes.newWaiting()
	}
	if w := l.waiting; l.condition == empty {
		w.since, w.holdTime = k.freeTime(), 0
	}
	head := l.waiting.head()
	l.waiting.push(c)
	k.count(l, c, 1)
	if head == nil || c.Before(head) {
		k.place(l)
	}
}

// quit takes a call out of the queue of its lane, which is accounted for.
func (k *Core) quit(l *lane, c *Call) {
	first := l.waiting.head() == c
	l.waiting.remove(c)
	k.count(l, c, -1)
	if first {
		k.place(l)
	}
}

// count counts a call that joins the queue of a lane, or with -1 one that quits it.
func (k *Core) count(l *lane, c *Call, n int) {
	k.queued += n
	if c.Attempts == 0 {
		k.neverGranted += n
	}
	if k.keyed {
		for i := range k.Budgets {
			k.lanes.queuedCosts[i].add(c.costOf(i), n)
		}
		k.noteDeadline(l)
		k.noteCrowd(l)
	}
}
