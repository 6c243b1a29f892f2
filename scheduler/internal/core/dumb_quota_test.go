package core

import (
	"math/big"
	"time"

	"example.com/fairlead/bucket"
)

// dumbQuota has the periods of a budget whose limit has a Reset. The periods of a run all have a length,
// Every, and the model goes through them by division.
type dumbQuota struct {
	reset  bucket.Reset  // zero: the tokens come evenly
	origin time.Time     // what the wall clock shows at the instant 0
	number int64         // of the latest reset by the wall clock
	filled time.Duration // when it came
	next   time.Duration // Forever if a period begins with its first token, and none has begun
}

// instant returns when the wall clock shows the n-th reset.
func (q *dumbQuota) instant(n int64) time.Duration {
	return time.Unix(q.reset.From+n*int64(q.reset.Every/time.Second), 0).Sub(q.origin) // saturates
}

// shown returns the number of the latest reset that the wall clock has shown by an instant.
func (q *dumbQuota) shown(at time.Duration) int64 {
	since := q.origin.Add(at).Unix() - q.reset.From
	every := int64(q.reset.Every / time.Second)
	n := since / every
	if since%every < 0 {
		n--
	}
	return n
}

func (q *dumbQuota) begin(at time.Duration) {
	q.number = q.shown(at)
	q.filled, q.next = q.instant(q.number), q.instant(q.number+1)
}

// setReset begins the periods of another Reset.
func (b *dumbBudget) setReset(r bucket.Reset, now time.Duration) {
	if q := &b.quota; q.reset != r {
		q.reset, q.filled, q.next = r, -bucket.Forever, bucket.Forever
		if b.resets() && !r.FromFirst {
			q.begin(now)
		}
	}
	b.changed(now)
}

func (b *dumbBudget) resets() bool { return b.quota.reset != (bucket.Reset{}) }

// changed notes that the level was changed. That may begin a period.
func (b *dumbBudget) changed(now time.Duration) {
	switch q := &b.quota; {
	case !q.reset.FromFirst:
	case b.tokens() >= b.limit.Capacity:
		q.next = bucket.Forever
	case q.next == bucket.Forever:
		q.next = After(now, q.reset.Every)
	}
}

// reset fills a quota if a reset comes by an instant.
func (b *dumbBudget) reset(by time.Duration) {
	q := &b.quota
	if !b.resetsBy(by) {
		return
	}
	b.level.SetInt64(b.limit.Capacity)
	if q.reset.FromFirst {
		q.filled, q.next = q.next, bucket.Forever
	} else {
		q.begin(by)
	}
}

func (b *dumbBudget) resetsBy(at time.Duration) bool {
	return b.resets() && b.quota.next <= at && b.quota.next != bucket.Forever
}

// setWall lets the wall clock be ahead by drift. A reset that it has shown meanwhile comes now. After
// it was set back, the next reset is a whole period or more after the latest one.
func (b *dumbBudget) setWall(now, drift time.Duration) {
	q := &b.quota
	q.origin = simOrigin.Add(drift)
	if !b.resets() || q.reset.FromFirst {
		return
	}
	n := q.shown(now)
	switch {
	case n > q.number:
		b.level.SetInt64(b.limit.Capacity)
		q.begin(now)
		q.filled = now
	case n == q.number:
		q.next = q.instant(n + 1)
	default:
		for n++; q.instant(n) < After(q.filled, q.reset.Every); n++ {
		}
		q.next = q.instant(n)
	}
}

// restart makes an instant the new instant 0. Periods by the wall clock are then those that it shows.
func (q *dumbQuota) restart(now time.Duration) {
	q.origin = q.origin.Add(now)
	switch {
	case q.reset == (bucket.Reset{}):
	case !q.reset.FromFirst:
		q.begin(0)
	case q.next != bucket.Forever:
		q.next -= now
	}
}

// readyFrom returns when a quota has n tokens if none can be taken before start.
func (b *dumbBudget) readyFrom(start time.Duration, n int64) time.Duration {
	level, next, every := b.tokens(), b.quota.next, b.quota.reset.Every
	if b.resetsBy(start) {
		level = b.limit.Capacity
		if next = bucket.Forever; !b.quota.reset.FromFirst {
			next = b.quota.instant(b.quota.shown(start) + 1)
		}
	}
	if n <= level {
		return start
	}
	if next == bucket.Forever {
		next = After(start, every)
	}
	periods := (n - max(0, level) - 1) / b.limit.Capacity // after the first
	wait := new(big.Int).Mul(big.NewInt(max(0, periods)), big.NewInt(int64(every)))
	if wait.Add(wait, big.NewInt(int64(next))); !wait.IsInt64() {
		return bucket.Forever
	}
	return time.Duration(wait.Int64())
}

// giveBack adds n tokens that were taken at an earlier instant, if there was no reset since.
func (b *dumbBudget) giveBack(now, taken time.Duration, n int64) {
	if !b.resets() || taken >= b.quota.filled {
		b.add(n)
		b.changed(now)
	}
}
