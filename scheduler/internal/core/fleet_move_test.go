package core

import (
	"math/rand/v2"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry"
)

// fleetProfile says which fleet a run has, and what happens to it.
type fleetProfile struct {
	procs          int
	rate, capacity int64
	cost           int64 // calls cost 1 to cost
	width          int   // of a process that floods: how many calls it has queued
	ahead          time.Duration
	alone          int64 // ShareWhenAway
	slots          int
	latency        time.Duration // of a message, on average
	late           time.Duration // how late timers are at most
	ppm            int64
	length         time.Duration
	pace           time.Duration // how often faults and moves come

	mixed  bool // not all processes flood
	local  bool // there is a second budget, which is not shared
	keys   bool
	faults bool
	moves  bool // users pause, cancel, observe, …
	limits bool // users change the limit
	fates  bool // calls fail, are abandoned, or settled
}

func drawFleet(rnd *rand.Rand) fleetProfile {
	either := func() bool { return rnd.IntN(2) == 0 }
	p := fleetProfile{
		procs: 1 + rnd.IntN(8), rate: []int64{1, 3, 10, 30, 100, 1000}[min(rnd.IntN(6), rnd.IntN(6))],
		latency: time.Duration(100+rnd.IntN(5000)) * time.Microsecond, late: time.Duration(rnd.IntN(2)) * time.Millisecond,
		ppm: []int64{0, 50, 200}[rnd.IntN(3)], length: time.Duration(20+rnd.IntN(40)) * time.Second,
		pace: time.Duration(500+rnd.IntN(3000)) * time.Millisecond, mixed: either(), local: rnd.IntN(4) == 0, keys: rnd.IntN(4) == 0,
		faults: rnd.IntN(4) > 0, moves: either(), limits: rnd.IntN(4) == 0, fates: either(),
	}
	p.capacity = []int64{1 << 30, 1 << 30, 1, 10, p.rate * 5}[rnd.IntN(5)]
	p.cost = min(p.capacity, []int64{1, 1, 5}[rnd.IntN(3)])
	p.width = 1 + rnd.IntN(int(max(2, min(50, p.rate))))
	if either() {
		p.ahead = time.Duration(50+rnd.IntN(950)) * time.Millisecond
	}
	if rnd.IntN(4) == 0 {
		p.alone = int64(p.procs)
	}
	if either() {
		p.slots = 1 + rnd.IntN(5)
	}
	return p
}

// submit submits a call.
func (p *fleetProc) submit(now time.Duration) {
	f := p.f
	if f.calm || p.dead {
		return
	}
	c := &Call{Cost: 1, Deadline: bucket.Forever}
	if f.p.cost > 1 {
		c.Cost += f.rnd.Int64N(f.p.cost)
	}
	if f.p.keys && f.rnd.IntN(3) > 0 {
		c.SetKey([]string{"a", "b"}[f.rnd.IntN(2)], 1)
	}
	p.k.Submit(now, c)
}

// comeLater makes calls come.
func (p *fleetProc) comeLater() {
	f, n := p.f, 1
	mean := 2 * time.Second * time.Duration(f.p.procs*int(f.p.cost)) / time.Duration(f.p.rate)
	if p.demand == bursts {
		n = 1 + f.rnd.IntN(2*p.width)
		mean *= time.Duration(n)
	}
	f.at(f.soon(mean), func() {
		if f.calm || p.dead {
			return
		}
		p.turn(func(now time.Duration) {
			for range n {
				p.submit(now)
			}
		})
		p.comeLater()
	})
}

// deliver does what becomes of calls that were granted.
func (p *fleetProc) deliver(now time.Duration) {
	k := p.k
	for n := 0; n < len(k.Effects.Granted); n++ {
		c := k.Effects.Granted[n]
		p.f.notef("%s is granted %d for call %d", p.name, c.Cost, c.ID)
		p.f.check.grantedOne(p, c)
		if p.dead {
			continue
		}
		if p.demand == floods {
			p.submit(now)
		}
		p.decide(now, c)
	}
	k.Effects.Clear()
}

