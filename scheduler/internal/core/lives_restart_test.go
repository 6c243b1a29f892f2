package core

import (
	"math/rand/v2"
	"slices"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry"
)

// pauseLife does what a restart does. In a life without restarts it ends the calls that are late, since a call is
// looked at again when it is resumed.
func (l *livedCore) pauseLife() {
	if l.again {
		l.restart()
		return
	}
	for _, c := range l.k.Unfinished(l.now - l.origin) {
		if c.State == Running || c.State == Ended { // since another has left
			continue
		}
		if wait, late := l.k.late(c); late && c.State != BackingOff {
			l.k.leave(c)
			l.k.endTooLate(c, wait)
			l.take()
			l.k.advanceNow()
			l.take()
		}
	}
	l.finish()
}

// restart makes another core go on with the calls of this one. Their instants become times of the wall clock and then
// instants of the new core, as those of a report do.
func (l *livedCore) restart() {
	old, at := l.k, l.now-l.origin
	open := old.Unfinished(at)
	l.take() // nothing was due
	cfg := l.cfg
	cfg.Levels = map[string]bucket.State{}
	for i := range old.Budgets {
		cfg.Levels[old.Budgets[i].Name] = old.LevelOf(i)
	}
	if len(l.restarted) < len(l.clock) {
		l.set += l.clock[len(l.restarted)]
	}
	l.restarted = append(l.restarted, l.now)
	cfg.LastID = old.LastID
	l.k = l.newCore(cfg)
	if l.pause > l.now {
		l.k.Pause(0, l.pauseEnds())
	}
	for _, c := range open {
		l.resume(old, c)
	}
	l.checkRestart(open)
	l.finish()
}

// resume takes up a call of an earlier core.
func (l *livedCore) resume(old *Core, c *Call) {
	i := c.Work.(int)
	again := l.newCall(i)
	then := func(at time.Duration) time.Duration { return old.Time(at).Sub(l.k.origin) }
	p := Past{
		State: c.State, Number: c.ID, Attempts: c.Attempts, Paid: c.Paid(), Err: c.LastErr(), Began: bucket.Forever,
		Arrived: Arrived(then(c.Rank), c.Priority(), l.k.step),
	}
	if at, known := c.Began(); known {
		p.Began = then(at)
	}
	switch {
	case c.State == Running || c.CutOff():
		p.State = Running
		p.Attempts -= int32(b2i(c.State == Running))
	case c.State == BackingOff:
		p.Due = then(c.Due())
	case c.State == Later:
		again.SetNotBefore(then(c.Due()))
	}
	if c.Priority() != again.Options().Priority {
		o := *again.Options()
		o.Priority = c.Priority()
		again.SetOptions(&o)
	}
	again.Resume(&p)
	l.calls[i] = again
	l.k.Submit(l.now-l.origin, again)
	l.take()
}

// drawProgram returns a random program.
func drawProgram(seed uint64) *program {
	rnd := rand.New(rand.NewPCG(seed, 5))
	p := &program{seed: seed}
	unit := []time.Duration{1, 10, time.Millisecond, time.Second}[rnd.IntN(4)] // about between two tokens
	p.cfg = drawLivesConfig(rnd, unit)
	span := unit * time.Duration(5+rnd.IntN(200))
	within := func() time.Duration { return time.Duration(rnd.Int64N(int64(span))) }
	for range 1 + rnd.IntN(40) {
		p.plans = append(p.plans, drawPlan(rnd, &p.cfg, within, unit))
	}
	slices.SortStableFunc(p.plans, byArrival)
	for i, c := range p.plans {
		if c.deadline > 0 {
			p.acts = append(p.acts, act{at: c.deadline, cancels: i, ranks: -1})
		}
	}
	for range rnd.IntN(8) {
		a := act{at: within(), cancels: -1, ranks: -1}
		switch rnd.IntN(4) {
		case 0:
			a.cancels = rnd.IntN(len(p.plans))
		case 1:
			a.ranks, a.priority = rnd.IntN(len(p.plans)), rnd.IntN(7)-3
		case 2:
			a.pause = 1 + within()/4
		case 3:
			a.pause = bucket.Forever
			p.acts = append(p.acts, act{at: a.at + 1 + within()/4, cancels: -1, ranks: -1, resume: true})
		}
		p.acts = append(p.acts, a)
	}
	slices.SortStableFunc(p.acts, func(a, b act) int { return int(min(1, max(-1, a.at-b.at))) })
	for range 1 + rnd.IntN(6) {
		p.restarts = append(p.restarts, within())
		p.clock = append(p.clock, 0)
	}
	slices.Sort(p.restarts)
	return p
}

