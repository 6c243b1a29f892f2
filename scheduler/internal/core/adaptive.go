package core

import (
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/events"
)

// fullShare stands for the whole rate: a share is a number of 64ths.
const fullShare = 64

// adaptiveRate is the share of the configured rate at which tokens come, if that adapts to what
// the server takes: additive increase, multiplicative decrease, as in D.-M. Chiu and R. Jain,
// "Analysis of the Increase and Decrease Algorithms for Congestion Avoidance" (1989).
type adaptiveRate struct {
	enabled     bool
	share       int           // of fullShare; at least 1
	decreasedAt time.Duration // when it was last halved
	increaseAt  time.Duration // when the rate will increase; bucket.Forever if it is full
}

// onRateLimited halves the rate when a server answers 429 or the like. It does not if the attempt
// was granted before the last decrease, since its refusal says nothing about the rate since.
func (k *Core) onRateLimited(c *Call) {
	if !k.adaptive.enabled || c.detail.granted <= k.adaptive.decreasedAt {
		return
	}
	k.adaptive.decreasedAt = k.Now
	k.setShare(max(1, k.adaptive.share/2))
}

// increase raises the rate by a sixteenth of the configured rate.
func (k *Core) increase() { k.setShare(min(fullShare, k.adaptive.share+fullShare/16)) }

func (k *Core) setShare(share int) {
	p := &k.adaptive
	changed := p.share != share
	p.share, p.increaseAt = share, bucket.Forever
	for i := range k.Budgets {
		k.Budgets[i].setShare(k.Now, share)
	}
	if share < fullShare {
		p.increaseAt = After(k.Now, k.Budgets.increaseInterval())
	}
	if changed {
		k.emitEvent(events.Event{Kind: events.RateChanged, Rate: p.rate()})
		k.replan()
	}
}

// rate returns the part of the configured rate that is in force.
func (p *adaptiveRate) rate() float64 { return float64(p.share) / fullShare }

// setShare makes tokens come at a share of the configured rate.
func (b *Budget) setShare(at time.Duration, share int) {
	if err := b.SetLimit(at, limitAtShare(b.Configured, share)); err != nil {
		panic("scheduler: a part of a valid limit is not valid: " + err.Error())
	}
}

// level returns the state of the bucket at its full rate, at which it will be restored.
func (b *Budget) level(now time.Duration, wall time.Time) bucket.State {
	full := *b
	full.setShare(now, fullShare)
	return full.State(now, wall)
}

// limitAtShare returns the limit at a share of its rate. With a Reset there is no rate: Refill and Per are 0.
func limitAtShare(l bucket.Limit, share int) bucket.Limit {
	switch {
	case share == fullShare:
	case l.Per <= bucket.Forever/fullShare && l.Refill <= 1<<56:
		l.Refill, l.Per = l.Refill*int64(share), l.Per*fullShare
	default: // a rate this high need not be exact
		l.Refill = max(1, l.Refill/fullShare*int64(share))
	}
	return l
}

// increaseInterval returns the time from one increase of the rate to the next. A server that
// counts by the limit's Per has time in between to refuse calls at the present rate.
func (b Budgets) increaseInterval() time.Duration {
	longest := time.Second
	for i := range b {
		longest = max(longest, min(b[i].Configured.Per, time.Minute))
	}
	return longest
}
