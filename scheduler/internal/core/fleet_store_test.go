package core

import (
	"errors"
	"strconv"
	"time"

	"example.com/fairlead/bucket"
)

// fleetStore is the store, and the network before it.
type fleetStore struct {
	f         *fleet
	shared    bucket.Shared
	run       int
	old       []*bucket.Shared // copies from which it may be restarted
	awayUntil time.Duration
	back      time.Duration // how far its clock has gone back
	asked     uint64        // how many asks it has answered
}

var errLost = errors.New("lost")

// fleetExchangeTime is how long a process waits for an answer, by its own clock.
const fleetExchangeTime = time.Second

// keep keeps a copy of the store, as a disk does.
func (s *fleetStore) keep() {
	s.old = append(s.old, s.shared.Clone())
	s.old = s.old[max(0, len(s.old)-4):]
}

// restart restarts the store, empty or from an old copy.
func (s *fleetStore) restart(empty bool) {
	s.run++
	s.f.notef("the store is restarted, empty: %v", empty || len(s.old) == 0)
	if empty || len(s.old) == 0 {
		s.shared = bucket.Shared{}
		return
	}
	s.shared = *s.old[s.f.rnd.IntN(len(s.old))].Clone()
}

// attempt is one attempt of an exchange.
type attempt struct {
	p    *fleetProc
	ask  bucket.Ask
	over bool // answered or given up
}

// send sends an ask, which may be lost, or come twice.
func (s *fleetStore) send(a *attempt) {
	f := s.f
	sent := max(f.now, a.p.stopped) // a process may be stopped before the ask has left it
	f.at(a.p.after(sent, fleetExchangeTime), func() { a.answered(bucket.Answer{}, errLost) })
	if !f.loses() && !a.p.cut {
		f.at(sent+f.delay(), func() { s.receive(a) })
	}
	if !f.calm && f.p.faults && f.rnd.IntN(50) == 0 {
		f.at(sent+f.delay()+time.Duration(f.rnd.Int64N(int64(10*time.Second))), func() { s.receive(a) })
	}
}

// loses reports whether a message is lost.
func (f *fleet) loses() bool { return f.p.faults && !f.calm && f.rnd.IntN(30) == 0 }

// delay returns how long a message takes.
func (f *fleet) delay() time.Duration {
	d := f.p.latency/2 + time.Duration(f.rnd.Int64N(int64(f.p.latency)))
	if f.p.faults && !f.calm && f.rnd.IntN(100) == 0 {
		d *= 100
	}
	return d
}

// receive receives an ask and answers it.
func (s *fleetStore) receive(a *attempt) {
	f := s.f
	if f.now < s.awayUntil {
		if f.rnd.IntN(2) == 0 { // nothing listens; else nothing answers
			f.at(f.now+f.delay(), func() { a.answered(bucket.Answer{}, errLost) })
		}
		return
	}
	s.asked++
	answer := s.shared.Exchange("run"+strconv.Itoa(s.run), s.clock().Microseconds(), a.ask)
	f.notef("%s asks %+v and gets %+v", a.p.name, a.ask, answer)
	f.check.exchanged(a.ask, answer)
	if !f.loses() {
		f.at(f.now+f.delay(), func() { a.answered(answer, nil) })
	}
}

// clock returns the time of the store's clock.
func (s *fleetStore) clock() time.Duration { return s.f.now + 1000*time.Hour - s.back }

// answered passes what has come of an attempt to its process.
func (a *attempt) answered(answer bucket.Answer, err error) {
	if a.over {
		return
	}
	if a.p.dead {
		a.over = true
		a.p.leave(answer)
		return
	}
	if a.p.stopped > a.p.f.now { // it comes to know when it runs again
		a.p.f.at(a.p.stopped, func() { a.answered(answer, err) })
		return
	}
	a.over = true
	a.p.answered(answer, err)
}
