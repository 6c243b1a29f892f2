// Package bucket is an exact token bucket: a plain value that reads no clock.
//
// # Time
//
// Every instant is a [time.Duration] since an origin of the caller's choosing,
// the same one for all calls on a bucket. A bucket never moves backwards: an
// instant before the latest one it has seen counts as that latest one.
//
// # Exactness
//
// A level is a whole number of tokens and a fraction counted in units of 1/Per
// token, so that one nanosecond adds exactly Refill units. Products have 128
// bits. Nothing is rounded, nothing drifts and nothing overflows, whatever the
// limit: over any schedule the tokens granted by t are at most
//
//	initial + floor(Refill · t / Per)
//
// and the bucket never holds more than its capacity in whole tokens. What a full
// bucket can't hold is gone, except for the fraction of a token that came within the
// last nanosecond: instants are whole nanoseconds, and a token that was due between
// two of them must not cost the next one its head start. So a taker who is there all
// the time gets the full rate, at any capacity, and within any window of length w
// fewer than capacity + Refill · (w + 1ns) / Per tokens are granted.
package bucket

import (
	"math"
	"math/bits"
	"time"
)

// Forever is the instant that never comes. Instants saturate here.
const Forever = time.Duration(math.MaxInt64)

// maxDebt bounds how far below zero [Bucket.Charge] can take a level, so that
// no sum of a level and a cost can overflow.
const maxDebt = math.MaxInt64 / 2

// Bucket is a token bucket. Make one with [New] or [Restore]; the zero Bucket is of no
// use. It is a value: a copy is an independent bucket. It has no lock; one goroutine may
// use it at a time.
type Bucket struct {
	limit       Limit
	refill, per uint64 // the limit's Refill and Per, reduced by their common divisor
	slack       uint64 // the most units beyond a full bucket: less than a nanosecond's, and than a token

	level  int64         // whole tokens; negative in debt
	part   uint64        // units towards the next token, less than per; at most slack when full
	at     time.Duration // the instant up to which refill is counted
	seen   time.Duration // the latest instant seen; before at only during a hold, which ends at at
	ledger Ledger
}

// Ledger accounts for every token that ever came or went. It balances after
// every step:
//
//	Initial + Refilled + Refunded + Adjusted == Spent + available
type Ledger struct {
	Initial  int64 `json:"initial"`  // in the bucket at the start
	Refilled int64 `json:"refilled"` // came with time; what a full bucket could not hold is not counted
	Refunded int64 `json:"refunded"` // given back, as far as the bucket could hold it
	Adjusted int64 `json:"adjusted"` // added, or taken off (negative), by a hold, a lower capacity or [Bucket.SetLevel]
	Spent    int64 `json:"spent"`    // taken or charged
}

// New returns a full bucket at the instant at. It fails if the limit is invalid.
func New(l Limit, at time.Duration) (Bucket, error) {
	if err := l.Validate(); err != nil {
		return Bucket{}, err
	}
	l = l.WithDefaults()
	b := Bucket{at: at, seen: at, level: l.Capacity, ledger: Ledger{Initial: l.Capacity}}
	b.setRate(l)
	return b, nil
}

func (b *Bucket) setRate(l Limit) {
	b.limit = l
	refill, per := uint64(l.Refill), uint64(l.Per)
	d := gcd(refill, per)
	b.refill, b.per = refill/d, per/d
	b.slack = min(b.refill, b.per) - 1
}

func gcd(a, b uint64) uint64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// Limit returns the limit in force.
func (b *Bucket) Limit() Limit { return b.limit }

// Available returns the whole tokens held at the latest instant seen, negative
// in debt. [Bucket.Advance] first to know about now.
func (b *Bucket) Available() int64 { return b.level }

// Ledger returns the account at the latest instant seen.
func (b *Bucket) Ledger() Ledger { return b.ledger }

// HeldUntil returns the instant before which no token leaves: the end of the
// hold that is on, or else the latest instant seen.
func (b *Bucket) HeldUntil() time.Duration { return b.at }

func (b *Bucket) held() bool { return b.seen < b.at }

// Advance counts the refill up to the instant at.
func (b *Bucket) Advance(at time.Duration) {
	b.seen = max(b.seen, at)
	if at <= b.at {
		return
	}
	elapsed := uint64(at) - uint64(b.at) // exact even where the signed difference would overflow
	b.at = at
	if b.room() == 0 {
		b.part = b.slack
		return
	}
	hi, lo := bits.Mul64(elapsed, b.refill)
	lo, carry := bits.Add64(lo, b.part, 0)
	hi += carry
	tokens := uint64(math.MaxUint64)
	if hi < b.per {
		tokens, b.part = bits.Div64(hi, lo, b.per)
	}
	b.ledger.Refilled += b.add(tokens)
}

