package bucket_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"example.com/fairlead/bucket"
)

// fleet is several processes that share a budget in a store, over a network that delays, loses and doubles. The store
// is restarted and rolled back, and its clock is set back. Instants are in microseconds.
type fleet struct {
	*testing.T
	*rand.Rand
	limit     bucket.Limit
	now       int64
	store     *bucket.Shared
	run, runs int   // this life of the store, and how many there were
	behind    int64 // how far the store's clock is behind
	backups   []*bucket.Shared
	messages  []message
	processes []*fleetProcess
	spent     int64
	begins    int64 // when the budget begins, or 0
}

// message is an ask on its way to the store, or an answer on its way back.
type message struct {
	at     int64
	p      *fleetProcess
	ask    bucket.Ask
	sent   int64 // when this attempt was sent
	answer *bucket.Answer
}

// fleetProcess buys, spends and gives back as a scheduler does.
type fleetProcess struct {
	name   string
	clock  float64 // how fast its clock runs
	tokens []int64 // when each token that it holds becomes valid
	fence  int64   // when what it holds is void
	epoch  string
	ask    bucket.Ask
	open   bool  // ask has not been answered
	sold   int64 // what the store has sold for it
	first  int64
	resend int64
}

func newFleet(t *testing.T, seed uint64) *fleet {
	f := &fleet{T: t, Rand: rand.New(rand.NewPCG(seed, 7)), store: &bucket.Shared{}, now: 1_000_000_000_000}
	f.limit = bucket.Limit{Capacity: 1 + f.Int64N(30), Refill: 1 + f.Int64N(100), Per: time.Second}
	for i := range 1 + f.IntN(6) {
		p := &fleetProcess{name: fmt.Sprint("process-", i), clock: 1 + 1.0/4097}
		if f.IntN(3) > 0 {
			p.clock -= f.Float64() / 9 // a slow clock
		}
		f.processes = append(f.processes, p)
	}
	return f
}

// after returns the instant at which a process has seen a duration pass.
func (f *fleet) after(p *fleetProcess, d time.Duration) int64 {
	return f.now + int64(float64(d.Microseconds())/p.clock)
}

// tick lets time pass, and then all that is due happen.
func (f *fleet) tick() {
	f.now += f.Int64N(20_000)
	f.misfortune()
	for i := 0; i < len(f.messages); i++ {
		if m := f.messages[i]; m.at <= f.now {
			f.messages = slices.Delete(f.messages, i, i+1)
			i--
			if m.answer != nil {
				f.receive(m)
			} else {
				f.serve(m)
			}
		}
	}
	for _, p := range f.processes {
		if f.now >= p.fence {
			p.tokens = nil
		}
		f.spend(p)
		f.talk(p)
	}
}

// misfortune happens to the store.
func (f *fleet) misfortune() {
	if f.IntN(100) == 0 {
		f.backups = append(f.backups, f.store.Clone())
	}
	switch f.IntN(1500) {
	case 0: // it comes back empty
		f.store = &bucket.Shared{}
		f.runs++
		f.run = f.runs
	case 1: // it comes back as it was
		f.runs++
		f.run = f.runs
	case 2: // a replica that is behind takes over
		if len(f.backups) > 0 {
			f.store = f.backups[f.IntN(len(f.backups))].Clone()
			f.runs++
			f.run = f.runs
		}
	case 3:
		f.behind += f.Int64N(900_000)
	case 4:
		f.behind += f.Int64N(10_000_000)
	}
}
