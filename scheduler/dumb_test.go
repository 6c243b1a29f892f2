package scheduler

import (
	"cmp"
	"math/big"
	"slices"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/events"
)

// dumb is the core as one would explain it: one list of calls, searched from the
// start each time, and a budget that is a fraction of any precision.
type dumb struct {
	limit    bucket.Limit
	step     time.Duration
	slots    int
	room     int
	overflow Overflow

	now        time.Duration
	level      *big.Rat
	heldTill   time.Duration
	pausedTill time.Duration // 0: not paused
	calls      []*dumbCall   // in order of arrival
	grants     []grant
}

type dumbCall struct {
	call     *call // the core's, to be compared with
	id       uint64
	cost     int64
	priority int
	deadline time.Duration
	asks     bool // its caller waits outside if it must
	arrived  time.Duration
	rank     time.Duration

	state   state
	outside bool
	due     time.Duration
	attempt int
	end     events.Kind
	times   events.Times
}

// grant is who was granted when.
type grant struct {
	id uint64
	at time.Duration
}

func (d *dumb) rate() *big.Rat { return big.NewRat(d.limit.Refill, int64(d.limit.Per)) }

// pass lets time pass in which nothing happens: tokens come, except while held or paused,
// and everybody spends the time on what they are at.
func (d *dumb) pass(to time.Duration) {
	if to <= d.now {
		return
	}
	free := min(max(d.now, d.heldTill), to)
	if d.pausedTill > 0 {
		free = to
	}
	for _, c := range d.calls {
		all, rest := to-d.now, to-free
		switch c.state {
		case running:
			c.times.Run += all
		case backingOff:
			c.times.Backoff += all
		case queued:
			c.times.Hold += all - rest
			if c != d.queue()[0] {
				c.times.Queue += rest
			} else if rest > 0 {
				ready := min(d.ready(c.cost), to)
				c.times.Tokens += ready - free
				c.times.Slot += to - ready
			}
		}
	}
	gain := new(big.Rat).SetInt64(int64(to - free))
	d.level.Add(d.level, gain.Mul(gain, d.rate()))
	d.cap()
	d.now = to
}

// cap takes off what the bucket can't hold: all but what came within the last
// nanosecond, short of a token.
func (d *dumb) cap() {
	rate := d.rate()
	slack := big.NewRat(min(rate.Num().Int64(), rate.Denom().Int64())-1, rate.Denom().Int64())
	full := slack.Add(slack, new(big.Rat).SetInt64(d.limit.Capacity))
	if d.level.Cmp(full) > 0 {
		d.level = full
	}
}

// ready is the first instant at which the budget has n tokens.
func (d *dumb) ready(n int64) time.Duration {
	start := max(d.now, d.heldTill)
	if d.pausedTill != bucket.Forever {
		start = max(start, d.pausedTill)
	}
	missing := new(big.Rat).Sub(new(big.Rat).SetInt64(n), d.level)
	if missing.Sign() <= 0 {
		return start
	}
	wait := missing.Quo(missing, d.rate())
	q, r := new(big.Int).QuoRem(wait.Num(), wait.Denom(), new(big.Int))
	if r.Sign() > 0 {
		q.Add(q, big.NewInt(1))
	}
	return start + time.Duration(q.Int64())
}

func (d *dumb) in(s state) (list []*dumbCall) {
	for _, c := range d.calls {
		if c.state == s {
			list = append(list, c)
		}
	}
	return list
}

// queue is who is queued, in order.
func (d *dumb) queue() []*dumbCall {
	list := d.in(queued)
	slices.SortStableFunc(list, func(a, b *dumbCall) int { return cmp.Compare(a.rank, b.rank) })
	return list
}

// fresh is who is queued, was never granted, and is let in.
func (d *dumb) fresh() (list []*dumbCall) {
	for _, c := range d.queue() {
		if c.attempt == 0 && !c.outside {
			list = append(list, c)
		}
	}
	return list
}

func (d *dumb) hasSlot() bool { return d.slots == 0 || len(d.in(running)) < d.slots }

