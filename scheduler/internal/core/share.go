package core

import (
	"math/bits"
	"slices"
	"time"

	"example.com/fairlead/bucket"
)

// Keys share the budgets by start-time fair queueing, as in P. Goyal, H. Vin and H. Cheng, "Start-time Fair
// Queueing" (1996). Each grant adds its cost, divided by the key's weight, to what the key has used. The key
// that has used least goes first. A key that begins to compete counts as having used at least as much as the
// latest one that went first, so that it has no credit for the time before.
//
// That alone could starve a key. New keys with one call each have used nothing. If they come faster than the
// tokens, a key that has used something is never next. So a head that has competed for lanes.patience goes first.

// share has what a key has used of the budgets that all keys share.
type share struct {
	used     int64         // in units of fairness.virtual; counts as 0 in another epoch
	epoch    uint32        // of used
	competes time.Duration // when the head began to compete, or if it does not compete, when the last one stopped
}

// fairness has what the shares of all keys are measured by.
type fairness struct {
	virtual  int64         // what the key had used that was the latest to go first because of its share
	epoch    uint32        // when no key competes any more, a new one begins, in which all shares are 0
	patience time.Duration // after which a head goes first
	bySlots  bool          // only slots are scarce: the key goes first that has the fewest for its weight
}

const (
	unitsPerToken = 1 << 20 // of a share with one shared budget
	mostTokens    = 1 << 36 // that count for one attempt
	unitsPerNano  = 1 << 10 // of a share with several shared budgets, in which costs count by the time of their refill
	mostNanos     = 1 << 46
	mostAhead     = 1 << 60 // of the virtual time
	mostVirtual   = 1 << 61
)

// unitsOf returns what costs add to the share of a key of weight 1: the tokens, or with several budgets the
// longest time that any of them needs to refill the cost. A call without a cost counts as one token.
func (k *Core) unitsOf(costs *Costs) int64 {
	if len(k.Budgets) == 1 {
		return min(max(1, costs[0]), mostTokens) * unitsPerToken
	}
	longest := int64(1)
	for i := range k.Budgets {
		longest = max(longest, k.Budgets[i].refillTime(costs[i]))
	}
	return longest * unitsPerNano
}

// refillTime returns how long the refill of n tokens takes at the configured rate, in nanoseconds and at most
// mostNanos.
func (b *Budget) refillTime(n int64) int64 {
	refill, per := b.Configured.Refill, int64(b.Configured.Per)
	if b.isQuota() {
		r := b.Configured.Reset
		refill, per = b.Configured.Capacity, int64(r.Every)+(int64(r.Days)+int64(r.Months)*30)*int64(24*time.Hour)
	}
	hi, lo := bits.Mul64(uint64(max(0, n)), uint64(per))
	if hi >= uint64(refill) {
		return mostNanos
	}
	nanos, _ := bits.Div64(hi, lo, uint64(refill))
	return int64(min(nanos, mostNanos))
}

// perWeight returns units divided by a weight, rounded up.
func perWeight(units, weight int64) int64 {
	if weight == 1 {
		return units
	}
	return (units + weight - 1) / weight
}

// charge adds the cost of a call that is about to be granted to the share of its key, unless no key competes
// with it.
func (k *Core) charge(l *lane, c *Call) {
	s := &k.lanes
	if c.detail.chargedIn = 0; len(s.turn) == 0 {
		return
	}
	if s.virtual > mostVirtual {
		k.renormalize()
	}
	if l.condition != competes {
		k.beginShare(l)
	}
	if e := k.entryOf(l, c.ID); e.first < s.turn[0].first || e.first == s.turn[0].first && e.second <= s.turn[0].second {
		s.virtual = max(s.virtual, l.share.used) // it goes first because of its share, and not of its patience
	}
	costs := c.AllCosts()
	l.share.used = min(l.share.used+perWeight(k.unitsOf(&costs), l.weight), s.virtual+mostAhead)
	c.detail.chargedIn, c.detail.chargedAt = s.epoch, uint32(l.weight)
}

// correct changes the share of a call's key, since an attempt has cost after instead of before, or nothing if
// after is nil.
func (k *Core) correct(c *Call, before, after *Costs) {
	l := k.laneOf(c)
	if !k.keyed || c.detail.chargedIn != k.lanes.epoch || l.share.epoch != k.lanes.epoch {
		return
	}
	weight := int64(c.detail.chargedAt) // so that a key gets back no more than it was charged
	more := -perWeight(k.unitsOf(before), weight)
	if after != nil {
		more += perWeight(k.unitsOf(after), weight)
	}
	k.account(l)
	l.share.used = min(l.share.used+more, k.lanes.virtual+mostAhead)
	k.place(l)
}

// beginShare sets the share of a key that begins to compete.
func (k *Core) beginShare(l *lane) {
	s, f := &l.share, &k.lanes.fairness
	l.share.used, s.epoch = k.usedBy(l), f.epoch
	s.competes = k.Now
}

