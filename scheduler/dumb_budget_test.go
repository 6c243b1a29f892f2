package scheduler

import (
	"math/big"
	"time"

	"example.com/fairlead/bucket"
)

// dumbBudget is a budget that is a whole number of any size.
type dumbBudget struct {
	limit       bucket.Limit
	refill, per *big.Int // the limit's, in lowest terms
	level       *big.Int // in tokens/per
	heldTill    time.Duration
	x, y, z     big.Int // room to reckon in
}

func newDumbBudget(l bucket.Limit) *dumbBudget {
	b := &dumbBudget{level: big.NewInt(l.Capacity)}
	b.setRate(l, 64)
	b.level.Mul(b.level, b.per)
	return b
}

// setRate sets a share, in 64ths, of the limit's rate.
func (b *dumbBudget) setRate(l bucket.Limit, share int) {
	part := shared(l, share)
	r := big.NewRat(part.Refill, int64(part.Per))
	b.limit, b.refill, b.per = l, new(big.Int).Set(r.Num()), new(big.Int).Set(r.Denom())
}

// come lets tokens come for a while.
func (b *dumbBudget) come(d time.Duration) {
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

// give puts tokens in, or takes them out.
func (b *dumbBudget) give(n int64) {
	b.x.SetInt64(n)
	b.level.Add(b.level, b.x.Mul(&b.x, b.per))
	b.cap()
}

// empty is what becomes of it when a server says to wait. A debt stays.
func (b *dumbBudget) empty() {
	if b.level.Sign() > 0 {
		b.level.SetInt64(0)
	} else { // but for the fraction of a token
		b.level.Sub(b.level, b.x.Mod(b.level, b.per))
	}
}

// cap takes off what the bucket can't hold: all but what came within the last
// nanosecond, short of a token.
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

// tokens is how many whole ones there are.
func (b *dumbBudget) tokens() int64 { return b.x.Div(b.level, b.per).Int64() }

// wait is how long it takes until there are n tokens.
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

// setLimit keeps the fraction of a token, rounded down to what the new rate can tell.
func (b *dumbBudget) setLimit(l bucket.Limit, share int) {
	whole, part := new(big.Int).DivMod(b.level, b.per, new(big.Int))
	old := b.per
	b.setRate(l, share)
	part.Mul(part, b.per).Div(part, old)
	b.level = whole.Mul(whole, b.per).Add(whole, part)
	b.cap()
}

// pass lets time pass in which nothing happens: tokens come, except while held or paused,
// and everybody spends the time on what they are at.
func (d *dumb) pass(to time.Duration) {
	from := d.now
	d.spend(to)
	for _, b := range d.budgets {
		b.come(d.came(b, from, to))
	}
}

// came returns for how much of the time tokens come, which they do not during a hold or a
// pause.
func (d *dumb) came(b *dumbBudget, from, to time.Duration) time.Duration {
	if d.pausedTill > 0 {
		return 0
	}
	return max(0, to-max(from, b.heldTill))
}

// heldTill returns until when no call is granted because a server said so.
func (d *dumb) heldTill() (latest time.Duration) {
	for _, b := range d.budgets {
		latest = max(latest, b.heldTill)
	}
	return latest
}

// spend records what each call spends the time on.
func (d *dumb) spend(to time.Duration) {
	if to <= d.now {
		return
	}
	free := min(max(d.now, d.heldTill()), to)
	if d.pausedTill > 0 {
		free = to
	}
	all, rest := to-d.now, to-free
	for _, c := range d.running {
		c.times.Run += all
	}
	for _, c := range d.backingOff {
		c.times.Backoff += all
	}
	for i, c := range d.queue {
		c.times.Hold += all - rest
		switch {
		case i > 0:
			c.times.Queue += rest
		case rest > 0:
			ready := to // with a slot it waits for tokens, or to be handed over
			if !d.hasSlot() {
				ready = min(d.ready(c.costs), to)
			}
			c.times.Tokens += ready - free
			c.times.Slot += to - ready
		}
	}
	d.now = to
}

// ready is the first instant at which the budgets have that many tokens.
func (d *dumb) ready(sum costs) time.Duration {
	start := d.now
	if d.pausedTill != bucket.Forever {
		start = max(start, d.pausedTill)
	}
	latest := start
	for i, b := range d.budgets {
		latest = max(latest, after(max(start, b.heldTill), b.wait(sum[i])))
	}
	return latest
}

// possible tells whether a call's costs can ever be granted.
func (d *dumb) possible(c *dumbCall) bool {
	for i, b := range d.budgets {
		if c.costs[i] < 0 || c.costs[i] > b.limit.Capacity {
			return false
		}
	}
	return true
}

// restart is what becomes of the budgets, and of nothing else, when a process ends and
// another starts a while later: of the fraction of a token, what came within the last
// whole nanosecond is lost.
func (d *dumb) restart(gap time.Duration) {
	d.setShare(64)
	for _, b := range d.budgets {
		b.heldTill = max(0, b.heldTill-d.now)
		part := b.y.Mod(b.level, b.per)
		b.level.Sub(b.level, b.z.Mod(part, b.refill))
	}
	d.now, d.pausedTill, d.earliest = 0, 0, 0
	d.queue, d.running, d.backingOff, d.draining = d.queue[:0], d.running[:0], d.backingOff[:0], false
	d.pass(gap)
	d.now = 0
	for _, b := range d.budgets {
		b.heldTill = max(0, b.heldTill-gap)
	}
}
