package bucket

import "time"

// State is a bucket's level in a form that survives a restart, for example as
// JSON. The zero State is an empty bucket: a lost or unreadable state never
// becomes a full bucket by accident.
type State struct {
	// Tokens were in the bucket at the wall-clock instant At; negative in debt.
	// A zero At stands for the instant of [Restore]: no time has passed.
	Tokens int64     `json:"tokens"`
	At     time.Time `json:"at,omitzero"`

	// Held is how long after At a hold lasts: no refill until then. In JSON it is in
	// nanoseconds.
	Held time.Duration `json:"held,omitzero"`
}

// State returns the level at the instant at, which the wall clock calls wall.
// The fraction of a token is kept by setting At back to when it was nought.
func (b *Bucket) State(at time.Duration, wall time.Time) State {
	b.Advance(at)
	s := State{Tokens: b.level, At: wall.UTC()} // UTC also strips the monotonic reading
	ahead := b.at - at                          // of a hold, or of a clock that was set back
	if ahead < 0 {
		ahead = Forever // the difference overflowed
	}
	if b.held() {
		s.Held = ahead
	} else {
		s.At = s.At.Add(ahead - time.Duration(b.part/b.refill))
	}
	return s
}

// Restore returns the bucket that was saved as s, at the instant at, which the
// wall clock calls wall. It is refilled for the time that has passed by the wall
// clock since s.At, and not at all if s.At is in the future; the level is at most
// the capacity. It fails if the limit is invalid.
func Restore(l Limit, s State, at time.Duration, wall time.Time) (Bucket, error) {
	b, err := New(l, at)
	if err != nil {
		return Bucket{}, err
	}
	var passed time.Duration
	if !s.At.IsZero() {
		passed = max(0, wall.Sub(s.At))
	}
	b.level = max(-maxDebt, min(s.Tokens, b.limit.Capacity))
	if held := max(0, s.Held); passed < held {
		b.at = at + min(held-passed, Forever-max(at, 0))
	} else {
		// Refill counts from when the hold was over. The origin is moved for a
		// moment, so that an instant before it can be told.
		b.at = 0
		b.Advance(passed - held)
		b.at, b.seen = at, at
	}
	b.ledger = Ledger{Initial: b.level}
	return b, nil
}
