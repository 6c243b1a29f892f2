package core

import (
	"math"
	"math/bits"
	"slices"
	"time"

	"example.com/fairlead/bucket"
)

// stock holds the tokens that this process has bought from the store of a shared budget, and has not spent. Each
// token has the instant at which the shared bucket gets it, and is valid from then on. So the refill stays a
// function of time, and a call is granted at the exact instant of its tokens.
//
// At the fence the process gives back all tokens that are left, since the store may forget by then that it has sold
// them. A store that has forgotten them is in another epoch, and ignores what comes back.
type stock struct {
	purchases []purchase    // in the order in which they were bought
	overlap   bool          // a purchase may have a token that is valid before one of an earlier purchase
	here      int64         // tokens that are valid and not spent
	at        time.Duration // the latest instant seen
	heldUntil time.Duration // the end of a server's wait; it may have passed
	fence     time.Duration // from then on no bought token is spent
	ledger    bucket.Ledger
	own       *bucket.Bucket // replaces the purchases while the process goes on alone, since the store is away
	alone     int64          // the rate of own is that of the limit divided by alone; 0: the process does not go on alone

	since         time.Duration // when the current second began
	recent, taken int64         // tokens spent in the second before since, and from since on

	dialogue
}

// advance makes valid the tokens that are due by an instant.
func (s *stock) advance(at time.Duration) {
	if at <= s.at {
		return
	}
	s.at = at
	if s.own != nil {
		s.advanceOwn()
	}
	for i := range s.purchases {
		s.mature(&s.purchases[i])
	}
	if d := (at - s.since).Truncate(time.Second); d > 0 {
		if s.recent = s.taken; d > time.Second { // nothing in the second before
			s.recent = 0
		}
		s.taken, s.since = 0, s.since+d
	}
}

// mature makes valid the tokens of a purchase that are due.
func (s *stock) mature(p *purchase) {
	if n := p.validBy(s.at) - p.valid; n > 0 {
		p.valid += n
		s.here += n
		s.ledger.Refilled += n
	}
}

func (s *stock) advanceOwn() {
	before := s.own.Available()
	s.own.Advance(s.at)
	n := s.own.Available() - before
	s.here += n
	s.ledger.Refilled += n
}

// clone returns a copy that is independent of s.
func (s *stock) clone() *stock {
	c := *s
	c.purchases = slices.Clone(s.purchases)
	if s.own != nil {
		own := *s.own
		c.own = &own
	}
	return &c
}

// holdEnds returns the instant before which no token leaves.
func (s *stock) holdEnds() time.Duration { return max(s.at, s.heldUntil) }

// unspent returns how many tokens the process has, including those that are not valid yet.
func (s *stock) unspent() int64 {
	if s.own != nil {
		return s.here
	}
	n := int64(0)
	for i := range s.purchases {
		n += s.purchases[i].left()
	}
	return n
}

// endsAt returns when the last token that was bought is valid.
func (s *stock) endsAt() time.Duration {
	at := s.at
	for i := range s.purchases {
		at = max(at, s.purchases[i].complete)
	}
	return at
}

// ready returns when n tokens can be spent, as far as that is certain. It returns [bucket.Forever] if they have not
// been bought, or if they become valid after the fence, which each exchange moves.
func (s *stock) ready(n int64) time.Duration {
	switch {
	case n <= 0:
		return s.holdEnds()
	case s.own != nil:
		return max(s.own.Ready(n), s.heldUntil)
	}
	at := s.validAt(n)
	if at >= s.fence {
		return bucket.Forever
	}
	return at
}

// validAt returns when n tokens are valid and no hold stops them, or [bucket.Forever] if they have not been bought.
func (s *stock) validAt(n int64) time.Duration {
	at := s.holdEnds()
	if s.here >= n {
		return at
	}
	if n > s.unspent() {
		return bucket.Forever
	}
	if s.overlap {
		return max(at, s.overlappingAt(n))
	}
	n -= s.here
	for i := range s.purchases {
		p := &s.purchases[i]
		if coming := p.tokens - p.valid; coming < n {
			n -= coming
			continue
		}
		return max(at, p.validAt(p.valid+n))
	}
	return bucket.Forever
}

// overlappingAt returns when n tokens are valid if purchases overlap in time, as they do after tokens were given
// back between them. It finds the instant by bisection.
func (s *stock) overlappingAt(n int64) time.Duration {
	from, to := s.at, s.endsAt() // they are not valid at from, and are at to
	for to-from > 1 {
		at, valid := from+(to-from)/2, int64(0)
		for i := range s.purchases {
			valid += s.purchases[i].validBy(at) - s.purchases[i].spent
		}
		if valid >= n {
			to = at
		} else {
			from = at
		}
	}
	return to
}

// add adds a purchase.
func (s *stock) add(p purchase) {
	s.mature(&p)
	s.overlap = s.overlap && len(s.purchases) > 0 || s.endsAt() > p.validAt(p.valid+1)
	s.purchases = append(s.purchases, p)
}

// earliest returns the first instant at which n tokens could be spent, if the store had a full bucket and sold all of
// it to this process.
func (s *stock) earliest(n int64, l bucket.Limit) time.Duration {
	if at := s.validAt(n); at != bucket.Forever {
		return at
	}
	at := s.holdEnds()
	if s.own == nil {
		at = max(at, s.sellsFrom)
	}
	return After(at, refillTime(n-s.unspent()-l.Capacity, l))
}

