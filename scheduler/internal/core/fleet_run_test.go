package core

import (
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"time"

	"example.com/fairlead/bucket"
)

// fleet is one run of several processes that share a budget: real cores, one bucket.Shared, and between them a
// network. Everything happens at an instant of one clock, which is the store's unless that goes back.
type fleet struct {
	seed   uint64
	rnd    *rand.Rand
	p      fleetProfile
	now    time.Duration
	events fleetHeap
	order  uint64
	store  fleetStore
	procs  []*fleetProc // that live
	made   int          // how many processes have started
	calm   bool         // the last part of the run, without faults and new calls
	check  fleetCheck
	extra  *rand.Rand // decides when processes are woken without a reason; nil: never
	log    []string   // what has happened; nil: that is not recorded
	states bool       // log also has the state of a process whenever it wakes
	failed *failure
}

// fleetEvent is something that happens at an instant.
type fleetEvent struct {
	at    time.Duration
	order uint64
	proc  *fleetProc // a wake-up of this process, unless do is set
	do    func()
}

type fleetHeap []fleetEvent

func (e *fleetEvent) before(f *fleetEvent) bool {
	return e.at < f.at || e.at == f.at && e.order < f.order
}

func (h *fleetHeap) push(e fleetEvent) {
	*h = append(*h, e)
	for i := len(*h) - 1; i > 0 && (*h)[i].before(&(*h)[(i-1)/2]); i = (i - 1) / 2 {
		(*h)[i], (*h)[(i-1)/2] = (*h)[(i-1)/2], (*h)[i]
	}
}

func (h *fleetHeap) pop() fleetEvent {
	s, last := *h, len(*h)-1
	first := s[0]
	s[0], s[last] = s[last], fleetEvent{}
	s = s[:last]
	for i := 0; ; {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < last; child++ {
			if s[child].before(&s[least]) {
				least = child
			}
		}
		if least == i {
			break
		}
		s[i], s[least] = s[least], s[i]
		i = least
	}
	*h = s
	return first
}

// at makes do happen at an instant. Things that happen at the same instant happen in the order in which at was called.
func (f *fleet) at(at time.Duration, do func()) {
	f.order++
	f.events.push(fleetEvent{at: max(at, f.now), order: f.order, do: do})
}

// wakeUp wakes a process at an instant. At the same instant, processes wake after everything else has happened.
func (f *fleet) wakeUp(at time.Duration, p *fleetProc) {
	f.events.push(fleetEvent{at: max(at, f.now), order: 1<<62 + uint64(p.number), proc: p})
}

// newFleet returns a fleet whose seed decides everything that happens.
func newFleet(seed uint64) *fleet {
	rnd := rand.New(rand.NewPCG(seed, 1))
	return newFleetOf(seed, rnd, drawFleet(rnd))
}

func newFleetOf(seed uint64, rnd *rand.Rand, p fleetProfile) *fleet {
	f := &fleet{seed: seed, rnd: rnd, p: p}
	f.store.f = f
	f.check.begin(f)
	for range p.procs {
		f.start()
	}
	if p.faults {
		f.at(f.soon(p.pace), f.fault)
	}
	f.at(f.p.length, func() { f.calmDown() })
	return f
}

// soon returns an instant that comes after d on average.
func (f *fleet) soon(d time.Duration) time.Duration {
	return f.now + time.Duration(min(f.rnd.ExpFloat64(), 20)*float64(d))
}

// run makes things happen until nothing is left to happen, or a rule is broken.
func (f *fleet) run() {
	defer f.recoverFailure()
	end := f.p.length + f.check.calmTime()
	for len(f.events) > 0 && f.events[0].at <= end {
		f.step()
	}
	f.now = end
	f.check.atEnd()
}

// runUntil makes things happen up to an instant.
func (f *fleet) runUntil(at time.Duration) {
	for len(f.events) > 0 && f.events[0].at <= at {
		f.step()
	}
	f.now = at
}

func (f *fleet) step() {
	e := f.events.pop()
	f.now = e.at
	switch {
	case e.do != nil:
		e.do()
	case e.at == e.proc.wakeAt:
		e.proc.wakeAt = 0
		e.proc.turn(nil)
	}
}

func (f *fleet) recoverFailure() {
	switch p := recover().(type) {
	case nil:
	case *failure:
		f.failed = p
	default:
		f.failed = &failure{"nothing panics", fmt.Sprint(p, string(debug.Stack()))}
	}
}

// must ends the run if a rule does not hold.
func (f *fleet) must(holds bool, rule string, seen ...any) {
	if !holds {
		panic(&failure{rule, fmt.Sprintf("at %v of %+v: ", f.now, f.p) + fmt.Sprint(seen...)})
	}
}

// notef records what has happened, if that is recorded.
func (f *fleet) notef(format string, args ...any) {
	if f.log != nil {
		f.log = append(f.log, fmt.Sprintf("%v ", f.now)+fmt.Sprintf(format, args...))
	}
}

// calmDown ends all faults. From then on no calls are submitted, and every queued one has to be granted in time.
func (f *fleet) calmDown() {
	f.calm = true
	f.store.awayUntil = f.now
	for _, p := range f.procs {
		p.stopped = 0
		p.turn(func(now time.Duration) {
			p.k.Resume(now)
			p.k.SetMaxInFlight(now, 0)
		})
	}
	f.check.calmed()
}

// fault makes something go wrong, and then the next.
func (f *fleet) fault() {
	if f.calm {
		return
	}
	p := f.procs[f.rnd.IntN(len(f.procs))]
	long := time.Duration(f.rnd.Int64N(int64(6 * time.Second)))
	switch f.rnd.IntN(10) {
	case 0, 1:
		p.stop(f.now + long)
	case 2:
		p.crash()
		f.start()
	case 3:
		p.close()
		f.start()
	case 4, 5:
		f.store.awayUntil = max(f.store.awayUntil, f.now+long)
	case 6:
		f.store.restart(f.rnd.IntN(2) == 0)
	case 7:
		f.store.restart(f.rnd.IntN(2) == 0)
		f.store.awayUntil = max(f.store.awayUntil, f.now+long/16)
	case 8:
		f.store.back += long >> f.rnd.IntN(4)
	default:
		f.store.keep()
	}
	f.at(f.soon(f.p.pace), f.fault)
}

// limit returns the limit of the shared budget at first.
func (p *fleetProfile) limit() bucket.Limit {
	return bucket.Limit{Capacity: p.capacity, Refill: p.rate, Per: time.Second}
}
