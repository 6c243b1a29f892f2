package bucket_test

import (
	"math/big"
	"testing"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/bucket/storetest"
)

// refill adds what has come, microsecond for microsecond.
func (m *shareModel) refill() {
	if m.version == 0 || m.clock.Cmp(m.from) <= 0 {
		return
	}
	passed := new(big.Int).Sub(m.clock, m.from)
	m.from = m.clock
	m.level.Add(m.level, new(big.Rat).Mul(ratOf(passed), m.rate))
	m.level = minOf(m.level, whole(m.capacity))
}

// floor returns the lowest level.
func (m *shareModel) lowest() *big.Rat {
	per := ratOf(m.rate.Denom())
	room := floorOf(new(big.Rat).Quo(whole(1<<52), per))
	return new(big.Rat).Sub(whole(m.capacity), ratOf(room))
}

func (m *shareModel) setLimit(a bucket.Ask) {
	if a.Version <= m.version {
		return
	}
	micros := floorOf(big.NewRat(int64(a.Limit.Per)+999, 1000))
	m.rate = new(big.Rat).Quo(whole(a.Limit.Refill), ratOf(micros))
	m.version, m.capacity = a.Version, a.Limit.Capacity
	m.level = minOf(maxOf(ratOf(floorOf(m.level)), m.lowest()), whole(m.capacity))
}

func (m *shareModel) book(a bucket.Ask, known bool) {
	if known && a.Epoch == m.epoch {
		m.level.Add(m.level, whole(a.Back))
		m.level = minOf(m.level, whole(m.capacity))
	}
	spent := a.Charge
	if a.Epoch != m.epoch && a.Epoch != "" && m.clock.Cmp(m.learnsUntil) < 0 {
		spent += a.Mine
	}
	// What can't be counted is forgiven. The fraction of a token stays.
	fraction := new(big.Rat).Sub(m.level, ratOf(floorOf(m.level)))
	m.level = maxOf(new(big.Rat).Sub(m.level, whole(spent)), new(big.Rat).Add(m.lowest(), fraction))
	if a.HasRemaining && whole(a.Remaining).Cmp(ratOf(floorOf(m.level))) < 0 {
		m.level = whole(a.Remaining)
	}
	if until := in(m.clock, a.Hold); until.Cmp(m.heldUntil) > 0 {
		m.heldUntil = until
	}
	if m.heldUntil.Cmp(m.clock) > 0 { // nothing is there, and nothing comes before the end of the hold
		m.from = latest(m.from, m.heldUntil)
		m.level = minOf(ratOf(floorOf(m.level)), new(big.Rat))
	}
}

// sharers returns how many processes share.
func (m *shareModel) sharers() (n int64) {
	for _, p := range m.processes {
		if !p.left && in(p.heard, bucket.SharerTime).Cmp(m.clock) >= 0 {
			n++
		}
	}
	return max(n, 1)
}

// answer returns the state.
func (m *shareModel) answer(ahead time.Duration) bucket.Answer {
	n := m.sharers()
	if ahead == 0 { // a hundred tokens for each
		hundred := floorOf(new(big.Rat).Quo(whole(100), m.rate))
		all := new(big.Int).Mul(hundred, big.NewInt(n))
		ahead = time.Duration(minOf(maxOf(ratOf(all), whole(50_000)), whole(1_000_000)).Num().Int64()) * time.Microsecond
	}
	down := floorOf(m.level)
	part := new(big.Rat).Sub(m.level, ratOf(down))
	part.Mul(part, ratOf(m.rate.Denom()))
	rest := func(until *big.Int) time.Duration {
		return max(0, time.Duration(new(big.Int).Sub(until, m.clock).Int64())*time.Microsecond)
	}
	return bucket.Answer{
		Level: down.Int64(), Part: part.Num().Int64(), Refill: m.rate.Num().Int64(), Per: m.rate.Denom().Int64(),
		Capacity: m.capacity, Version: m.version, Sharers: n, Ahead: min(ahead, time.Second),
		Held: rest(m.heldUntil), Learning: rest(m.learnsUntil), Epoch: m.epoch,
	}
}

// sell sells one token after the other, to each process its part of those there are and those that come soon.
func (m *shareModel) sell(a bucket.Ask, got bucket.Answer) int64 {
	if a.Leave || m.clock.Cmp(m.learnsUntil) < 0 || m.clock.Cmp(m.heldUntil) < 0 {
		return 0
	}
	coming := floorOf(new(big.Rat).Mul(whole(int64(got.Ahead/time.Microsecond)), m.rate))
	there := floorOf(maxOf(m.level, new(big.Rat)))
	part := new(big.Int).Div(there, big.NewInt(got.Sharers))
	part.Add(part, m.shareOf(coming, got.Sharers))
	room := floorOf(new(big.Rat).Sub(m.level, m.lowest()))
	sold := minOf(whole(a.Want), minOf(maxOf(whole(a.Least), maxOf(ratOf(part), whole(1))), ratOf(room)))
	m.level.Sub(m.level, sold)
	if sold.Sign() > 0 {
		m.sales++
	}
	return sold.Num().Int64()
}

// shareOf cuts a row of n tokens into as many parts as there are sharers, each of which ends at the last whole token, and
// returns the part for this sale. A round of sales takes each part once, and the next round begins with another.
func (m *shareModel) shareOf(n *big.Int, sharers int64) *big.Int {
	place := (m.sales%sharers + m.sales/sharers) % sharers
	end := func(place int64) *big.Int {
		return floorOf(new(big.Rat).Mul(ratOf(n), big.NewRat(place, sharers)))
	}
	return new(big.Int).Sub(end(place+1), end(place))
}

// TestSharedAgainstModel: Shared answers as the model does, whatever it is asked.
func TestSharedAgainstModel(t *testing.T) {
	for seed := range uint64(150) {
		var m shareModel
		storetest.Differential(t, seed, 300, m.exchange)
	}
}