// advance is the rules: whoever's backoff is over queues, in the order in which they
// are over; the first of the queue is granted when it can pay and there is a slot;
// a pause ends. Nothing else ever happens by itself.
func (d *dumb) advance(t require.TestingT, now time.Duration) {
	for {
		next, at := func() {}, bucket.Forever
		if queue := d.queue(); len(queue) > 0 && d.hasSlot() && d.pausedTill == 0 {
			at = d.ready(queue[0].cost)
			next = func() { d.grant(t, queue[0]) }
		}
		waiting := d.in(backingOff)
		slices.SortStableFunc(waiting, func(a, b *dumbCall) int { return cmp.Compare(a.rank, b.rank) })
		slices.SortStableFunc(waiting, func(a, b *dumbCall) int { return cmp.Compare(a.due, b.due) })
		if len(waiting) > 0 && waiting[0].due <= at {
			at = waiting[0].due
			next = func() { d.requeue(waiting[0]) }
		}
		if d.pausedTill > 0 && d.pausedTill <= at {
			at = d.pausedTill
			next = d.resume
		}
		if at > now || at == bucket.Forever {
			break
		}
		d.pass(at)
		next()
		d.letIn()
	}
	d.pass(now)
}

// grant lets a call run. Here is the bound: those that it overtakes came little before it.
func (d *dumb) grant(t require.TestingT, c *dumbCall) {
	for _, other := range d.queue() {
		if other.id < c.id {
			require.Less(t, c.arrived-other.arrived, time.Duration(c.priority-other.priority)*d.step, "call %d overtakes call %d", c.id, other.id)
		}
	}
	d.level.Sub(d.level, new(big.Rat).SetInt64(c.cost))
	c.state, c.outside = running, false
	c.attempt++
	d.grants = append(d.grants, grant{c.id, d.now})
}

func (d *dumb) requeue(c *dumbCall) {
	c.state = queued
	switch {
	case c.cost > d.limit.Capacity:
		d.over(c, events.Failed)
	case d.late(c):
		d.over(c, events.Cancelled)
	}
}

func (d *dumb) over(c *dumbCall, kind events.Kind) { c.state, c.end, c.outside = ended, kind, false }

// estimate is a call's place, were it queued, and when its turn would come.
func (d *dumb) estimate(c *dumbCall) (position int, at time.Duration) {
	cost := c.cost
	position = 1
	for _, other := range d.queue() {
		if other.rank < c.rank || other.rank == c.rank && other.id < c.id {
			position++
			cost += other.cost
		}
	}
	return position, d.ready(cost)
}

func (d *dumb) late(c *dumbCall) bool {
	_, at := d.estimate(c)
	return at > c.deadline
}

func (d *dumb) startsAtOnce(c *dumbCall) bool {
	position, at := d.estimate(c)
	return position == 1 && at == d.now && d.hasSlot() && d.pausedTill == 0
}

func (d *dumb) submit(t require.TestingT, c *dumbCall) {
	refused := false
	full := d.room > 0 && len(d.fresh()) >= d.room && !d.startsAtOnce(c)
	switch {
	case c.cost > d.limit.Capacity, c.call.noWait && !d.startsAtOnce(c), d.late(c):
		refused = true
	case full && d.overflow == RefuseNew:
		refused = true
	case full && d.overflow == DropLowest:
		fresh := d.fresh()
		last := fresh[len(fresh)-1]
		if refused = last.rank <= c.rank; !refused {
			d.over(last, events.Dropped)
		}
	case full:
		c.outside = c.asks
	}
	if refused {
		d.over(c, events.Refused)
		return
	}
	c.state = queued
	d.calls = append(d.calls, c)
	d.advance(t, d.now)
}

// letIn lets in from outside, in order of arrival.
func (d *dumb) letIn() {
	for _, c := range d.calls {
		if c.outside && (d.room == 0 || len(d.fresh()) < d.room) {
			c.outside = false
		}
	}
}

func (d *dumb) hold(until time.Duration) {
	if until <= max(d.now, d.heldTill) {
		return
	}
	if d.level.Sign() > 0 {
		d.level = new(big.Rat)
	}
	d.heldTill = until
	d.replan()
}

func (d *dumb) resume() {
	d.pausedTill = 0
	d.replan()
}

func (d *dumb) replan() {
	for _, c := range d.queue() {
		if d.late(c) {
			d.over(c, events.Cancelled)
		}
	}
}

func (d *dumb) setLimit(l bucket.Limit) {
	whole := new(big.Int).Div(d.level.Num(), d.level.Denom())
	units := new(big.Rat).Sub(d.level, new(big.Rat).SetInt(whole))
	d.limit = l
	// The fraction of a token is kept, rounded down to what the new rate can tell.
	per := new(big.Rat).SetInt(d.rate().Denom())
	units.Mul(units, per)
	floor := new(big.Rat).SetInt(new(big.Int).Div(units.Num(), units.Denom()))
	d.level = floor.Quo(floor, per).Add(floor, new(big.Rat).SetInt(whole))
	d.cap()
	for _, c := range d.queue() {
		if c.cost > l.Capacity {
			d.over(c, events.Failed)
		}
	}
	d.replan()
}