// expected returns when n tokens can be spent, if each process gets an equal share of the rate. It returns
// [bucket.Forever] if that is not known, since the store is away.
func (s *stock) expected(n int64, l bucket.Limit) time.Duration {
	if s.own != nil {
		return s.ready(n)
	}
	if at := s.validAt(n); at != bucket.Forever {
		return at
	}
	if s.away {
		return bucket.Forever
	}
	at := max(s.holdEnds(), s.sellsFrom, s.endsAt())
	more := n - s.unspent()
	if sharers := max(1, s.sharers); more <= math.MaxInt64/sharers {
		return After(at, refillTime(more*sharers, l))
	}
	return bucket.Forever
}

// take spends n tokens if they are valid.
func (s *stock) take(at time.Duration, n int64) bool {
	s.advance(at)
	if n < 0 || n > s.here || s.heldUntil > s.at {
		return false
	}
	s.spend(n)
	return true
}

// spend spends n valid tokens, the oldest purchases first.
func (s *stock) spend(n int64) {
	s.ledger.Spent += n
	s.taken = addCosts(s.taken, n)
	s.remove(n)
}

// remove takes n valid tokens out of the purchases, the oldest first.
func (s *stock) remove(n int64) {
	s.here -= n
	if s.own != nil {
		s.own.Charge(s.at, n) // not Take, which a hold stops
		return
	}
	for i := 0; n > 0; i++ {
		p := &s.purchases[i]
		k := min(n, p.valid-p.spent)
		p.spent += k
		n -= k
	}
	s.purchases = slices.DeleteFunc(s.purchases, func(p purchase) bool { return p.left() == 0 })
}

// drop forgets all tokens, without giving them back.
func (s *stock) drop() {
	s.ledger.Adjusted -= s.here
	s.here, s.own = 0, nil
	s.purchases = s.purchases[:0]
}

// giveBackAll gives all tokens back to the store.
func (s *stock) giveBackAll() {
	if s.own == nil {
		s.tellBack(s.unspent())
	}
	s.drop()
}

// lapsesAt returns when the next tokens have to be given back, because they lie unused or the fence is reached.
func (s *stock) lapsesAt() time.Duration {
	at := bucket.Forever
	for i := range s.purchases {
		at = min(at, s.purchases[i].lapsesAt, s.fence)
	}
	return at
}

// lapse gives back all tokens at the fence, and before it those that have lain unused for lapseTime.
func (s *stock) lapse(now time.Duration) {
	if now >= s.fence && len(s.purchases) > 0 {
		s.giveBackAll()
		return
	}
	s.purchases = slices.DeleteFunc(s.purchases, func(p purchase) bool {
		if p.lapsesAt > now {
			return false
		}
		unspent := p.valid - p.spent
		s.here -= unspent
		s.ledger.Adjusted -= unspent
		s.tellBack(p.left())
		return true
	})
}

// refund takes back n tokens that were spent. They are the first to be spent again, and lapse if they are not.
// Tokens above the capacity are dropped, as in a bucket. After the fence they go back to the store at once.
func (s *stock) refund(at time.Duration, n, capacity int64) {
	s.advance(at)
	if n = min(n, capacity-s.here); n <= 0 {
		return
	}
	s.ledger.Refunded += n
	if s.own == nil && s.at >= s.fence { // the call took long
		s.ledger.Adjusted -= n
		s.tellBack(n)
		return
	}
	s.here += n
	if s.own != nil {
		s.own.Refund(s.at, n)
		return
	}
	for i := range s.purchases { // adds to a purchase that is complete, if there is one
		if p := &s.purchases[i]; p.complete <= s.at {
			p.tokens, p.valid = p.tokens+n, p.valid+n
			return
		}
	}
	s.purchases = slices.Insert(s.purchases, 0, refunded(s.at, n))
}

// charge spends n tokens, and charges the store for those that this process does not have.
func (s *stock) charge(at time.Duration, n int64) {
	s.advance(at)
	if n <= 0 {
		return
	}
	paid := min(n, s.here)
	s.spend(paid)
	s.ledger.Spent += n - paid
	s.ledger.Adjusted += n - paid
	s.tellCharge(n - paid)
}

// setLevel lowers the number of valid tokens to what a server says remains.
func (s *stock) setLevel(at time.Duration, n int64) {
	s.advance(at)
	if gone := s.here - max(n, 0); gone > 0 {
		s.ledger.Adjusted -= gone
		s.remove(gone)
	}
	s.tellRemaining(max(0, n-s.unspent()))
}

// serverHolds holds this process, and has the store hold the others.
func (s *stock) serverHolds(at, until time.Duration) {
	if s.hold(at, until); s.heldUntil == until {
		s.tellHold = true
		s.tellNow()
	}
}

// hold gives all tokens back and spends none before an instant.
func (s *stock) hold(at, until time.Duration) {
	s.advance(at)
	if until <= s.holdEnds() {
		return
	}
	s.heldUntil = until
	if s.own == nil {
		s.giveBackAll()
		return
	}
	s.own.Hold(s.at, until)
	s.ledger.Adjusted -= s.here
	s.here = 0
}

// refillTime returns how long the refill of n tokens takes, rounded down.
func refillTime(n int64, l bucket.Limit) time.Duration {
	hi, lo := bits.Mul64(uint64(max(0, n)), uint64(l.Per))
	if hi >= uint64(l.Refill) {
		return bucket.Forever
	}
	nanos, _ := bits.Div64(hi, lo, uint64(l.Refill))
	return time.Duration(min(nanos, uint64(bucket.Forever)))
}
