package core

import (
	"fmt"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/events"
	"example.com/fairlead/retry"
)

// fleetProc is a process: a core, driven as the owner drives it.
type fleetProc struct {
	f       *fleet
	number  int
	name    string
	k       *Core
	i       int           // the shared budget
	born    time.Duration // when its clock showed 0
	ppm     int64         // how much faster its clock is than the store's, in millionths
	stopped time.Duration // until then it does nothing, and its clock goes on
	dead    bool
	cut     bool        // its asks don't reach the store
	last    *bucket.Ask // with which it leaves, once the attempt under way is over
	attempt *attempt    // under way
	wakeAt  time.Duration
	idle    int // wake-ups in a row for nothing, each shortly after the one before

	demand   demandKind
	width    int   // how many calls it has queued, if it floods
	granted  int64 // tokens
	refunded int64 // tokens, as far as the check has counted them
}

type demandKind uint8

const (
	floods   demandKind = iota // as soon as a call is granted, another is queued
	trickles                   // a call comes now and then
	bursts                     // many calls come now and then
)

// start starts a process.
func (f *fleet) start() *fleetProc {
	f.made++
	p := &fleetProc{f: f, number: f.made, name: fmt.Sprint("p", f.made), born: f.now, width: f.p.width}
	if f.p.ppm > 0 {
		p.ppm = f.rnd.Int64N(2*f.p.ppm+1) - f.p.ppm
	}
	if f.p.mixed {
		p.demand = demandKind(f.rnd.IntN(3))
	}
	p.k = f.p.newCore(p.name, simOrigin.Add(time.Duration(p.ppm)*time.Hour))
	p.i = len(p.k.Budgets) - 1
	f.procs = append(f.procs, p)
	f.at(f.now, func() { p.turn(p.begin) })
	return p
}

// newCore returns the core of a process.
func (p *fleetProfile) newCore(name string, origin time.Time) *Core {
	limits := bucket.Limits{"shared": p.limit()}
	if p.local {
		limits["local"] = bucket.Limit{Capacity: max(p.cost, 3), Refill: max(1, p.rate/3), Per: time.Second}
	}
	k, err := New(Config{
		Origin: origin, Limits: limits, MaxInFlight: p.slots, Retry: retry.Policy{MaxRetries: 2, Jitter: retry.None},
		Shared: map[string]Shared{"shared": {Process: name, Ahead: p.ahead, Alone: p.alone}},
	})
	if err != nil {
		panic(err)
	}
	k.Wanted = events.All &^ events.Of(events.Queued) // whose wait is an estimate, which depends on when it is asked for
	return k
}

func (p *fleetProc) begin(now time.Duration) {
	switch p.demand {
	case floods:
		for range p.width {
			p.submit(now)
		}
	default:
		p.comeLater()
	}
	if p.f.p.moves {
		p.moveLater()
	}
}

// local returns what the clock of a process shows.
func (p *fleetProc) local(at time.Duration) time.Duration {
	d := at - p.born
	return d + d/1_000_000*time.Duration(p.ppm) + d%1_000_000*time.Duration(p.ppm)/1_000_000
}

// when returns the first instant at which the clock of a process shows local.
func (p *fleetProc) when(local time.Duration) time.Duration {
	d := local - local/1_000_000*time.Duration(p.ppm) // nearly
	at := p.born + d - time.Duration(max(1, d/1_000_000_000))
	for step := time.Duration(1 << 20); step > 0; step /= 2 {
		for p.local(at+step) < local {
			at += step
		}
	}
	return at + 1
}

// after returns the instant at which the clock of a process shows d more than at an instant.
func (p *fleetProc) after(at, d time.Duration) time.Duration { return p.when(p.local(at) + d) }

