package core

import (
	"fmt"
	"math"
	"time"

	"example.com/fairlead/bucket"
)

// fleetCheck checks what a fleet does.
type fleetCheck struct {
	f         *fleet
	began     bool
	at        time.Duration // of what follows
	allowed   float64       // tokens that may have been granted, besides what processes alone may
	rate      float64       // tokens a nanosecond
	level     int64         // of the store after the latest exchange
	ahead     float64       // tokens that were sold and come later, at most
	epoch     string
	seqs      map[string]uint64 // of the latest ask of each process in this epoch
	resets    int
	granted   int64   // tokens granted, less those that came back
	window    float64 // how far a bucket would be emptied by what was granted
	windowAt  time.Duration
	most      float64 // the most that window was
	least     float64 // the least of allowed, less granted
	alone     map[*fleetProc]*fleetAlone
	calmUntil time.Duration
	calls     uint64 // granted
}

// fleetAlone has what a process was granted since it has gone on alone.
type fleetAlone struct {
	since   time.Duration
	granted int64
}

func (c *fleetCheck) begin(f *fleet) {
	*c = fleetCheck{f: f, least: math.Inf(1), alone: map[*fleetProc]*fleetAlone{}}
}

// pass adds what may be granted up to now.
func (c *fleetCheck) pass() {
	if now := c.f.now; c.began && now > c.at {
		c.allowed += float64(now-c.at) * c.rate
		c.ahead = max(0, c.ahead-float64(now-c.at)*c.rate)
		c.at = now
	}
}

// exchanged notes what the store has answered.
func (c *fleetCheck) exchanged(ask bucket.Ask, a bucket.Answer) {
	if a.Epoch == c.epoch && c.seqs[ask.Process] == ask.Seq {
		return // an answer that it has given before
	}
	if !c.began {
		c.began, c.at = true, c.f.now.Truncate(time.Microsecond)+bucket.LearnTime
	}
	c.pass()
	rate := float64(a.Refill) / float64(a.Per) / 1000
	if c.rate > rate { // what was sold ahead comes by the old rate
		c.allowed += c.ahead * (1 - rate/c.rate)
	}
	if c.rate = rate; c.epoch != a.Epoch {
		c.resets++
		c.seqs = map[string]uint64{}
	}
	c.seqs[ask.Process] = max(ask.Seq, c.seqs[ask.Process])
	c.level, c.epoch = a.Level-a.Tokens, a.Epoch
	c.ahead = max(c.ahead, float64(-c.level))
}

// grantedOne checks F3, the bound, at a grant.
func (c *fleetCheck) grantedOne(p *fleetProc, call *Call) {
	c.calls++
	p.granted += call.costOf(p.i)
	c.spent(p, call.detail.granted, call.costOf(p.i))
}

// spent checks that tokens may be spent at an instant of the process, which may have passed.
func (c *fleetCheck) spent(p *fleetProc, at time.Duration, n int64) {
	if n == 0 {
		return
	}
	f, s := c.f, p.k.Budgets[p.i].stock
	if since := max(s.fence, After(s.silentSince, awayTime)); s.own != nil && at > since {
		a := c.alone[p]
		if a == nil || a.since != since {
			a = &fleetAlone{since: since}
			c.alone[p] = a
		}
		a.granted += n
		most := float64(s.at-a.since)*float64(s.own.Limit().Refill)/float64(s.own.Limit().Per) + 1e-6
		f.must(f.p.fates || f.p.limits || a.granted <= int64(most), "F14: a process alone keeps its part of the rate", p.name, a.granted, most)
		c.allowed += float64(n)
	}
	c.pass()
	c.cameBack(p)
	c.granted += n
	c.least = min(c.least, c.allowed-float64(c.granted))
	f.must(float64(c.granted) <= math.Floor(c.allowed+1e-6), "F3: no more is granted than the rate allows", p.name, ": granted ", c.granted, ", allowed ", c.allowed)
	c.checkWindow(float64(n))
}

// checkWindow checks F10, what any window of time gets.
func (c *fleetCheck) checkWindow(n float64) {
	f, p := c.f, &c.f.p
	c.window = max(0, c.window-float64(f.now-c.windowAt)*c.rate) + n
	c.windowAt = f.now
	c.most = max(c.most, c.window)
	if p.fates || p.limits || p.alone > 0 {
		return
	}
	ahead := p.ahead
	if ahead == 0 {
		ahead = bucket.MaxAhead
	}
	most := float64(p.capacity) + c.rate*float64(ahead+lapseTime+bucket.Grace) + float64(int64(f.made)*p.cost) // each may hold the tokens of a call
	f.must(c.window <= most, "F10: no window gets more than the capacity and the rate", c.window, " of ", most)
}

// turned checks what holds after every turn.
func (c *fleetCheck) turned(p *fleetProc) {
	f, b := c.f, &p.k.Budgets[p.i]
	s, l := b.stock, b.Ledger()
	f.must(l.Initial+l.Refilled+l.Refunded+l.Adjusted == l.Spent+s.here, "the ledger balances", fmt.Sprintf("%+v %d", l, s.here))
	here := int64(0)
	for i := range s.purchases {
		u := &s.purchases[i]
		f.must(0 <= u.spent && u.spent <= u.valid && u.valid <= u.tokens, "no token is spent before it is valid")
		here += u.valid - u.spent
	}
	if s.own == nil {
		f.must(here == s.here, "what is here is what purchases have", here, s.here)
	}
	c.cameBack(p)
}

// cameBack counts what calls of a process have given back.
func (c *fleetCheck) cameBack(p *fleetProc) {
	l := p.k.Budgets[p.i].Ledger()
	c.granted -= l.Refunded - p.refunded
	p.refunded = l.Refunded
}

// calmTime returns how long a run goes on after its last fault.
func (c *fleetCheck) calmTime() time.Duration { return time.Hour }

// calmed computes by when all queued calls have to be granted.
func (c *fleetCheck) calmed() {
	f := c.f
	need, held := float64(max(0, -c.level)), time.Duration(0)
	for _, p := range f.procs {
		for _, call := range p.k.Unfinished(p.k.Now) {
			need += float64(call.Cost) * 3 // it may fail twice
		}
		held = max(held, p.k.HeldUntil()-p.k.Now)
	}
	rate := max(c.rate, float64(1)/float64(time.Second))
	if f.p.limits {
		rate = float64(1) / float64(time.Second)
	}
	if f.p.local {
		rate = min(rate, float64(max(1, f.p.rate/3))/float64(time.Second))
	}
	c.calmUntil = f.now + time.Duration(need/rate*1.1) + held + 20*time.Second
	f.at(c.calmUntil, c.atEnd)
}

// atEnd checks that all calls were granted once nothing went wrong any more.
func (c *fleetCheck) atEnd() {
	f := c.f
	for _, p := range f.procs {
		left := p.k.queued + len(p.k.backoff)
		f.must(left == 0, "every call is granted once nothing goes wrong any more", p.name, " has ", p.k.queued, " and ", len(p.k.backoff), fmt.Sprintf(" that back off until %v: %+v", p.k.backoff.next(), *p.k.Budgets[p.i].stock))
	}
}