// usedBy returns the share that a key has if it begins to compete now.
func (k *Core) usedBy(l *lane) int64 {
	s, f := &l.share, &k.lanes.fairness
	if s.epoch != f.epoch || k.Now-s.competes >= f.patience { // so long ago that no head would wait for it
		return f.virtual
	}
	return max(s.used, f.virtual)
}

// forgetShares begins a new epoch, in which no key has used anything.
func (f *fairness) forgetShares() {
	f.epoch++
	f.virtual = 0
}

// restartShares begins a new epoch while keys compete, since the units of their shares have changed.
func (k *Core) restartShares() {
	k.lanes.forgetShares()
	turn := k.lanes.turn
	k.lanes.turn = nil
	for _, e := range turn {
		l := e.value
		l.share.used, l.share.epoch = 0, k.lanes.epoch
		k.lanes.turn.push(k.entryOf(l, e.id))
	}
}

// noteScarce notes whether only slots are scarce. If that has changed, all shares begin at 0.
func (k *Core) noteScarce() {
	unlimited := !slices.ContainsFunc(k.Budgets, func(b Budget) bool { return b.Configured != bucket.Unlimited })
	was := k.lanes.bySlots
	if k.lanes.bySlots = unlimited && k.MaxInFlight > 0; k.lanes.bySlots != was {
		k.restartShares()
	}
}

// renormalize subtracts the virtual time from all shares, before it overflows.
func (k *Core) renormalize() {
	s := &k.lanes
	k.each(func(l *lane) {
		if l.share.epoch == s.epoch {
			l.share.used = max(l.share.used-s.virtual, -mostAhead)
		}
	})
	for i := range s.turn {
		s.turn[i].second = time.Duration(s.turn[i].value.share.used)
	}
	s.virtual = 0
}

// entryOf returns the entry of a lane for lanes.turn, if the call with the number head is at its head.
func (k *Core) entryOf(l *lane, head uint64) entry[*lane] {
	e := entry[*lane]{second: time.Duration(l.share.used), id: head, value: l}
	if k.lanes.bySlots {
		running := int64(l.running)
		if l == &k.plain {
			running += int64(k.InFast)
		}
		e.first = time.Duration(running * unitsPerToken / l.weight)
	}
	return e
}

// enterTurn lets a lane compete.
func (k *Core) enterTurn(l *lane, head *Call) {
	k.beginShare(l)
	k.lanes.weights += l.weight
	k.lanes.turn.push(k.entryOf(l, head.ID))
	k.age(l, head)
}

// stayInTurn notes that the head or the share of a competing lane may have changed.
func (k *Core) stayInTurn(l *lane, head *Call) {
	was, e := k.lanes.turn[l.waiting.index], k.entryOf(l, head.ID)
	if e.id != was.id {
		k.lanes.oldest.remove(l)
		l.share.competes = k.Now
		k.age(l, head)
	}
	if e != was {
		k.lanes.turn.replace(int(l.waiting.index), e)
	}
}

func (k *Core) leaveTurn(l *lane) {
	k.lanes.turn.remove(int(l.waiting.index))
	k.lanes.oldest.remove(l)
	k.lanes.weights -= l.weight
	l.share.competes = k.Now
}

// age adds a lane to lanes.oldest, behind those whose heads have competed for longer. If several begin to compete
// at one instant, the lane with the senior head comes first.
func (k *Core) age(l *lane, head *Call) {
	behind := k.lanes.oldest.last
	for behind != nil && behind.share.competes == k.Now && head.ID < behind.waiting.head().ID {
		behind = behind.prev
	}
	k.lanes.oldest.add(l, behind)
}

// impatient reports whether the head of a competing lane has lost its patience.
func (k *Core) impatient(l *lane) bool {
	return After(l.share.competes, k.lanes.patience) <= k.Now && k.Now != bucket.Forever
}

// chosen returns the lane whose head goes first, or nil if none competes.
func (k *Core) chosen() *lane {
	s := &k.lanes
	switch {
	case s.oldest.first != nil && k.impatient(s.oldest.first):
		return s.oldest.first
	case len(s.turn) > 0:
		return s.turn[0].value
	}
	return nil
}

// precedes reports whether another lane would go first if c were the head of l.
func (k *Core) precedes(l *lane, c *Call) bool {
	s := &k.lanes
	if len(s.turn) == 0 {
		return false
	}
	old := s.oldest.first
	if old == l { // its head would be another, and begin to compete now
		old = old.next
	}
	if old != nil && k.impatient(old) {
		return true
	}
	mine := k.entryOf(l, c.ID)
	if l.condition != competes {
		mine.second = time.Duration(k.usedBy(l))
	}
	if s.turn[0].value != l {
		return s.turn[0].before(&mine)
	}
	for i := 1; i < min(5, len(s.turn)); i++ { // one of these is next
		if s.turn[i].before(&mine) {
			return true
		}
	}
	return false
}

// setWeight gives a key another weight. What the key has used already stays as it is.
func (k *Core) setWeight(l *lane, weight int64) {
	if weight == l.weight {
		return
	}
	if l.condition == competes {
		k.lanes.weights += weight - l.weight
	}
	k.account(l)
	l.weight = weight
	k.place(l)
	k.noteCrowd(l)
}
