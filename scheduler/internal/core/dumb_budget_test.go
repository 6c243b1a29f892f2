package core

import (
	"math/big"
	"time"

	"example.com/fairlead/bucket"
)

// dumbBudget is a token bucket whose level is a whole number of any size.
type dumbBudget struct {
	limit       bucket.Limit
	refill, per *big.Int // the limit's, in lowest terms
	level       *big.Int // in tokens/per
	heldUntil   time.Duration
	quota       dumbQuota
	x, y, z     big.Int // scratch
}

func newDumbBudget(l bucket.Limit) *dumbBudget {
	b := &dumbBudget{level: big.NewInt(l.Capacity), quota: dumbQuota{origin: simOrigin}}
	b.setRate(l, 64)
	b.level.Mul(b.level, b.per)
	b.setReset(l.Reset, 0)
	return b
}

// setRate sets the limit, and a share of its rate in 64ths.
func (b *dumbBudget) setRate(l bucket.Limit, share int) {
	part := limitAtShare(l, share)
	if part.Reset != (bucket.Reset{}) {
		part.Refill, part.Per = 1, 1 // so that the level is in whole tokens
	}
	r := big.NewRat(part.Refill, int64(part.Per))
	b.limit, b.refill, b.per = l, new(big.Int).Set(r.Num()), new(big.Int).Set(r.Denom())
}

// refillFor adds the refill of a duration.
func (b *dumbBudget) refillFor(d time.Duration) {
	b.x.SetInt64(int64(d))
	b.level.Add(b.level, b.x.Mul(&b.x, b.refill))
	b.cap()
}

// late returns how long before its hand-over a grant may be dated.
func (b *dumbBudget) late() time.Duration {
	if b.limit.Strict {
		return 0
	}
	return 25 * time.Millisecond
}

// add adds n tokens, or takes them if n is negative.
func (b *dumbBudget) add(n int64) {
	b.x.SetInt64(n)
	b.level.Add(b.level, b.x.Mul(&b.x, b.per))
	b.cap()
}

// take takes n tokens at an instant, or adds them if n is negative.
func (b *dumbBudget) take(now time.Duration, n int64) {
	b.add(-n)
	b.changed(now)
}

// empty empties the bucket, as a server's wait does. A debt stays.
func (b *dumbBudget) empty() {
	if b.resets() {
		return
	}
	if b.level.Sign() > 0 {
		b.level.SetInt64(0)
	} else { // the fraction of a token is lost
		b.level.Sub(b.level, b.x.Mod(b.level, b.per))
	}
}

// cap removes what the bucket can't hold. It keeps what came within the last nanosecond, short of a
// token.
func (b *dumbBudget) cap() {
	slack := b.per
	if b.refill.Cmp(b.per) < 0 {
		slack = b.refill
	}
	full := b.x.Mul(b.y.SetInt64(b.limit.Capacity), b.per)
	full.Add(full, slack).Sub(full, b.y.SetInt64(1))
	if b.level.Cmp(full) > 0 {
		b.level.Set(full)
	}
}

// tokens returns the number of whole tokens.
func (b *dumbBudget) tokens() int64 { return b.x.Div(b.level, b.per).Int64() }

// wait returns how long it takes until there are n tokens.
func (b *dumbBudget) wait(n int64) time.Duration {
	missing := b.x.Mul(b.x.SetInt64(n), b.per)
	missing.Sub(missing, b.level)
	if missing.Sign() <= 0 {
		return 0
	}
	wait, rest := b.y.QuoRem(missing, b.refill, &b.z)
	if rest.Sign() > 0 {
		wait.Add(wait, b.z.SetInt64(1))
	}
	if !wait.IsInt64() {
		return bucket.Forever
	}
	return time.Duration(wait.Int64())
}

// setLimit keeps the fraction of a token, rounded down to a unit of the new rate.
func (b *dumbBudget) setLimit(l bucket.Limit, share int, now time.Duration) {
	whole, part := new(big.Int).DivMod(b.level, b.per, new(big.Int))
	old := b.per
	b.setRate(l, share)
	part.Mul(part, b.per).Div(part, old)
	b.level = whole.Mul(whole, b.per).Add(whole, part)
	b.cap()
	b.setReset(l.Reset, now)
}

// passTime lets time pass in which nothing happens. Budgets refill, and each call's times are
// recorded.
func (d *dumb) passTime(to time.Duration) {
	from := d.now
	d.recordTimes(to)
	for _, b := range d.budgets {
		b.refillFor(d.refillTime(b, from, to))
		b.reset(to)
	}
	for _, l := range d.lanes {
		for _, b := range l.own {
			b.refillFor(d.ownRefillTime(l, b, from, to))
		}
	}
}

