package bucket_test

import (
	"fmt"
	"math"

	"example.com/fairlead/bucket"
)

// floats is a Shared that counts in float64, as a store in Lua does. most is the largest number that it has met.
type floats struct {
	run, epoch                                string
	seen, refilled, learns, held, level, part float64
	capacity, refill, per, version, sales     float64
	members                                   map[string]*floatMember
	most                                      float64
}

type floatMember struct {
	seen   float64
	seq    uint64
	answer bucket.Answer
}

// n notes a number.
func (f *floats) n(x float64) float64 {
	f.most = max(f.most, math.Abs(x))
	return x
}

// div returns the whole part of a division.
func (f *floats) div(a, b float64) float64 { return math.Floor(f.n(a) / f.n(b)) }

func (f *floats) exchange(run string, at int64, a bucket.Ask) (bucket.Answer, error) {
	a, err := a.Normalize()
	if err != nil {
		return bucket.Answer{}, err
	}
	now := float64(at)
	if f.epoch == "" || run != f.run || now < f.seen-1e6 {
		f.run, f.epoch = run, fmt.Sprintf("%d-%s", at, run)
		f.seen, f.held, f.level, f.part, f.sales, f.members = now, 0, 0, 0, 0, map[string]*floatMember{}
		f.learns = f.n(now + 2.25e6)
		f.refilled = f.learns
	}
	now = max(now, f.seen)
	f.seen = now
	for name, m := range f.members {
		if now-m.seen > 600e6 {
			delete(f.members, name)
		}
	}
	m := f.members[a.Process]
	if m != nil && m.seq >= a.Seq {
		if m.seq == a.Seq {
			return m.answer, nil
		}
		return f.answer(now, 0), nil
	}
	f.setLimit(now, a)
	f.fill(now)
	f.book(now, a, m != nil)
	m = &floatMember{seen: now, seq: a.Seq}
	if a.Leave {
		m.seen -= 3e6 + 1
	}
	f.members[a.Process] = m
	ahead := float64(a.Ahead.Microseconds())
	m.answer = f.answer(now, ahead)
	n := f.sell(now, a, ahead)
	m.answer.Tokens = int64(n)
	f.level = f.n(f.level - n)
	f.sales += min(n, 1)
	return m.answer, nil
}

func (f *floats) fill(now float64) {
	if now <= f.refilled || f.version == 0 {
		return
	}
	elapsed := now - f.refilled
	f.refilled = now
	need := f.n(f.n(f.capacity-f.level) * f.per)
	if elapsed > f.div(need+f.per, f.refill) {
		f.level, f.part = f.capacity, 0
		return
	}
	units := f.n(f.n(elapsed*f.refill) + f.part)
	f.level += f.div(units, f.per)
	f.part = math.Mod(units, f.per)
	if f.level >= f.capacity {
		f.level, f.part = f.capacity, 0
	}
}

func (f *floats) lowest() float64 { return f.capacity - f.div(1<<52, f.per) }

func (f *floats) setLimit(now float64, a bucket.Ask) {
	if float64(a.Version) <= f.version {
		return
	}
	f.fill(now)
	refill, per := a.Limit.MicroRate()
	f.capacity, f.refill, f.per, f.version = float64(a.Limit.Capacity), float64(refill), float64(per), float64(a.Version)
	f.level, f.part = min(max(f.level, f.lowest()), f.capacity), 0
}
