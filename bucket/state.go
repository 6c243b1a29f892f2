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
	return s
}

// Restore returns the bucket that was saved as s. The arguments now and wall are the current
// instant, by the new bucket's origin and by the wall clock. Restore adds the refill since s.At, up
// to the capacity, or none if s.At is in the future. It fails if the limit is invalid.
func Restore(l Limit, s State, now time.Duration, wall time.Time) (Bucket, error) {
	b, err := New(l, now)
	if err != nil {
		return Bucket{}, err
	}
	var passed time.Duration
	if !s.At.IsZero() {
		passed = max(0, wall.Sub(s.At))
	}
	b.level = max(-maxDebt, min(s.Tokens, b.limit.Capacity))
	if held := max(0, s.Held); passed < held {
		b.refilledTo = now + min(held-passed, Forever-max(now, 0))
	} else {
		// The refill since the end of the hold is counted from 0, because now minus that time
		// might overflow.
		b.refilledTo = 0
		b.Advance(passed - held)
		b.refilledTo, b.lastSeen = now, now
	}
	b.ledger = Ledger{Initial: b.level}
	return b, nil
}