// Skip lets time pass up to the instant at without refill: a bucket that is stopped and
// then goes on where it was. A hold that is on runs out meanwhile as it would have.
func (b *Bucket) Skip(at time.Duration) {
	b.seen = max(b.seen, at)
	b.at = max(b.at, at)
}

// Postpone counts the refill up to the instant at, as if the last n tokens taken had still been
// in the bucket until then. What does not fit into the bucket is lost. Use it if a taker was
// given its tokens late. With n ≤ 0 it is the same as [Bucket.Advance].
func (b *Bucket) Postpone(at time.Duration, n int64) {
	n = int64(min(uint64(max(n, 0)), b.room()))
	b.level += n
	b.Advance(at)
	b.level -= n
}

// add puts tokens in and returns how many the bucket could hold.
func (b *Bucket) add(tokens uint64) int64 {
	room := b.room()
	switch {
	case tokens > room:
		tokens, b.part = room, b.slack
	case tokens == room:
		b.part = min(b.part, b.slack)
	}
	b.level += int64(tokens)
	return int64(tokens)
}

// room is how many tokens the bucket could still hold. The difference of two
// int64 always fits an uint64.
func (b *Bucket) room() uint64 { return uint64(b.limit.Capacity) - uint64(b.level) }

// Ready returns the first instant, not before the latest one seen, at which n
// tokens will be there if nothing else happens. It is [Forever] when that is
// beyond reckoning. The capacity does not limit n, so that it can be the sum of
// several costs that will be taken one after another as they fall due.
func (b *Bucket) Ready(n int64) time.Duration {
	if b.level >= n {
		return b.at
	}
	hi, lo := bits.Mul64(uint64(n)-uint64(b.level), b.per)
	lo, borrow := bits.Sub64(lo, b.part, 0)
	hi -= borrow
	if hi >= b.refill {
		return Forever
	}
	wait, rest := bits.Div64(hi, lo, b.refill)
	if wait >= uint64(Forever)-uint64(b.at) {
		return Forever
	}
	if rest > 0 {
		wait++ // the first whole nanosecond at which the last unit is there
	}
	return b.at + time.Duration(wait)
}

// Take takes n tokens at the instant at if they are there and no hold is on,
// and reports whether it did. A negative n is refused.
func (b *Bucket) Take(at time.Duration, n int64) bool {
	b.Advance(at)
	if n < 0 || n > b.level || b.held() {
		return false
	}
	b.level -= n
	b.ledger.Spent += n
	return true
}

// Refund gives back n tokens that were taken and never used, as though they had
// not been taken: what the bucket can't hold is gone. n ≤ 0 changes nothing.
func (b *Bucket) Refund(at time.Duration, n int64) {
	b.Advance(at)
	if n > 0 {
		b.ledger.Refunded += b.add(uint64(n))
	}
}

// Charge takes n tokens whether or not they are there: the bucket goes into debt,
// which refill pays off before anything can be taken again. The debt is bounded
// at about 4.6·10¹⁸ tokens. n ≤ 0 changes nothing.
func (b *Bucket) Charge(at time.Duration, n int64) {
	b.Advance(at)
	if n <= 0 {
		return
	}
	n = min(n, maxDebt+min(b.level, 0))
	b.level -= n
	b.ledger.Spent += n
}

// SetLevel sets the whole tokens held to n, or to the capacity if n is above it, because
// somebody who knows better says so. The ledger has the difference in Adjusted. A
// negative n counts as 0.
func (b *Bucket) SetLevel(at time.Duration, n int64) {
	b.Advance(at)
	before := b.level
	b.level = 0
	b.add(uint64(max(n, 0)))
	b.ledger.Adjusted += b.level - before
}

// Hold lets no token leave before until, empties the bucket and restarts its
// refill at until, so that whatever waits is afterwards spread out by the refill
// rate instead of being let go at once. It never shortens an earlier hold.
func (b *Bucket) Hold(at, until time.Duration) {
	b.Advance(at)
	if until <= b.at {
		return
	}
	if b.level > 0 {
		b.ledger.Adjusted -= b.level
		b.level = 0
	}
	b.part = 0
	b.at = until
}

// SetLimit changes the limit at the instant at. The level carries over: refill
// is counted at the old rate until at, tokens above the new capacity are dropped,
// and a higher capacity adds none. It fails, and changes nothing, if the limit is
// invalid.
func (b *Bucket) SetLimit(at time.Duration, l Limit) error {
	if err := l.Validate(); err != nil {
		return err
	}
	b.Advance(at)
	old := b.per
	b.setRate(l.WithDefaults())
	// The same fraction of a token in the new units, rounded down.
	hi, lo := bits.Mul64(b.part, b.per)
	b.part, _ = bits.Div64(hi, lo, old)
	if over := b.level; over >= b.limit.Capacity {
		b.level = 0
		b.ledger.Adjusted += b.add(uint64(over)) - over
	}
	return nil
}
