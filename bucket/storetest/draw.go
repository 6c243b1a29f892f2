package storetest

import (
	"fmt"
	"math"
	"time"

	"example.com/fairlead/bucket"
)

// draw moves the store's clock, and draws which process asks what.
func (f *fleet) draw() (*process, bucket.Ask) {
	f.pass()
	i := f.rand.IntN(len(f.processes))
	p := f.processes[i]
	if n := len(p.asks); n > 0 {
		switch f.rand.IntN(12) {
		case 0: // the answer was lost
			return p, p.asks[n-1]
		case 1: // a copy that was on its way for long
			return p, p.asks[f.rand.IntN(n)]
		}
	}
	return p, f.ask(p, fmt.Sprintf("process-%d", i))
}

// pass lets time pass by the store's clock, which may be set. The store may restart.
func (f *fleet) pass() {
	switch f.rand.IntN(100) {
	case 0:
		silence := []time.Duration{bucket.SharerTime, bucket.SharerTime, bucket.SharerTime, bucket.MemoryTime}[f.rand.IntN(4)]
		f.now += silence.Microseconds() - 1 + f.rand.Int64N(3)
	case 1:
		f.now += bucket.LearnTime.Microseconds() - 1 + f.rand.Int64N(3)
	case 2:
		f.now += f.scale(time.Hour.Microseconds())
	case 3:
		f.now -= f.scale(1_000_000)
	case 4:
		f.now -= 999_998 + f.rand.Int64N(4)
	case 5, 6, 7, 8, 9: // at the same instant
	case 10:
		if f.oneIn(4) {
			f.run = fmt.Sprintf("run-%d", f.rand.IntN(1000))
		}
	case 11:
		if f.oneIn(8) {
			f.now -= f.scale(time.Hour.Microseconds())
		}
	default:
		f.now += f.rand.Int64N(2 * f.pace)
	}
}

// ask draws a new ask of a process.
func (f *fleet) ask(p *process, name string) bucket.Ask {
	a := bucket.Ask{Process: name, Seq: 1, Epoch: p.epoch, Mine: p.holds}
	if n := len(p.asks); n > 0 {
		a.Seq = p.asks[n-1].Seq + 1
	}
	if f.oneIn(10) {
		a.Seq += f.rand.Uint64N(3) // an ask got lost
	}
	if !f.oneIn(4) {
		a.Want = f.amount()
	}
	if f.oneIn(3) {
		a.Least = f.amount()
	}
	if f.oneIn(3) {
		a.Ahead = time.Duration(f.scale(2_000_000)) * time.Microsecond
	}
	if f.oneIn(3) {
		a.Back = f.rand.Int64N(p.holds + 1)
	}
	if f.oneIn(10) {
		a.Charge = f.amount()
	}
	f.misfortunes(&a)
	f.setLimit(&a)
	if f.oneIn(40) {
		f.nonsense(&a)
	}
	return a
}

// misfortunes adds what is rare to an ask.
func (f *fleet) misfortunes(a *bucket.Ask) {
	if f.oneIn(30) {
		a.Hold = time.Duration(f.scale(10*f.pace)) * time.Microsecond
	}
	if f.oneIn(20) {
		a.HasRemaining, a.Remaining = true, f.amount()
	}
	if f.oneIn(12) {
		a.Epoch = f.epochs[f.rand.IntN(len(f.epochs))]
	}
	if f.oneIn(30) {
		a.Back, a.Mine = f.amount(), f.amount()
	}
	a.Leave = f.oneIn(40)
}

// nonsense changes one number of an ask to one that no process should send. A store that calls Normalize is safe from it.
func (f *fleet) nonsense(a *bucket.Ask) {
	odd := []int64{-1, math.MinInt64, math.MaxInt64, 1<<53 + 1}[f.rand.IntN(4)]
	switch f.rand.IntN(10) {
	case 0, 1:
		a.Want = odd
	case 2, 3:
		a.Back = odd
	case 4:
		a.Least = odd
	case 5:
		a.Mine = odd
	case 6:
		a.HasRemaining, a.Remaining = true, odd
	case 7:
		a.Ahead = time.Duration(odd)
	case 8:
		a.Ahead, a.Hold = 1+time.Duration(f.rand.Int64N(2000)), -1
	default:
		if f.oneIn(20) { // after these, little more is sold
			a.Charge, a.Hold = odd, time.Duration(odd)
		}
	}
}

// setLimit names the limit that a process knows, which may be a new one or an older one.
func (f *fleet) setLimit(a *bucket.Ask) {
	if f.oneIn(60) {
		f.limits = append(f.limits, f.limit())
	}
	known := len(f.limits)
	if f.oneIn(10) {
		known = 1 + f.rand.IntN(known)
	}
	a.Limit, a.Version = f.limits[known-1], int64(known)
	if known == 1 && f.oneIn(4) {
		a.Version = 0
	}
}

// note lets a process take an answer.
func (f *fleet) note(p *process, a bucket.Ask, got bucket.Answer) {
	if n := len(p.asks); n > 0 && a.Seq <= p.asks[n-1].Seq {
		return // it had that answer
	}
	p.asks = append(p.asks, a)
	if got.Epoch != p.epoch {
		p.epoch = got.Epoch
		f.epochs = append(f.epochs, got.Epoch)
	}
	p.holds = p.holds - min(max(a.Back, 0), p.holds) + got.Tokens
	if f.oneIn(3) {
		p.holds = 0 // it spends all
	}
}
