package scheduler

import (
	"time"

	"example.com/fairlead/scheduler/internal/core"
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
	cells    [maxCells]struct{ left, taken uint64 } // tokens in each word when the owner last looked, and its count
	inUse    int                                    // how many cells have ever had tokens
	slots    uint64                                 // as in the lease
	crowded  bool                                   // callers have clashed: several cells are worth it
	spread   bool                                   // the lease is spread over several cells
	used     bool                                   // tokens were taken since the lease was last renewed
	renewAt  time.Duration                          // when to look again
	arrived  time.Duration                          // when the latest call came that the fast path could have served
	arrivals int                                    // how many have come, each shortly after the one before
}

const (
	// leaseInterval is the least time between two renewals of a lease.
	leaseInterval = time.Millisecond

	// leaseArrivals calls, each within a leaseInterval of the one before, make the owner grant a
	// lease, if it has minLease tokens.
	leaseArrivals = 3
	minLease      = 16

	// manyClashes between two renewals make the owner spread the lease.
	manyClashes = 16
)

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
	if o.lease.active || o.core.InFast > 0 {
		o.account(now, func(c *fastCell) uint64 { return c.word.Load() })
	}
}

// account accounts for the tokens that are missing in the words that read returns.
func (o *owner) account(now time.Duration, read func(*fastCell) uint64) {
	l, k := &o.lease, o.core
	if !l.active {
		k.Advance(now) // a slot that is free now was taken until now
	}
	running := 0
	for i := range l.inUse {
		c := &l.cells[i]
		w := read(&o.s.fast.cells[i])
		running += int(inFlight(w))
		if tokens := c.left - w&fastTokens; tokens > 0 {
			calls := (taken(w) - c.taken) % (1 << 20)
			k.TookFast(now, int64(tokens), calls)
			if !l.spread {
				k.LastID += calls
			}
			c.left -= tokens
			l.used = true
		}
		c.taken = taken(w)
	}
	k.SetInFast(running)
}

// grantLease grants a lease if one is worth it, and tops up the one that there is.
func (o *owner) grantLease() {
	l, k := &o.lease, o.core
	slots := uint64(k.LeasableSlots(maxFast))
	if l.active && k.Now < l.renewAt && slots == l.slots {
		return
	}
	spread := o.wantsSpread(slots)
	if l.active && spread != l.spread {
		arrivals := l.arrivals
		o.revokeLease(k.Now)
		l.arrivals = arrivals
	}
	more := k.Budgets.Least() - l.left()
	if !l.active && (l.arrivals < leaseArrivals || more < minLease || slots == 0 || !k.Leasable() || len(o.idles) > 0) {
		return
	}
	n := 1
	if spread {
		n = maxCells
	}
	share := uint64(min(max(0, more)+l.left(), maxLease*int64(n))) / uint64(n)
	l.spread, l.inUse = spread, max(l.inUse, n)
	o.s.fast.mask.Store(uint32(n - 1))
	for i := range n {
		add := min(share-min(share, l.cells[i].left), uint64(max(0, more)))
		more -= int64(add)
		o.fill(i, add, slots)
	}
	l.active, l.slots = true, slots
	l.renewAt = max(k.Budgets.FullAt(), core.After(k.Now, leaseInterval))
	if k.HasQuotas {
		l.renewAt = min(l.renewAt, core.After(k.Now, wallInterval))
	}
}

// wantsSpread reports whether the next lease should have several cells: if callers clash, all cells
// can have minLease tokens, and there is no cap on the calls in flight, which takes a single word.
func (o *owner) wantsSpread(slots uint64) bool {
	l := &o.lease
	for i := range l.inUse {
		if o.s.fast.cells[i].clashes.Swap(0) > manyClashes {
			l.crowded = true
		}
	}
	return l.crowded && slots == maxFast && o.core.Budgets.Least() >= maxCells*minLease
}

// fill adds tokens to a cell, with a new lease.
func (o *owner) fill(i int, add, slots uint64) {
	l, k, c := &o.lease, o.core, &o.s.fast.cells[i]
	cell := &l.cells[i]
	cell.left += add
	if !l.active { // counts as a call, so that the word is not what it was in an earlier lease: see take
		cell.taken = (cell.taken + 1) % (1 << 20)
		add += fastTaken
	}
	c.lease.Store(&lease{cell: c, taken: cell.taken, lastID: k.LastID, since: k.Now, slots: slots, until: k.VoidAt(), read: o.s.read})
	if l.spread {
		k.LastID += cell.left // numbers for all calls that this cell can grant before it is filled again
	}
	c.word.And(^uint64(fastNotify))
	c.word.Add(add)
}

// left returns how many tokens are leased.
func (l *leaser) left() (tokens int64) {
	for i := range l.inUse {
		tokens += int64(l.cells[i].left)
	}
	return tokens
}

// revokeLease ends the lease. From then on only the owner takes tokens, and the calls in flight tell
// it when they are over.
func (o *owner) revokeLease(now time.Duration) {
	l := &o.lease
	if !l.active {
		return
	}
	o.account(now, func(c *fastCell) uint64 {
		c.word.Or(fastNotify) // first, so that the owner is told of every call that ends after its look
		return c.word.And(^uint64(fastTokens))
	})
	if !l.used { // it was not worth it: the next lease needs new arrivals
		l.arrivals, l.crowded = 0, false
	}
	for i := range l.inUse {
		l.cells[i].left = 0
	}
	l.active, l.used = false, false
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
	w, l := o.s.fast.take(uint64(c.Cost))
	if l == nil {
		return false
	}
	c.runner.permit, c.runner.began = l.permit(w), now
	o.know(now, c)
	o.core.GrantedFast(&c.Call)
	return true
}

// know makes a call known to the core if it has started by the fast path.
func (o *owner) know(now time.Duration, c *call) {
	if c.runner == nil || c.runner.permit.lease == nil {
		return
	}
	p := c.runner.permit
	o.look(now)
	o.core.Advance(now)
	p.lease.release()
	o.core.AddFast(&c.Call, p.number, p.lease.since, max(p.lease.since, c.runner.began))
	c.runner.permit.lease = nil
	c.leaveSlot()
}

// knowAll tells the core of all calls with options that run by the fast path.
func (o *owner) knowAll(now time.Duration) {
	o.revokeLease(now)
	if o.core.InFast > 0 {
		for _, c := range o.s.fastSlots.calls() {
			o.know(now, c)
		}
	}
}
