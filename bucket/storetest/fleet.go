package storetest

import (
	"math/rand/v2"
	"time"

	"example.com/fairlead/bucket"
)

// fleet draws what several processes ask of a store, when, and of which life of the store.
type fleet struct {
	rand      *rand.Rand
	now       int64 // µs by the store's clock
	run       string
	pace      int64 // µs: a usual time between two asks
	limits    []bucket.Limit
	processes []*process
	epochs    []string
}

// process is what a process remembers.
type process struct {
	asks  []bucket.Ask // all but the last are older copies
	epoch string
	holds int64 // tokens bought and not spent
}

func newFleet(seed uint64) *fleet {
	f := &fleet{rand: rand.New(rand.NewPCG(seed, 0)), run: "run-0", now: 1_700_000_000_000_000, epochs: []string{"", "lost"}}
	f.limits = append(f.limits, f.limit())
	f.pace = f.scale(1_000_000)
	for range 1 + f.rand.IntN(6) {
		f.processes = append(f.processes, &process{})
	}
	return f
}

// oneIn reports true once in n times.
func (f *fleet) oneIn(n int) bool { return f.rand.IntN(n) == 0 }

// scale draws a number from 1 to most. Each number of digits is about as likely as the others.
func (f *fleet) scale(most int64) int64 {
	for {
		if n := 1 + f.rand.Int64N(int64(1)<<f.rand.IntN(53)); n <= most {
			return n
		}
	}
}

// amount draws a number of tokens.
func (f *fleet) amount() int64 {
	capacity := f.limits[len(f.limits)-1].Capacity
	switch f.rand.IntN(60) {
	case 0:
		return 1 << 52
	case 1:
		return 4 * capacity
	case 2, 3, 4, 5:
		return 0
	default:
		return f.scale(capacity)
	}
}

// limit draws a limit that can be shared. Some have the highest capacity or rate.
func (f *fleet) limit() bucket.Limit {
	for {
		l := bucket.Limit{Capacity: f.scale(1 << 50), Refill: f.scale(1 << 40), Per: time.Duration(f.scale(1 << 52))}
		if f.oneIn(3) {
			l = bucket.Limit{Capacity: f.scale(100), Refill: f.scale(1000), Per: time.Second}
		}
		switch _, per := l.MicroRate(); f.rand.IntN(6) {
		case 0:
			l.Capacity = max(1, 1<<50/per)
		case 1:
			l.Refill, l.Per = 1<<52/1_000_000, time.Duration(f.scale(1<<20))*time.Microsecond
		}
		if l.ValidateShared() == nil {
			return l
		}
	}
}