// turn does what the owner does in a turn, with an input.
func (p *fleetProc) turn(input func(now time.Duration)) {
	f, k := p.f, p.k
	switch {
	case p.dead:
		return
	case p.stopped > f.now:
		f.at(p.stopped, func() { p.turn(input) })
		return
	}
	now := p.local(f.now)
	if k.Wake() <= now {
		k.WakeUp(now)
	}
	if input != nil {
		input(now)
	}
	if f.states {
		f.notef("%s wakes at %v with %+v", p.name, now, *k.Budgets[p.i].stock)
	}
	useful := input != nil
	for more := true; more && !p.dead; { // calls that end at once are the input of the next turn
		k.Advance(now)
		f.must(k.Wake() > now, "nothing that is due is left")
		asked := p.ask()
		useful = useful || asked || len(k.Effects.Granted)+len(k.Effects.Ended)+len(k.Effects.Events) > 0
		more = len(k.Effects.Granted) > 0
		p.deliver(now)
		if k.HandoverPending() {
			k.HandedOver(now)
		}
		f.check.turned(p)
	}
	p.sleep(now, useful)
}

// ask asks the store, if the core wants to.
func (p *fleetProc) ask() bool {
	ask, ok := p.k.Ask(p.i)
	if !ok {
		return false
	}
	p.f.must(p.attempt == nil, "the store is asked once at a time")
	p.attempt = &attempt{p: p, ask: ask}
	p.f.store.send(p.attempt)
	return true
}

// answered takes what has come of the attempt under way.
func (p *fleetProc) answered(answer bucket.Answer, err error) {
	p.attempt = nil
	if p.f.p.alone > 0 {
		p.turn(nil) // so that the check sees what was granted alone
	}
	p.turn(func(now time.Duration) {
		if err != nil {
			p.k.AskFailed(now, p.i, err)
			return
		}
		p.k.Answered(now, p.i, answer)
	})
}

// sleep lets a process sleep until it has to be woken. Timers are a little late.
func (p *fleetProc) sleep(now time.Duration, useful bool) {
	f := p.f
	wake := min(p.k.Wake(), p.k.AskAgainAt())
	if p.idle++; useful || wake-now > time.Microsecond {
		p.idle = 0
	}
	f.must(p.idle < 20, "no process is woken again and again for nothing", p.name)
	if wake == bucket.Forever {
		p.wakeAt = 0
		return
	}
	f.must(wake > now, "the next wake-up is in the future")
	at := p.when(wake)
	if f.p.late > 0 {
		at += time.Duration(uint64(wake)*0x9e3779b97f4a7c15>>40) % f.p.late
	}
	if at != p.wakeAt {
		p.wakeAt = at
		f.wakeUp(at, p)
	}
	if f.extra != nil && f.extra.IntN(2) == 0 {
		p.wakeInVain(f.now + time.Duration(f.extra.Int64N(int64(f.p.pace))))
	}
}

// wakeInVain wakes a process at an instant, after all else that happens then.
func (p *fleetProc) wakeInVain(at time.Duration) {
	p.f.events.push(fleetEvent{at: at, order: 1 << 61, do: func() {
		if p.stopped <= p.f.now {
			p.turn(nil)
		}
	}})
}

// stop stops a process until an instant, as SIGSTOP does.
func (p *fleetProc) stop(until time.Duration) { p.stopped = max(p.stopped, until) }

// crash ends a process that gives nothing back.
func (p *fleetProc) crash() {
	p.f.notef("%s crashes", p.name)
	p.dead = true
	for i, q := range p.f.procs {
		if q == p {
			p.f.procs = append(p.f.procs[:i:i], p.f.procs[i+1:]...)
			return
		}
	}
}

// close closes the scheduler of a process, which leaves.
func (p *fleetProc) close() {
	stopped := p.stopped > p.f.now
	p.crash()
	if stopped {
		return
	}
	p.k.Close(p.local(p.f.now))
	last, ok := p.k.Leave(p.i)
	switch {
	case !ok:
	case p.attempt != nil:
		p.last = &last
	default:
		p.f.store.send(&attempt{p: p, ask: last})
	}
}

// leave leaves once the attempt that was under way at close is over.
func (p *fleetProc) leave(answer bucket.Answer) {
	if p.last == nil {
		return
	}
	if answer.Epoch == p.last.Epoch {
		p.last.Back += answer.Tokens
	}
	p.f.store.send(&attempt{p: p, ask: *p.last})
	p.last = nil
}
