package scheduler

import (
	"time"

	"example.com/fairlead/events"
)

// leaser is the owner's side of the fast path. While calls of Do come often and none is queued, the
// owner leases the tokens of the budgets to them. The tokens stay in the buckets' account until they
// are taken.
//
// When the owner looks, it learns how many tokens were taken, and not when. It accounts for them as
// if they had been taken last, after all refill. So the account never has more than the exact
// bucket. It has less if the bucket ran full meanwhile, by at most the refill of one interval. For
// that reason the owner looks again when the bucket would be full, but not more often than every
// leaseInterval. If no token was taken by then, the lease ends, and no timer is set any more.
//
// While there is no lease, the calls that still run by the fast path tell the owner when they are
// over.
type leaser struct {
	active   bool
	left     uint64        // tokens in the word when the owner last looked
	taken    uint64        // the word's count then
	slots    uint64        // as in the lease
	used     bool          // tokens were taken since the lease was last renewed
	renewAt  time.Duration // when to look again
	arrived  time.Duration // when the latest call came that the fast path could have served
	arrivals int           // how many have come, each shortly after the one before
}

const (
	// leaseInterval is the least time between two renewals of a lease.
	leaseInterval = time.Millisecond

	// leaseArrivals calls, each within a leaseInterval of the one before, make the owner grant a
	// lease, if it has minLease tokens.
	leaseArrivals = 3
	minLease      = 16
)

// perCall has the kinds of events that each call has, even if it succeeds at once. While one of
// them is subscribed to, the owner has to know every call, and there is no lease.
var perCall = events.Of(events.Queued, events.Granted, events.Started, events.Succeeded)

// noteArrival counts a call that the fast path could have served.
func (l *leaser) noteArrival(now time.Duration) {
	if now-l.arrived > leaseInterval {
		l.arrivals = 0
	}
	l.arrivals++
	l.arrived = now
}

// look accounts for the tokens that were taken since the last look.
func (o *owner) look(now time.Duration) {
	if o.lease.active || o.core.inFast > 0 {
		o.account(now, o.s.fast.word.Load())
	}
}

func (o *owner) account(now time.Duration, word uint64) {
	l := &o.lease
	if !l.active {
		o.core.advance(now) // a slot that is free now was taken until now
	}
	o.core.inFast = int(inFlight(word))
	if tokens := l.left - word&fastTokens; tokens > 0 {
		o.core.tookFast(now, int64(tokens), (taken(word)-l.taken)%(1<<20))
		l.left -= tokens
		l.used = true
	}
	l.taken = taken(word)
}

// grantLease grants a lease if one is worth it, and tops up the one that there is.
func (o *owner) grantLease() {
	l, k, f := &o.lease, o.core, &o.s.fast
	slots := k.leasableSlots()
	if l.active && k.now < l.renewAt && slots == l.slots {
		return
	}
	more := min(k.budgets.least(), maxLease) - int64(l.left)
	if !l.active && (l.arrivals < leaseArrivals || more < minLease || slots == 0 || !k.leasable()) {
		return
	}
	add := uint64(max(more, 0))
	l.left += add
	if !l.active { // counts as a call, so that the word is not what it was in an earlier lease: see take
		l.taken = (l.taken + 1) % (1 << 20)
		add += fastTaken
	}
	f.lease.Store(&lease{taken: l.taken, lastID: k.lastID, since: k.now, slots: slots})
	f.word.And(^uint64(fastNotify))
	f.word.Add(add)
	l.active, l.slots = true, slots
	l.renewAt = max(k.budgets.full(), after(k.now, leaseInterval))
}

// revokeLease ends the lease. From then on only the owner takes tokens, and the calls in flight tell
// it when they are over.
func (o *owner) revokeLease(now time.Duration) {
	l, f := &o.lease, &o.s.fast
	if !l.active {
		return
	}
	f.word.Or(fastNotify) // first, so that the owner is told of every call that ends after its look
	o.account(now, f.word.And(^uint64(fastTokens)))
	if !l.used {
		l.arrivals = 0 // it was not worth it: the next lease needs new arrivals
	}
	l.active, l.left, l.used = false, 0, false
}

// renewLease ends a lease that no call has used since it was last renewed.
func (o *owner) renewLease(now time.Duration) {
	l := &o.lease
	if !l.active || now < l.renewAt {
		return
	}
	if l.used {
		l.used = false
	} else {
		o.revokeLease(now)
	}
}

// tryFast grants a call that has come to the owner from the lease, if there is one. So calls that
// come together don't end it for each other. A slot that is capped could be taken twice: such a call
// is the core's to grant.
func (o *owner) tryFast(now time.Duration, c *call) bool {
	o.lease.noteArrival(now)
	if !o.lease.active || o.s.fast.capped() {
		return false
	}
	w, l := o.s.fast.take(uint64(c.cost))
	if l == nil {
		return false
	}
	c.permit = l.permit(w)
	o.know(now, c)
	o.core.grantedFast(c)
	return true
}

// know makes a call known to the core if it has started by the fast path.
func (o *owner) know(now time.Duration, c *call) {
	if c.permit.lease == nil {
		return
	}
	o.look(now)
	o.core.advance(now)
	o.s.fast.release()
	c.id, c.rank = c.permit.number, o.core.rankAt(c, c.permit.lease.since)
	o.core.addFast(c, c.permit.lease.since)
	c.permit = permit{}
	c.leaveSlot()
}

// knowAll makes all calls with options known that run by the fast path.
func (o *owner) knowAll(now time.Duration) {
	o.revokeLease(now)
	if o.core.inFast > 0 {
		for _, c := range o.s.fastSlots.calls() {
			o.know(now, c)
		}
	}
}
