// Package bucket implements an exact token bucket. A [Bucket] is a plain value and reads no clock.
//
// # Time
//
// The caller passes the current instant to each method. An instant is a [time.Duration] since an
// origin that the caller chooses, the same for all calls on a bucket. Time never goes back: an
// instant before the latest one that the bucket has seen counts as that latest one.
//
// # Exactness
//
// A level is a whole number of tokens and a fraction in units of 1/Per token, so each nanosecond
// adds exactly Refill units. Products have 128 bits. Nothing is rounded, drifts or overflows,
// whatever the limit. The tokens granted by time t are at most
//
//	initial + floor(Refill · t / Per)
//
// and the bucket never holds more whole tokens than its capacity. A full bucket drops new tokens,
// except for the fraction that arrived within the last nanosecond. Instants are whole nanoseconds,
// so a token that was due between two of them would otherwise delay the next one. Thus a caller
// that takes each token as soon as it arrives gets the full rate, at any capacity. In any window
// of length w, fewer than capacity + Refill · (w + 1ns) / Per tokens are granted.
//
// # Resets
//
// A limit with a [Reset] is filled at its instants, to its capacity and from any debt, and gets nothing
// in between. The instants are by the wall clock, so its bucket needs the time of day: see [NewAt]. Neither
// [Bucket.Hold] nor [Bucket.Skip] stops resets.
package bucket

import (
	"math"
	"math/bits"
	"time"
)

// Forever is the instant that never comes. Instants saturate here.
const Forever = time.Duration(math.MaxInt64)

// maxDebt is how far below zero [Bucket.Charge] can take a level. It keeps sums of a level and a
// cost from overflowing.
const maxDebt = math.MaxInt64 / 2

// Bucket is a token bucket. Make one with [New] or [Restore]; the zero Bucket is not usable. A copy
// is an independent bucket. A Bucket has no lock, so only one goroutine may use it at a time.
type Bucket struct {
	limit       Limit
	refill, per uint64 // the limit's Refill and Per, reduced by their common divisor
	maxFrac     uint64 // the largest frac of a full bucket: less than a nanosecond's refill, and less than a token

	level int64  // whole tokens; negative in debt
	frac  uint64 // the fraction of the next token, in units of 1/per; below per, and at most maxFrac when full

	// refilledTo is the instant up to which refill is counted, and lastSeen the latest instant seen.
	// While a hold is on, refilledTo is its end and so after lastSeen. Otherwise the two are equal.
	refilledTo, lastSeen time.Duration

	ledger Ledger

	quota quota // for a limit with a Reset
}

// Ledger counts the tokens that came and went. It balances after every step:
//
//	Initial + Refilled + Refunded + Adjusted == Spent + available
type Ledger struct {
	Initial  int64 `json:"initial"`  // in the bucket at the start
	Refilled int64 `json:"refilled"` // arrived with time and fit into the bucket
	Refunded int64 `json:"refunded"` // given back and fit into the bucket
	Adjusted int64 `json:"adjusted"` // added or (negative) removed by a hold, a lower capacity or [Bucket.SetLevel]
	Spent    int64 `json:"spent"`    // taken or charged
}

// New returns a bucket that is full at now. It fails if the limit is invalid, or if it has a Reset,
// which needs [NewAt].
func New(l Limit, now time.Duration) (Bucket, error) { return NewAt(l, now, time.Time{}) }

func (b *Bucket) setRate(l Limit) {
	b.setReset(l.Reset)
	b.limit = l
	refill, per := max(1, uint64(l.Refill)), max(1, uint64(l.Per)) // with a Reset both are 0
	d := gcd(refill, per)
	b.refill, b.per = refill/d, per/d
	b.maxFrac = min(b.refill, b.per) - 1
}

func gcd(a, b uint64) uint64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// Limit returns the current limit.
func (b *Bucket) Limit() Limit { return b.limit }

// Available returns the number of whole tokens at the latest instant seen, negative in debt. Call
// [Bucket.Advance] first to get the current number.
func (b *Bucket) Available() int64 { return b.level }

// Ledger returns the ledger at the latest instant seen.
func (b *Bucket) Ledger() Ledger { return b.ledger }

// HeldUntil returns the end of the current hold, or the latest instant seen if no hold is on. No
// token can be taken before it.
func (b *Bucket) HeldUntil() time.Duration { return b.refilledTo }

func (b *Bucket) held() bool { return b.lastSeen < b.refilledTo }

// Advance adds the tokens that arrive up to now.
func (b *Bucket) Advance(now time.Duration) {
	if b.quota.calendar != nil {
		b.advanceQuota(now)
		return
	}
	b.lastSeen = max(b.lastSeen, now)
	if now <= b.refilledTo {
		return
	}
	elapsed := uint64(now) - uint64(b.refilledTo) // exact even where the signed difference would overflow
	b.refilledTo = now
	if b.room() == 0 {
		b.frac = b.maxFrac
		return
	}
	hi, lo := bits.Mul64(elapsed, b.refill)
	lo, carry := bits.Add64(lo, b.frac, 0)
	hi += carry
	tokens := uint64(math.MaxUint64)
	if hi < b.per {
		tokens, b.frac = bits.Div64(hi, lo, b.per)
	}
	b.ledger.Refilled += b.add(tokens)
}

