package core

import (
	"fmt"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/events"
)

// Calls of several processes pay from a shared budget, whose store sells its tokens. The owner sends the asks that Ask
// returns to the store, and passes the answers to Answered. Nothing here waits for the store.

// Shared configures a budget that several processes share.
type Shared struct {
	Process string        // the name of this process, which no other has ever had
	Ahead   time.Duration // how far ahead tokens are bought; 0: the store decides
	Alone   int64         // while the store is away, this process has the rate divided by Alone; 0: it grants nothing
}

// share makes the i-th budget one that processes share. heldUntil is the end of a server's wait, or 0. The process heard of that
// wait in an earlier life, and the store may not know it.
func (k *Core) share(i int, s Shared, heldUntil time.Duration) {
	k.shared = true
	k.Budgets[i].stock = &stock{alone: s.Alone, dialogue: dialogue{
		process: s.Process, version: 1, ahead: s.Ahead, remaining: -1, silentSince: bucket.Forever, // tellBy is 0: the first ask is due at once
	}}
	if heldUntil > 0 {
		k.Budgets[i].Hold(0, heldUntil)
	}
}

// IsShared reports whether processes share the i-th budget.
func (k *Core) IsShared(i int) bool { return k.Budgets[i].stock != nil }

// Ask returns what to send to the store of the i-th budget now, if anything. The owner has to call Answered or
// AskFailed once for each ask.
func (k *Core) Ask(i int) (bucket.Ask, bool) {
	b := &k.Budgets[i]
	return b.stock.next(k.demandOn(i), b.Configured)
}

// AskAgainAt returns when Ask of any shared budget may have something to send, if nothing else happens.
func (k *Core) AskAgainAt() time.Duration {
	at := bucket.Forever
	if k.shared {
		for i := range k.Budgets {
			if s := k.Budgets[i].stock; s != nil {
				at = min(at, s.lookAgain(k.demandOn(i)))
			}
		}
	}
	return at
}

// VoidAt returns when the next tokens of shared budgets have to be given back, or 0 if no budget is shared.
func (k *Core) VoidAt() time.Duration {
	if !k.shared {
		return 0
	}
	at := bucket.Forever
	for i := range k.Budgets {
		if s := k.Budgets[i].stock; s != nil {
			at = min(at, s.lapsesAt())
		}
	}
	return at
}

// demandOn returns what calls need from the i-th budget, which is shared.
func (k *Core) demandOn(i int) demand {
	head := k.head()
	if k.Paused() || k.Closed || head == nil {
		return demand{none: k.Paused() || k.Closed}
	}
	d := demand{head: head.costOf(i), queued: k.queuedCost(i)}
	if k.MaxInFlight > 0 { // tokens for calls that have no slot would lie unused
		free := int64(max(0, k.MaxInFlight-k.InFlight()))
		d.queued = min(d.queued, scale(d.head, free, 1))
	}
	for j := range k.Budgets {
		if b := &k.Budgets[j]; b.stock == nil {
			d.later = max(d.later, b.Ready(head.costOf(j)))
			k.limitDemand(&d, i, j)
		}
	}
	return d
}

// limitDemand notes whether calls can use less of the i-th budget, which is shared, than it gives, since they wait
// for the j-th. Whether they can does not depend on time, so that the process asks at instants that it knows.
func (k *Core) limitDemand(d *demand, i, j int) {
	shared, own, all := &k.Budgets[i], &k.Budgets[j], k.queuedCost(j)
	soon := own.refillIn(shared.stock.soldAhead)
	if soon >= all || scale(d.queued, soon, all) >= shared.refillIn(shared.stock.soldAhead) {
		return
	}
	d.slow = true
	if soon = addCosts(soon, max(0, own.Available())); soon < all {
		d.queued = max(d.head, scale(d.queued, soon, all))
	}
}

// refillIn returns how many tokens come within a time, with a Reset math.MaxInt64.
func (b *Budget) refillIn(d time.Duration) int64 {
	return scale(int64(d), b.Configured.Refill, int64(b.Configured.Per))
}

// queuedCost returns what all queued calls cost from the i-th budget.
func (k *Core) queuedCost(i int) int64 {
	if k.keyed {
		return k.lanes.queuedCosts[i].value()
	}
	return k.plainWaiting.all().cost[i]
}

// Answered takes in the answer of the store of the i-th budget to the latest ask. An impossible answer counts as a
// failure.
func (k *Core) Answered(now time.Duration, i int, a bucket.Answer) {
	k.Advance(now)
	s := k.Budgets[i].stock
	if !possible(a) {
		k.AskFailed(now, i, &impossible{a})
		return
	}
	s.advance(k.Now)
	wasAway, epoch := s.away, s.epoch
	held := s.answered(a)
	if wasAway {
		k.emitOf(i, events.Event{Kind: events.StoreBack})
	}
	if s.epoch != epoch && a.Learning > 0 {
		k.emitOf(i, events.Event{Kind: events.StoreReset, Delay: a.Learning, Until: k.Time(s.sellsFrom)})
	}
	if held {
		k.emitOf(i, events.Event{Kind: events.Held, Delay: s.heldUntil - k.Now, Until: k.Time(s.heldUntil)})
	}
	k.adopt(i, a)
	k.replan()
	k.advanceNow()
}