// drawLivesConfig returns a configuration whose tokens come after whole nanoseconds, since a level is saved with such
// an instant.
func drawLivesConfig(rnd *rand.Rand, unit time.Duration) Config {
	cfg := Config{
		Limits: bucket.Limits{}, Levels: map[string]bucket.State{},
		PriorityStep: []time.Duration{0, 1, unit, 10 * unit}[rnd.IntN(4)],
		MaxInFlight:  []int{0, 0, 1, 3}[rnd.IntN(4)],
		MaxQueued:    []int{0, 0, 2, 5}[rnd.IntN(4)],
		Overflow:     []Overflow{refuseNew, dropLowest}[rnd.IntN(2)],
		Retry:        drawLivesPolicy(rnd, unit),
	}
	for i := range 1 + rnd.IntN(3) {
		name := string(rune('a' + i))
		l := bucket.Limit{Capacity: 1 + rnd.Int64N(9), Refill: 1 + rnd.Int64N(3)}
		l.Per = unit * time.Duration(l.Refill) * time.Duration(1+rnd.IntN(4))
		switch rnd.IntN(5) {
		case 0:
			l = bucket.Quota(l.Capacity, bucket.Reset{Every: max(time.Second, 10*unit), FromFirst: rnd.IntN(2) == 0})
		case 1:
			l.Strict = true
		}
		cfg.Limits[name] = l
		if rnd.IntN(2) == 0 {
			cfg.Levels[name] = bucket.State{Tokens: rnd.Int64N(4) - 1}
		}
	}
	return cfg
}

func drawLivesPolicy(rnd *rand.Rand, unit time.Duration) retry.Policy {
	return retry.Policy{
		MaxRetries: []int{0, 1, 3, 9, retry.None}[rnd.IntN(5)], Initial: unit * time.Duration(1+rnd.IntN(5)), Max: 30 * unit,
		Jitter: []float64{0, retry.None, 1}[rnd.IntN(3)], Seed: rnd.Uint64N(9), MaxServerWait: 20 * unit,
		MaxElapsed: []time.Duration{0, 0, 10 * unit, 60 * unit}[rnd.IntN(4)],
	}
}

func drawPlan(rnd *rand.Rand, cfg *Config, within func() time.Duration, unit time.Duration) plan {
	p := plan{at: []time.Duration{0, within()}[rnd.IntN(2)]}
	for i := range len(cfg.Limits) {
		p.costs[i] = 1
		if rnd.IntN(3) == 0 {
			p.costs[i] = rnd.Int64N(cfg.Limits[string(rune('a'+i))].Capacity + 1)
			p.options.Several = true
		}
	}
	if rnd.IntN(3) == 0 {
		p.options.Priority = rnd.IntN(7) - 3
	}
	if rnd.IntN(5) == 0 {
		p.later = 1 + within()/2
	}
	if rnd.IntN(6) == 0 {
		p.deadline = 1 + p.at + within()
	}
	if rnd.IntN(6) == 0 {
		p.options.MaxWait = 1 + within()/2
	}
	if rnd.IntN(6) == 0 {
		policy := drawLivesPolicy(rnd, unit)
		p.policy = &policy
	}
	for range []int{0, 0, 1, 2, 4, 12}[rnd.IntN(6)] {
		o := outcomeOf{err: errLives, verdict: retry.Verdict{Kind: retry.KindTransient}, takes: []time.Duration{0, 0, 1, within() / 20}[rnd.IntN(4)]}
		if rnd.IntN(4) == 0 {
			o.verdict = retry.Verdict{Kind: retry.KindRateLimited, Wait: time.Duration(rnd.Int64N(int64(21 * unit)))}
			o.verdict.Scope = []retry.Scope{retry.ScopeDefault, retry.ScopeCall}[rnd.IntN(2)]
		}
		p.attempts = append(p.attempts, o)
	}
	return p
}
