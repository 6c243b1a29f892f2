package bucket

import (
	"errors"
	"time"
)

// quota is the part of a bucket whose limit has a [Reset].
//
// A period begins with a reset, and with FromFirst later, when the first token is taken. The latter is
// noted only by the next Advance: see NextReset.
type quota struct {
	calendar *calendar     // nil if the tokens come evenly
	origin   time.Time     // what the wall clock shows at the instant 0; zero if that is not known
	latest   int64         // the number of the latest reset
	filled   time.Duration // when that came
	next     time.Duration // when the next one comes; Forever if no period has begun
}

var errNoWall = errors.New("bucket: a limit with a Reset needs the time of day: make the bucket with NewAt or Restore")

// NewAt returns a bucket that is full at now. The arguments now and wall are the same instant, by the
// bucket's origin and by the wall clock. A limit with a Reset needs that, and other limits don't. NewAt
// fails if the limit is invalid, or if it has a Reset and wall is zero.
func NewAt(l Limit, now time.Duration, wall time.Time) (Bucket, error) {
	var q quota
	q.setOrigin(now, wall)
	if err := q.check(l); err != nil {
		return Bucket{}, err
	}
	l = l.WithDefaults()
	b := Bucket{refilledTo: now, lastSeen: now, level: l.Capacity, ledger: Ledger{Initial: l.Capacity}, quota: q}
	b.setRate(l)
	return b, nil
}

// check returns an error if the limit is invalid, or if it needs the time of day and that is not known.
func (q *quota) check(l Limit) error {
	err := l.Validate()
	if err == nil && l.Reset != (Reset{}) && q.origin.IsZero() {
		return errNoWall
	}
	return err
}

// setOrigin notes that an instant is wall by the wall clock. It ignores times that can't be right.
func (q *quota) setOrigin(now time.Duration, wall time.Time) {
	if !wall.IsZero() && inRange(wall.Unix()) {
		half := now / 2 // since -now might overflow
		q.origin = wall.Round(0).Add(-half).Add(half - now)
	}
}

// setReset makes the bucket follow the resets of its limit. The present period goes on if the resets
// are the same as before.
func (b *Bucket) setReset(r Reset) {
	q := &b.quota
	switch {
	case r == (Reset{}):
		q.calendar = nil
	case q.calendar == nil || q.calendar.Reset != r:
		q.calendar = newCalendar(r)
		q.filled, q.next = -Forever, Forever
		if !r.FromFirst {
			q.begin(b.lastSeen)
		}
	}
}

// SetWall tells a bucket that now and wall are the same instant, if the wall clock was set or the
// machine has slept. If a reset has come meanwhile by the wall clock, it comes now. If the clock was
// set back, a reset that has come before does not come again until a whole period has passed since.
// SetWall changes nothing if the limit has no Reset or one with FromFirst.
func (b *Bucket) SetWall(now time.Duration, wall time.Time) {
	b.Advance(now)
	q := &b.quota
	q.setOrigin(now, wall)
	if q.calendar == nil || q.calendar.FromFirst {
		return
	}
	switch k := q.calendar.number(q.unix(b.lastSeen)); {
	case k > q.latest:
		b.fill()
		q.filled = b.lastSeen
	case k == q.latest:
		q.next = q.instant(k + 1)
	default:
		q.setBack(k)
	}
}

// setBack finds the next reset after the wall clock was set back over the latest one. It is the first
// that comes a whole period or more after the latest one came. Now the clock shows the period after
// reset k.
func (q *quota) setBack(k int64) {
	k++
	period := time.Duration(q.calendar.at(k)-q.calendar.at(k-1)) * time.Second
	for q.instant(k) < after(q.filled, period) {
		k++
	}
	q.next = q.instant(k)
}

// NextReset returns the instant of the next reset after the latest instant seen. It returns [Forever]
// if the limit has no Reset, or if it depends on when the first token is taken.
func (b *Bucket) NextReset() time.Duration {
	q := &b.quota
	switch {
	case q.calendar == nil || q.calendar.FromFirst && b.level >= b.limit.Capacity:
		return Forever
	case q.calendar.FromFirst && q.next == Forever:
		return after(b.lastSeen, q.calendar.Every) // a token was taken then
	}
	return q.next
}