// impossible is the error of an answer that no store may give.
type impossible struct{ answer bucket.Answer }

func (e *impossible) Error() string {
	return fmt.Sprintf("scheduler: the store of a shared budget gave an answer that is not possible: %+v", e.answer)
}

// possible reports whether a store may give such an answer.
func possible(a bucket.Answer) bool {
	const most = 1 << 53
	return a.Tokens >= 0 && a.Refill >= 1 && a.Refill <= most && a.Per >= 1 && a.Part >= 0 && a.Part <= most && a.Capacity >= 1 &&
		a.Level > -most && a.Level <= most && a.Tokens <= most/a.Per+a.Level && a.Learning >= 0 && a.Held >= 0 && a.Epoch != "" && a.Version >= 1
}

// adopt takes the limit of an answer, if another process has set it.
func (k *Core) adopt(i int, a bucket.Answer) {
	b := &k.Budgets[i]
	refill, per := b.Configured.MicroRate()
	same := a.Capacity == b.Configured.Capacity && a.Refill == refill && a.Per == per
	if a.Version < b.stock.version {
		return // the store has not heard of this process's limit yet
	}
	b.stock.version = a.Version
	if same {
		return
	}
	l := bucket.Limit{Capacity: a.Capacity, Refill: a.Refill, Per: time.Duration(a.Per) * time.Microsecond}
	if k.changeLimit(i, l) == nil {
		k.LimitsChanged = true
		k.emitOf(i, events.Event{Kind: events.LimitChanged})
	}
}

// AskFailed notes that the latest attempt of the ask to the store of the i-th budget has failed.
func (k *Core) AskFailed(now time.Duration, i int, err error) {
	k.Advance(now)
	s := k.Budgets[i].stock
	s.advance(k.Now)
	s.failed(err)
	k.advanceNow()
}

// Hint notes that the i-th budget has changed in its store, so that the process asks soon.
func (k *Core) Hint(now time.Duration, i int) {
	k.Advance(now)
	s := k.Budgets[i].stock
	s.advance(k.Now)
	s.tellNow()
}

// missed notes the cost of a call that was refused since it does not wait, so that tokens are bought for the next one.
func (k *Core) missed(c *Call) {
	for i := range k.Budgets {
		if s := k.Budgets[i].stock; s != nil {
			s.missed = max(s.missed, c.costOf(i))
		}
	}
}

// Leave gives all tokens of the i-th budget back, since the scheduler is closed. It returns the last ask, if the
// store has ever answered.
func (k *Core) Leave(i int) (last bucket.Ask, ok bool) {
	b := &k.Budgets[i]
	b.stock.giveBackAll()
	b.stock.compose(0, 0, b.Configured)
	b.stock.ask.Leave = true
	return b.stock.ask, b.stock.epoch != ""
}

// nextOfShared returns when the next thing happens to a shared budget because of time alone.
func (k *Core) nextOfShared() time.Duration {
	at := bucket.Forever
	for i := range k.Budgets {
		if s := k.Budgets[i].stock; s != nil {
			at = min(at, s.lapsesAt(), s.awayAt(), s.aloneAt())
		}
	}
	return at
}

// passShared advances to the next instant at which a shared budget changes because of time alone, if that is not after
// until, and makes the change. It reports whether there was one.
func (k *Core) passShared(until time.Duration) bool {
	at := k.nextOfShared()
	if at > until || at == bucket.Forever {
		return false
	}
	k.pass(at)
	for i := range k.Budgets {
		b := &k.Budgets[i]
		s := b.stock
		if s == nil {
			continue
		}
		s.advance(k.Now)
		if s.lapsesAt() <= k.Now {
			s.lapse(k.Now)
		}
		if s.awayAt() <= k.Now {
			s.away = true
			k.emitOf(i, events.Event{Kind: events.StoreAway, Err: s.failure})
		}
		if s.aloneAt() <= k.Now {
			s.goOnAlone(b.Configured)
		}
	}
	return true
}

// StoreState is the state of the store of a shared budget, as far as this process knows.
type StoreState struct {
	Away      bool          // it has not answered since Since
	Since     time.Duration // with Away
	Failure   error         // of the latest attempt that has failed; nil if none has
	SellsFrom time.Duration // it sells nothing before that; it may have passed
	Sharers   int64         // how many processes share the budget; 0: not known
	Coming    int64         // tokens that this process has bought and that are not valid yet
	Exchanges uint64        // how many asks it has answered
}

// StoreOf returns the state of the store of the i-th budget.
func (k *Core) StoreOf(i int) StoreState {
	s := k.Budgets[i].stock
	return StoreState{s.away, s.silentSince, s.failure, s.sellsFrom, s.sharers, s.unspent() - s.here, s.exchanges}
}
