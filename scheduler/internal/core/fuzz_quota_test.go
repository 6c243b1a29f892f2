package core

import (
	"testing"
	"time"

	"example.com/fairlead/bucket"
)

// FuzzCoreWithQuotas is FuzzCore with limits that have a Reset, and a wall clock that is set (B15, resets).
func FuzzCoreWithQuotas(f *testing.F) {
	for _, stride := range []int{1, 3, 7, 31, 97, 255} {
		f.Add(someBytes(300, stride))
	}
	f.Fuzz(func(t *testing.T, program []byte) { newPlay(t, program, true).play() })
}

func (p *play) quota() bucket.Limit {
	r := bucket.Reset{Every: max(1, p.size()/time.Second) * time.Second}
	switch p.upTo(4) {
	case 0:
		r.FromFirst = true
	case 1:
		r = bucket.Reset{Days: 1 + p.upTo(40), Zone: "America/Los_Angeles"}
	case 2:
		r = bucket.Reset{Months: 1 + p.upTo(14), From: simOrigin.Unix() - int64(p.byte())*24*60*60}
	case 3:
		r.From = simOrigin.Unix() - int64(p.byte())
	}
	return bucket.Quota(max(1, int64(p.size())), r)
}

// setWall sets the wall clock forward or back.
func (p *play) setWall() {
	drift := p.size()
	if p.upTo(2) == 0 {
		drift = -drift
	}
	p.k.SetWall(p.now, drift)
	p.k.Advance(p.now)
}