// Skip lets time pass up to now without refill, as for a bucket that was stopped and goes on where
// it was. A hold still ends at its instant, and resets come at theirs.
func (b *Bucket) Skip(now time.Duration) {
	if b.quota.calendar != nil {
		b.advanceQuota(now)
		return
	}
	b.lastSeen = max(b.lastSeen, now)
	b.refilledTo = max(b.refilledTo, now)
}

// Postpone advances to now as if the last n tokens taken had stayed in the bucket until now. Refill
// that would not have fit beside them is lost. Use it if a caller got its tokens late. If n ≤ 0,
// Postpone is the same as [Bucket.Advance].
func (b *Bucket) Postpone(now time.Duration, n int64) {
	n = int64(min(uint64(max(n, 0)), b.room()))
	b.level += n
	b.Advance(now)
	b.level -= n
}

// add puts tokens in and returns how many of them fit.
func (b *Bucket) add(tokens uint64) int64 {
	room := b.room()
	switch {
	case tokens > room:
		tokens, b.frac = room, b.maxFrac
	case tokens == room:
		b.frac = min(b.frac, b.maxFrac)
	}
	b.level += int64(tokens)
	return int64(tokens)
}

// room returns how many more tokens fit into the bucket. The difference of two int64 always fits
// a uint64.
func (b *Bucket) room() uint64 { return uint64(b.limit.Capacity) - uint64(b.level) }

// Ready returns the first instant at which n tokens will be available if nothing else happens. It
// is not before the latest instant seen. Ready returns [Forever] if the instant is too far away for
// a duration. The capacity does not limit n, so n can be the sum of several costs that will be taken
// one after another.
func (b *Bucket) Ready(n int64) time.Duration {
	if b.level >= n {
		return b.refilledTo
	}
	if b.quota.calendar != nil {
		return b.readyAfterResets(n)
	}
	hi, lo := bits.Mul64(uint64(n)-uint64(b.level), b.per)
	lo, borrow := bits.Sub64(lo, b.frac, 0)
	hi -= borrow
	if hi >= b.refill {
		return Forever
	}
	wait, rest := bits.Div64(hi, lo, b.refill)
	if wait >= uint64(Forever)-uint64(b.refilledTo) {
		return Forever
	}
	if rest > 0 {
		wait++ // the first whole nanosecond at which the last unit is there
	}
	return b.refilledTo + time.Duration(wait)
}

// Take takes n tokens if they are available and no hold is on. It reports whether it did. It refuses
// a negative n.
func (b *Bucket) Take(now time.Duration, n int64) bool {
	b.Advance(now)
	if n < 0 || n > b.level || b.held() {
		return false
	}
	b.level -= n
	b.ledger.Spent += n
	return true
}

// Refund gives back n tokens that were taken and not used. Tokens that do not fit into the bucket
// are dropped. If n ≤ 0, Refund changes nothing.
func (b *Bucket) Refund(now time.Duration, n int64) {
	b.Advance(now)
	if n > 0 {
		b.ledger.Refunded += b.add(uint64(n))
	}
}

// Charge takes n tokens even if they are not available. The bucket may go into debt, and no token
// can be taken until the refill has paid the debt. A debt is at most about 4.6·10¹⁸ tokens. If
// n ≤ 0, Charge changes nothing.
func (b *Bucket) Charge(now time.Duration, n int64) {
	b.Advance(now)
	if n <= 0 {
		return
	}
	n = min(n, maxDebt+min(b.level, 0))
	b.level -= n
	b.ledger.Spent += n
}

// SetLevel sets the number of whole tokens to n, but at least to 0 and at most to the capacity. Use
// it if a better source knows the level, such as the server. The ledger counts the difference as
// Adjusted.
func (b *Bucket) SetLevel(now time.Duration, n int64) {
	b.Advance(now)
	before := b.level
	b.level = 0
	b.add(uint64(max(n, 0)))
	b.ledger.Adjusted += b.level - before
}

// Hold empties the bucket and stops it until the given instant. No token can be taken before, and
// the refill starts again only then. So calls that wait for the end of the hold come at the refill
// rate, and not as a thundering herd. Hold never shortens an earlier hold, and keeps debt. With a Reset
// the bucket is not emptied, and resets come at their instants.
func (b *Bucket) Hold(now, until time.Duration) {
	b.Advance(now)
	if until <= b.refilledTo {
		return
	}
	b.refilledTo = until
	if b.quota.calendar != nil {
		return
	}
	if b.level > 0 {
		b.ledger.Adjusted -= b.level
		b.level = 0
	}
	b.frac = 0
}

// SetLimit changes the limit. Refill up to now counts at the old rate. Tokens above the new capacity
// are dropped, and a higher capacity adds none before the next reset, if there are resets. If the limit
// is invalid, SetLimit returns an error and changes nothing. The same goes for a Reset if the bucket was
// made by [New].
func (b *Bucket) SetLimit(now time.Duration, l Limit) error {
	if err := b.quota.check(l); err != nil {
		return err
	}
	b.Advance(now)
	oldPer := b.per
	b.setRate(l.WithDefaults())
	// The same fraction of a token in the new units, rounded down.
	hi, lo := bits.Mul64(b.frac, b.per)
	b.frac, _ = bits.Div64(hi, lo, oldPer)
	if level := b.level; level >= b.limit.Capacity {
		b.level = 0
		b.ledger.Adjusted += b.add(uint64(level)) - level
	}
	return nil
}