// RefundFrom gives back n tokens that were taken at an earlier instant and not used. They are dropped
// if a reset has come since, because the new period did not pay for them. Without a Reset it is the
// same as [Bucket.Refund].
func (b *Bucket) RefundFrom(now, taken time.Duration, n int64) {
	b.Advance(now)
	if !b.ResetSince(taken) {
		b.Refund(now, n)
	}
}

// ResetSince reports whether a reset has come after the given instant, up to the latest instant seen. It
// is false without a Reset.
func (b *Bucket) ResetSince(at time.Duration) bool {
	return b.quota.calendar != nil && at < b.quota.filled
}

// advanceQuota is Advance for a limit with a Reset. A hold does not stop resets.
func (b *Bucket) advanceQuota(now time.Duration) {
	q := &b.quota
	q.next = b.NextReset()
	b.lastSeen = max(b.lastSeen, now)
	b.refilledTo = max(b.refilledTo, now)
	if q.next <= b.lastSeen && q.next != Forever {
		b.fill()
	}
}

// fill fills the bucket, since a reset has come.
func (b *Bucket) fill() {
	if q := &b.quota; q.calendar.FromFirst {
		q.filled, q.next = q.next, Forever
	} else {
		q.begin(b.lastSeen)
	}
	b.ledger.Refilled += b.add(b.room())
}

// begin notes the latest reset up to an instant.
func (q *quota) begin(now time.Duration) {
	q.latest = q.calendar.number(q.unix(now))
	q.filled, q.next = q.instant(q.latest), q.instant(q.latest+1)
}

// readyAfterResets is Ready for a limit with a Reset, if the tokens are not there.
func (b *Bucket) readyAfterResets(n int64) time.Duration {
	q, start := &b.quota, b.refilledTo
	level, next := b.level, b.NextReset()
	if next <= start && next != Forever { // one comes before the hold ends
		level, next = b.limit.Capacity, Forever
		if n <= level {
			return start
		}
		if !q.calendar.FromFirst {
			next = q.instant(q.calendar.number(q.unix(start)) + 1)
		}
	}
	if q.calendar.FromFirst && next == Forever {
		next = after(start, q.calendar.Every) // the first token is taken as soon as possible
	}
	missing := max(1, n-max(0, level)) // a reset forgives a debt
	return q.later(next, (missing-1)/b.limit.Capacity)
}

// later returns the instant of the reset that comes the given number of resets after another one.
func (q *quota) later(reset time.Duration, more int64) time.Duration {
	switch {
	case more == 0:
		return reset
	case more > horizon/q.calendar.period():
		return Forever
	case q.calendar.FromFirst:
		if every := q.calendar.Every; more <= int64(Forever/every) {
			return after(reset, time.Duration(more)*every)
		}
		return Forever
	}
	return q.instant(q.calendar.number(q.unix(reset)) + more)
}

// restorePeriod continues the period in which a state was saved.
func (b *Bucket) restorePeriod(s State, wall time.Time) {
	q, full := &b.quota, false
	switch {
	case q.calendar.FromFirst && !s.Resets.IsZero():
		if full = !wall.Before(s.Resets); !full {
			q.next = after(b.lastSeen, min(s.Resets.Sub(wall), q.calendar.Every))
		}
	case q.calendar.FromFirst || s.At.IsZero():
	case !s.At.Before(time.Unix(q.calendar.at(q.latest+1), 0)): // the clock was set back
		q.filled = b.lastSeen
		q.setBack(q.latest)
		q.latest++
	default:
		full = s.At.Before(time.Unix(q.calendar.at(q.latest), 0))
	}
	if full {
		b.level = b.limit.Capacity
	}
}

// unix returns what the wall clock shows at an instant, in Unix seconds.
func (q *quota) unix(at time.Duration) int64 { return q.origin.Add(at).Unix() }

// instant returns the instant of reset k.
func (q *quota) instant(k int64) time.Duration {
	return time.Unix(q.calendar.at(k), 0).Sub(q.origin) // saturates
}

// after returns at + d without overflow. d must not be negative.
func after(at, d time.Duration) time.Duration {
	if at > 0 && d > Forever-at {
		return Forever
	}
	return at + d
}