// decide decides what becomes of a call that was granted.
func (p *fleetProc) decide(now time.Duration, c *Call) {
	f := p.f
	if f.p.slots > 0 && f.rnd.IntN(4) > 0 { // it runs for a while
		f.at(f.soon(50*time.Millisecond), func() { p.turn(func(now time.Duration) { p.over(now, c) }) })
		return
	}
	if f.p.fates && f.rnd.IntN(50) == 0 { // for long
		f.at(f.soon(5*time.Second), func() { p.turn(func(now time.Duration) { p.over(now, c) }) })
		return
	}
	p.over(now, c)
}

// over ends the attempt of a call.
func (p *fleetProc) over(now time.Duration, c *Call) {
	k, f := p.k, p.f
	if c.State != Running {
		return
	}
	if !f.p.fates || f.calm {
		k.Finish(now, c, nil, retry.Verdict{})
		return
	}
	switch f.rnd.IntN(40) {
	case 0, 1:
		k.Abandon(now, c, errGaveUp)
		return
	case 2, 3:
		p.settle(now, c, f.rnd.Int64N(c.Cost+1))
	case 4:
		p.settle(now, c, c.Cost+f.rnd.Int64N(2*f.p.cost))
	case 5:
		k.Finish(now, c, errFailed, retry.Verdict{Kind: retry.KindTransient})
		return
	case 6:
		if f.rnd.IntN(10) == 0 {
			k.Finish(now, c, errFailed, retry.Verdict{Kind: retry.KindRateLimited, Wait: time.Duration(f.rnd.Int64N(int64(2 * time.Second)))})
			return
		}
	}
	k.Finish(now, c, nil, retry.Verdict{})
}

// settle settles the cost of a call.
func (p *fleetProc) settle(now time.Duration, c *Call, tokens int64) {
	b := &p.k.Budgets[p.i]
	p.k.Advance(now)
	if more := tokens - c.Cost; more > 0 {
		p.f.check.spent(p, now, min(more, b.stock.here))
	}
	p.k.SettleCost(now, c, int(c.Attempts), p.i, tokens)
}

// moveLater makes the users of a process do something, again and again.
func (p *fleetProc) moveLater() {
	f := p.f
	f.at(f.soon(f.p.pace), func() {
		if f.calm || p.dead {
			return
		}
		p.turn(p.move)
		p.moveLater()
	})
}

// move does something that users do.
func (p *fleetProc) move(now time.Duration) {
	f, k := p.f, p.k
	if f.calm {
		return
	}
	switch f.rnd.IntN(8) {
	case 0:
		k.Pause(now, now+time.Duration(f.rnd.Int64N(int64(3*time.Second))))
	case 1:
		k.Resume(now)
	case 2:
		k.SetMaxInFlight(now, f.rnd.IntN(4))
	case 3:
		k.Observe(now, p.i, f.rnd.Int64N(2*f.p.rate))
	case 4:
		p.cancel(now)
	case 5:
		if f.p.limits {
			l := f.p.limit()
			l.Refill = max(1, l.Refill*(1+f.rnd.Int64N(4))/2)
			if err := k.SetLimit(now, p.i, l); err != nil {
				panic(err)
			}
		}
	case 6:
		k.Hint(now, p.i)
	default:
		for range f.rnd.IntN(10) {
			p.submit(now)
		}
	}
}

// cancel cancels a queued call.
func (p *fleetProc) cancel(now time.Duration) {
	open := p.k.Unfinished(now)
	if len(open) > 0 {
		if c := open[p.f.rnd.IntN(len(open))]; c.State == Queued {
			p.k.Cancel(now, c, errGaveUp)
			if p.demand == floods {
				p.submit(now)
			}
		}
	}
}
