package bucket_test

import (
	"fmt"
	"math/big"
	"time"

	"example.com/fairlead/bucket"
)

// shareModel is a shared budget with numbers of any size: instants are whole, and the level is a rational number. It
// is slow and obviously right.
type shareModel struct {
	run, epoch                          string
	clock, learnsUntil, heldUntil, from *big.Int // µs; refill comes from the latest of the last three
	level                               *big.Rat
	sales                               int64
	capacity                            int64
	rate                                *big.Rat // tokens in a microsecond
	version                             int64
	processes                           map[string]*modelProcess
}

type modelProcess struct {
	heard  *big.Int
	left   bool
	asks   map[uint64]bucket.Answer // all that it has asked, and the answers
	latest uint64
}

func ratOf(n *big.Int) *big.Rat { return new(big.Rat).SetInt(n) }

// floorOf returns the largest whole number that is not above r.
func floorOf(r *big.Rat) *big.Int { return new(big.Int).Div(r.Num(), r.Denom()) }

func minOf(a, b *big.Rat) *big.Rat {
	if a.Cmp(b) < 0 {
		return new(big.Rat).Set(a)
	}
	return new(big.Rat).Set(b)
}

func maxOf(a, b *big.Rat) *big.Rat {
	if a.Cmp(b) > 0 {
		return new(big.Rat).Set(a)
	}
	return new(big.Rat).Set(b)
}

func latest(all ...*big.Int) *big.Int {
	last := all[0]
	for _, t := range all {
		if t.Cmp(last) > 0 {
			last = t
		}
	}
	return new(big.Int).Set(last)
}

func in(t *big.Int, d time.Duration) *big.Int {
	return new(big.Int).Add(t, big.NewInt(int64(d/time.Microsecond)))
}

// exchange is what Differential compares with Shared.
func (m *shareModel) exchange(run string, now int64, a bucket.Ask) (bucket.Answer, error) {
	a, err := a.Normalize()
	if err != nil {
		return bucket.Answer{}, err
	}
	t := big.NewInt(now)
	if m.clock == nil || run != m.run || in(t, time.Second).Cmp(m.clock) < 0 {
		m.lose(run, t)
	}
	m.clock = latest(m.clock, t)
	for name, p := range m.processes {
		forgotten := in(p.heard, bucket.MemoryTime)
		if p.left { // it is remembered for less long, which matters to no process
			forgotten = in(p.heard, bucket.MemoryTime-bucket.SharerTime-time.Microsecond)
		}
		if forgotten.Cmp(m.clock) < 0 {
			delete(m.processes, name)
		}
	}
	p := m.processes[a.Process]
	if p != nil && a.Seq <= p.latest {
		if a.Seq == p.latest {
			return p.asks[a.Seq], nil
		}
		return m.answer(0), nil
	}
	m.refill()
	m.setLimit(a)
	m.book(a, p != nil)
	m.processes[a.Process] = &modelProcess{heard: m.clock, left: a.Leave, latest: a.Seq, asks: map[uint64]bucket.Answer{}}
	got := m.answer(a.Ahead)
	got.Tokens = m.sell(a, got)
	m.processes[a.Process].asks[a.Seq] = got
	return got, nil
}

// lose begins a new epoch.
func (m *shareModel) lose(run string, t *big.Int) {
	m.run, m.epoch, m.clock = run, fmt.Sprintf("%d-%s", t, run), t
	m.learnsUntil, m.heldUntil = in(t, bucket.LearnTime), t
	m.from, m.level, m.sales = m.learnsUntil, new(big.Rat), 0
	m.processes = map[string]*modelProcess{}
}
