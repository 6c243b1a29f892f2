package core

import (
	"math"
	"math/bits"
	"time"

	"example.com/fairlead/bucket"
)

// Estimate says when a call is expected to be granted.
type Estimate struct {
	Position int           // in the queue of its key, from 1; 0 if it does not wait
	AtLeast  time.Duration // until its tokens are there, if no other key gets any of them
	Wait     time.Duration // until its tokens are there, if keys and processes share them as they do now
	Unknown  bool          // Wait is not known, and the same as AtLeast: a store is away
}

// EstimateOf returns the place of an accepted call and how long it is expected to wait for its next attempt.
func (k *Core) EstimateOf(now time.Duration, c *Call) Estimate {
	k.Advance(now)
	if c.State != Queued && c.State != BackingOff && c.State != Later {
		return Estimate{}
	}
	e := k.fullEstimate(c)
	if c.State == BackingOff {
		left := c.detail.due - k.Now
		e.AtLeast, e.Wait = max(e.AtLeast, left), max(e.Wait, left)
	}
	return e
}

// DryRun returns the estimate of a call that is not submitted.
func (k *Core) DryRun(now time.Duration, c *Call) Estimate {
	k.Advance(now)
	if c.key != nil {
		k.assign(c)
	}
	k.seat(c)
	return k.fullEstimate(c)
}

func (k *Core) fullEstimate(c *Call) Estimate {
	position, atLeast := k.estimate(c)
	wait, known := k.likelyWait(c)
	return Estimate{position, atLeast, max(atLeast, wait), !known}
}

// estimate returns the place of a call in the queue of its key, from 1, and the time until its tokens are
// there. The call may be queued or not. Without keys the time is exact if no other call goes ahead of it,
// fails or leaves. With keys or several budgets it is a lower bound. A pause without a known end counts
// as if it ended now.
func (k *Core) estimate(c *Call) (position int, atLeast time.Duration) {
	l := k.laneOf(c)
	ahead := l.waiting.ahead(c)
	ahead.cost.addCall(c, l.waiting.budgets())
	return ahead.count + 1, max(k.readyIn(l, &ahead.cost), k.arrivesAt(c)) - k.Now
}

// likelyWait returns the time until a call is granted, if the keys share the budgets as they do now. If the key of the call
// has a third of all weights, all keys together take three times what this key takes until then, but no more than all
// queued calls cost.
func (k *Core) likelyWait(c *Call) (wait time.Duration, known bool) {
	_, wait = k.estimate(c)
	if !k.keyed && !k.shared {
		return wait, true
	}
	sum := k.likelyCosts(c)
	at := k.expected(&sum)
	if at == bucket.Forever && k.shared {
		return wait, false
	}
	return max(wait, at-k.Now), true
}

// likelyCosts returns what is likely to be taken from the shared budgets until a call is granted.
func (k *Core) likelyCosts(c *Call) Costs {
	ahead := k.laneOf(c).waiting.ahead(c)
	if !k.keyed {
		ahead.cost.addCall(c, len(k.Budgets))
		return ahead.cost
	}
	l, weight := k.laneOf(c), k.weightOf(c)
	weights := k.lanes.weights + weight
	if l.condition == competes {
		weights -= l.weight
	}
	sum := ahead.cost
	for i := range k.Budgets {
		all := k.lanes.queuedCosts[i]
		if c.State != Queued {
			all.add(c.costOf(i), 1)
		}
		sum[i] = min(scale(addCosts(sum[i], c.costOf(i)), weights, weight), all.value())
	}
	return sum
}

// scale returns n · a / b, at most math.MaxInt64. None of them is negative.
func scale(n, a, b int64) int64 {
	hi, lo := bits.Mul64(uint64(n), uint64(a))
	if hi >= uint64(b) {
		return math.MaxInt64
	}
	q, _ := bits.Div64(hi, lo, uint64(b))
	return int64(min(q, math.MaxInt64))
}

// ready returns when the tokens for a cost will be there, in the budgets that all keys share.
func (k *Core) ready(cost *Costs) time.Duration {
	if !k.Paused() || k.pausedUntil == bucket.Forever {
		return k.Budgets.ready(cost)
	}
	return k.Budgets.skipped(k.pausedUntil).ready(cost)
}

// expected returns when the tokens for a cost are expected, in the budgets that all keys share.
func (k *Core) expected(cost *Costs) time.Duration {
	if !k.shared {
		return k.ready(cost)
	}
	return k.Budgets.expected(cost) // a pause stops no budget that processes share
}

// late reports whether a call's turn will come after its deadline or its MaxWait, and how long it would have to
// wait.
func (k *Core) late(c *Call) (wait time.Duration, late bool) {
	until := min(c.Deadline, k.startBy(c))
	if until == bucket.Forever {
		return 0, false
	}
	_, wait = k.estimate(c)
	return wait, until < After(k.Now, wait)
}

// tooLate returns the error of a call that would have to wait beyond its deadline or its MaxWait.
func (k *Core) tooLate(c *Call, wait time.Duration) error {
	if by := k.startBy(c); by != bucket.Forever && by <= c.Deadline {
		return k.waitsTooLong(c)
	}
	_, turn := k.turnOf(c, wait)
	early := Early{Reason: TooLate, Wait: wait, Left: max(0, c.Deadline-k.Now), RetryAt: turn}
	if k.arrivesAt(c) > max(k.Now, c.Deadline) {
		early.First = "later"
	}
	return EndEarly(early, c)
}

// turnOf returns how long a call that ends now would have to wait, at least as long as given, and when its turn would
// come. It returns the zero time if that is not known, because of a pause without a known end, a store that is away, or
// calls that keep their slots.
func (k *Core) turnOf(c *Call, atLeast time.Duration) (wait time.Duration, turn time.Time) {
	wait, known := k.likelyWait(c)
	wait = max(wait, atLeast)
	at := After(k.Now, wait)
	if !known || wait <= 0 || at == bucket.Forever || k.pausedUntil == bucket.Forever || k.laneOf(c).pausedUntil == bucket.Forever {
		return wait, time.Time{}
	}
	return wait, k.Time(at)
}
