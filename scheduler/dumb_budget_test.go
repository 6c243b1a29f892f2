package scheduler

import (
	"math/big"
	"time"

	"example.com/fairlead/bucket"
)

func (d *dumb) setRate(l bucket.Limit) {
	r := big.NewRat(l.Refill, int64(l.Per))
	d.limit, d.refill, d.per = l, new(big.Int).Set(r.Num()), new(big.Int).Set(r.Denom())
}

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
			ready := min(d.ready(c.cost), to)
			c.times.Tokens += ready - free
			c.times.Slot += to - ready
		}
	}
	d.x.SetInt64(int64(rest))
	d.level.Add(d.level, d.x.Mul(&d.x, d.refill))
	d.cap()
	d.now = to
}

// cap takes off what the bucket can't hold: all but what came within the last
// nanosecond, short of a token.
func (d *dumb) cap() {
	slack := d.per
	if d.refill.Cmp(d.per) < 0 {
		slack = d.refill
	}
	full := d.x.Mul(d.y.SetInt64(d.limit.Capacity), d.per)
	full.Add(full, slack).Sub(full, d.y.SetInt64(1))
	if d.level.Cmp(full) > 0 {
		d.level.Set(full)
	}
}

// tokens is how many whole ones there are.
func (d *dumb) tokens() int64 { return d.x.Div(d.level, d.per).Int64() }

// ready is the first instant at which the budget has n tokens.
func (d *dumb) ready(n int64) time.Duration {
	start := max(d.now, d.heldTill)
	if d.pausedTill != bucket.Forever {
		start = max(start, d.pausedTill)
	}
	missing := d.x.Mul(d.x.SetInt64(n), d.per)
	missing.Sub(missing, d.level)
	if missing.Sign() <= 0 {
		return start
	}
	wait, rest := d.y.QuoRem(missing, d.refill, &d.z)
	if rest.Sign() > 0 {
		wait.Add(wait, d.z.SetInt64(1))
	}
	if !wait.IsInt64() {
		return bucket.Forever
	}
	return after(start, time.Duration(wait.Int64()))
}

// restart is what becomes of the budget, and of nothing else, when a process ends and
// another starts a while later: of the fraction of a token, what came within the last
// whole nanosecond is lost.
func (d *dumb) restart(gap time.Duration) {
	part := d.y.Mod(d.level, d.per)
	d.level.Sub(d.level, d.z.Mod(part, d.refill))
	held := max(0, d.heldTill-d.now)
	d.now, d.heldTill, d.pausedTill = 0, held, 0
	d.queue, d.running, d.backingOff, d.draining = d.queue[:0], d.running[:0], d.backingOff[:0], false
	d.pass(gap)
	d.now, d.heldTill = 0, max(0, held-gap)
}