// ownRefillTime is refillTime for a budget of a lane.
func (d *dumb) ownRefillTime(l *dumbLane, b *dumbBudget, from, to time.Duration) time.Duration {
	return d.refillTime(b, max(from, l.pausedUntil), to)
}

// refillTime returns how much of the time a budget refills, which is not during a hold or a pause.
func (d *dumb) refillTime(b *dumbBudget, from, to time.Duration) time.Duration {
	if d.pausedUntil > 0 || b.resets() {
		return 0
	}
	return max(0, to-max(from, b.heldUntil))
}

// heldUntil returns the end of the longest hold.
func (d *dumb) heldUntil() (latest time.Duration) {
	for _, b := range d.budgets {
		latest = max(latest, b.heldUntil)
	}
	return latest
}

// recordTimes adds the time to the parts of each call's Times.
func (d *dumb) recordTimes(to time.Duration) {
	if to <= d.now {
		return
	}
	free := min(max(d.now, d.heldUntil()), to)
	if d.pausedUntil > 0 {
		free = to
	}
	all, rest := to-d.now, to-free
	for _, c := range d.running {
		c.times.Run += all
	}
	for _, c := range d.backingOff {
		c.times.Backoff += all
	}
	for _, c := range d.later {
		c.times.Later += all
	}
	chosen := d.chosen()
	for _, c := range d.queue {
		c.times.Hold += all - rest
		first := d.headOf(c.lane) == c
		switch is := c.lane.condition; {
		case is == onHold:
			c.times.Hold += rest
		case !first:
			c.times.Queue += rest
		case is == lacksTokens:
			c.times.Tokens += rest
		case is == lacksSlot:
			c.times.Slot += rest
		case c.lane != chosen:
			c.times.Queue += rest
			c.times.Turn += rest
		case rest > 0:
			ready := to // with a slot it waits for tokens, or for the hand-over
			if !d.hasSlot() {
				ready = min(d.ready(c.costs), to)
			}
			c.times.Tokens += ready - free
			c.times.Slot += to - ready
		}
	}
	d.now = to
}

// ready returns the first instant at which the budgets have these tokens.
func (d *dumb) ready(sum Costs) time.Duration {
	start := d.now
	if d.pausedUntil != bucket.Forever {
		start = max(start, d.pausedUntil)
	}
	latest := start
	for i, b := range d.budgets {
		if b.resets() {
			latest = max(latest, b.readyFrom(max(start, b.heldUntil), sum[i]))
		} else {
			latest = max(latest, After(max(start, b.heldUntil), b.wait(sum[i])))
		}
	}
	return latest
}

// readyIn returns the first instant at which a lane has these tokens, of its own budgets and of those of all.
func (d *dumb) readyIn(l *dumbLane, sum Costs) time.Duration {
	latest := max(d.ready(sum), l.heldUntil)
	start := d.now
	if l.pausedUntil != bucket.Forever {
		latest, start = max(latest, l.pausedUntil), max(start, l.pausedUntil)
	}
	if d.pausedUntil != bucket.Forever {
		start = max(start, d.pausedUntil)
	}
	for i, b := range l.own {
		latest = max(latest, After(max(start, b.heldUntil), b.wait(sum[len(d.budgets)+i])))
	}
	return latest
}

// possible reports whether no cost of a call is negative or above the capacity.
func (d *dumb) possible(c *dumbCall) bool {
	for i, b := range d.allBudgets(c.lane) {
		if c.costs[i] < 0 || c.costs[i] > b.limit.Capacity {
			return false
		}
	}
	return true
}

// restart keeps the budgets and removes everything else, as when a process ends and another starts
// later. Of the fraction of a token, what came within the last whole nanosecond is lost.
func (d *dumb) restart(gap time.Duration) {
	d.setShare(64)
	for _, b := range d.budgets {
		b.heldUntil = max(0, b.heldUntil-d.now)
		part := b.y.Mod(b.level, b.per)
		b.level.Sub(b.level, b.z.Mod(part, b.refill))
		b.quota.restart(d.now)
	}
	d.now, d.pausedUntil, d.earliest = 0, 0, 0
	d.queue, d.running, d.backingOff, d.later, d.draining = d.queue[:0], d.running[:0], d.backingOff[:0], d.later[:0], false
	d.lanes = nil
	d.passTime(gap)
	d.now = 0
	for _, b := range d.budgets {
		b.heldUntil = max(0, b.heldUntil-gap)
	}
}
