package bucket

import "time"

// State is a bucket's level in a form that survives a restart, for example as JSON. The zero State
// is an empty bucket, so a lost or unreadable state never becomes a full bucket by accident.
type State struct {
	// Tokens is the level at the wall-clock time At, negative in debt. A zero At means the time of
	// [Restore], so no refill is added.
	Tokens int64     `json:"tokens"`
	At     time.Time `json:"at,omitzero"`

	// Held is how long a hold lasts after At. There is no refill until then. In JSON, Held is in
	// nanoseconds.
	Held time.Duration `json:"held,omitzero"`

	// Resets is the time of the next reset for a Reset with FromFirst, whose limit does not tell it.
	Resets time.Time `json:"resets,omitzero"`
}

// State returns the level at now. The arguments now and wall are the same instant, by the bucket's
// origin and by the wall clock. State keeps the fraction of a token by setting At back to the time
// at which that fraction was zero.
func (b *Bucket) State(now time.Duration, wall time.Time) State {
	b.Advance(now)
	s := State{Tokens: b.level, At: wall.UTC()} // UTC also strips the monotonic reading
	ahead := b.refilledTo - now                 // above zero in a hold, or if the clock was set back
	if ahead < 0 {
		ahead = Forever // the difference overflowed
	}
	if b.held() {
		s.Held = ahead
	} else {
		s.At = s.At.Add(ahead - time.Duration(b.frac/b.refill))
	}
	if next := b.NextReset(); next != Forever && b.limit.Reset.FromFirst {
		s.Resets = s.At.Add(next - b.lastSeen)
	}
	return s
}

// Restore returns the bucket that was saved as s. The arguments now and wall are the current
// instant, by the new bucket's origin and by the wall clock. Restore adds the refill since s.At, up
// to the capacity, or none if s.At is in the future. With a Reset the bucket is full if a reset has
// come since. Restore fails if the limit is invalid.
func Restore(l Limit, s State, now time.Duration, wall time.Time) (Bucket, error) {
	b, err := NewAt(l, now, wall)
	if err != nil {
		return Bucket{}, err
	}
	var passed time.Duration
	if !s.At.IsZero() {
		passed = max(0, wall.Sub(s.At))
	}
	b.level = max(-maxDebt, min(s.Tokens, b.limit.Capacity))
	held := max(0, s.Held)
	switch {
	case passed < held:
		b.refilledTo = now + min(held-passed, Forever-max(now, 0))
	case b.quota.calendar == nil:
		// The refill since the end of the hold is counted from 0, because now minus that time
		// might overflow.
		b.refilledTo = 0
		b.Advance(passed - held)
		b.refilledTo, b.lastSeen = now, now
	}
	if b.quota.calendar != nil {
		b.restorePeriod(s, wall)
	}
	b.ledger = Ledger{Initial: b.level}
	return b, nil
}
