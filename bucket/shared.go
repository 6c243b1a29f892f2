package bucket

import (
	"maps"
	"strconv"
	"time"
)

// Shared is a budget that several processes share, as its store keeps it. It is plain data without a clock,
// and the reference for stores such as Redis: each of them answers as Shared does. The zero Shared is a store
// that knows nothing. Only one goroutine may use it at a time. [Shared.Clone] copies it.
//
// # Bound
//
// A sale takes tokens from the level at once, below zero if they come later, and each token that was sold
// becomes valid when the bucket would have had it. So for every t, the tokens that were sold, were not given
// back and are valid by t are at most
//
//	initial + ⌊Refill · t / Per⌋
//
// where initial is 0 and t begins [LearnTime] after the first exchange. Time is the store's. Holds and charges only
// lower what is sold later. After a new limit, tokens that were sold ahead become valid as by the limit before.
//
// # Windows
//
// In any window of length w, all processes together spend at most
//
//	Refill · w / Per + 1 + n
//
// tokens, where n are in the bucket or in the hands of processes, including those on their way, when the window
// begins. Whatever else they spend is sold in the window. A sale takes tokens that are in the bucket, so they are of
// the n or of the refill in the window, or tokens that become valid when this refill has paid for them. The 1 is for
// the fraction of a token with which the window begins. So bursts are small if processes buy what their calls need
// soon, and give back what lies unused, as a scheduler does. If the store's clock is set forward, the refill of the
// time that it skips comes at once, up to the capacity.
//
// # Lost stores
//
// A store that is new, was restarted, or whose clock goes back by more than a second may not know what it
// has sold. It begins a new epoch: an empty bucket, which sells nothing and gets no refill for LearnTime.
// Meanwhile a process that names an older epoch has what it holds charged, and may go on spending it. Later
// all tokens of older epochs are void. So the bound holds through any number of losses.
type Shared struct {
	run   string // identifies this life of the store
	epoch string

	// Instants are in microseconds. refilledTo is the instant up to which refill is counted. While the store
	// learns or is held, it is the end of that, and so after lastSeen, which is the latest instant seen.
	refilledTo, lastSeen int64
	learnsUntil          int64 // nothing is sold before, since the store may have lost what it knew
	heldUntil            int64 // nothing is sold before, since a server asked to wait

	level   int64 // whole tokens; below zero if later tokens were sold
	part    int64 // the fraction of the next token, in units of 1/per
	sales   int64 // counts the sales
	limit   sharedLimit
	members map[string]member // by their names
}

type sharedLimit struct {
	capacity, refill, per int64
	version               int64 // 0: no limit is known
}

// member is a process that the store remembers.
type member struct {
	lastSeen int64
	seq      uint64
	answer   Answer
}

// Clone returns a copy that is independent of s.
func (s *Shared) Clone() *Shared {
	c := *s
	c.members = maps.Clone(s.members)
	return &c
}

// Exchange answers an ask at now, in microseconds by the store's clock. run identifies this life of the
// store, such as the run id of a Redis server. Another run begins a new epoch. now is between 0 and 2^52, which
// is in the year 2112. An ask that [Ask.Normalize] refuses has no effect, and gets the zero Answer.
func (s *Shared) Exchange(run string, now int64, a Ask) Answer {
	a, err := a.Normalize()
	if err != nil {
		return Answer{}
	}
	now = min(max(now, 0), maxExact)
	if s.epoch == "" || s.run != run || now < s.lastSeen-1_000_000 {
		s.begin(run, now)
	}
	now = max(now, s.lastSeen)
	s.lastSeen = now
	s.forget(now)
	m, known := s.members[a.Process]
	switch {
	case known && m.seq == a.Seq:
		return m.answer
	case known && m.seq > a.Seq: // a copy that was on its way for long
		return s.answer(now, 0)
	}
	s.setLimit(now, a)
	s.fill(now)
	s.book(now, a, known)
	m = member{lastSeen: now, seq: a.Seq}
	if a.Leave {
		m.lastSeen -= SharerTime.Microseconds() + 1 // as if it had been silent for long
	}
	s.members[a.Process] = m // so that it counts as one that shares
	m.answer = s.answer(now, a.Ahead)
	m.answer.Tokens = s.sell(now, a, m.answer)
	s.members[a.Process] = m
	return m.answer
}

// begin begins a new epoch. The limit is kept if one is known.
func (s *Shared) begin(run string, now int64) {
	*s = Shared{
		run: run, epoch: strconv.FormatInt(now, 10) + "-" + run, lastSeen: now, limit: s.limit,
		learnsUntil: now + LearnTime.Microseconds(), members: map[string]member{},
	}
	s.refilledTo = s.learnsUntil
}

// forget forgets the processes that have not been heard of for MemoryTime.
func (s *Shared) forget(now int64) {
	maps.DeleteFunc(s.members, func(_ string, m member) bool { return now-m.lastSeen > MemoryTime.Microseconds() })
}

// setLimit takes the limit of an ask with a higher version.
func (s *Shared) setLimit(now int64, a Ask) {
	if a.Version <= s.limit.version {
		return
	}
	s.fill(now)
	refill, per := a.Limit.MicroRate()
	s.limit = sharedLimit{a.Limit.Capacity, refill, per, a.Version}
	s.level, s.part = min(max(s.level, s.limit.lowest()), s.limit.capacity), 0
}

// fill adds the tokens that come up to an instant.
func (s *Shared) fill(to int64) {
	if to <= s.refilledTo || s.limit.version == 0 {
		return
	}
	l, elapsed := s.limit, to-s.refilledTo
	s.refilledTo = to
	need := (l.capacity - s.level) * l.per
	if elapsed > (need+l.per)/l.refill {
		s.level, s.part = l.capacity, 0
		return
	}
	units := elapsed*l.refill + s.part
	s.level += units / l.per
	s.part = units % l.per
	if s.level >= l.capacity {
		s.level, s.part = l.capacity, 0
	}
}

// lowest returns the lowest level, so that products are exact.
func (l sharedLimit) lowest() int64 { return l.capacity - maxExact/l.per }

// book changes the level by what a process tells. Tokens that it gives back are void if they are of another epoch, or
// if the store has forgotten the process, since the ask may then be a copy that was on its way for long.
func (s *Shared) book(now int64, a Ask, known bool) {
	if a.Epoch == s.epoch && known {
		if s.level += a.Back; s.level >= s.limit.capacity {
			s.level, s.part = s.limit.capacity, 0
		}
	}
	if a.Epoch != s.epoch && a.Epoch != "" && now < s.learnsUntil {
		s.charge(a.Mine)
	}
	s.charge(a.Charge)
	if a.HasRemaining && a.Remaining < s.level {
		s.level, s.part = a.Remaining, 0
	}
	s.heldUntil = max(s.heldUntil, now+a.Hold.Microseconds())
	if s.heldUntil > now { // as for a Bucket, the refill begins when the hold is over
		s.refilledTo = max(s.refilledTo, s.heldUntil)
		s.level, s.part = min(s.level, 0), 0
	}
}

// charge takes tokens from the level.
func (s *Shared) charge(n int64) { s.level = max(s.level-n, s.limit.lowest()) }

// sharers returns how many processes share the budget, at least 1.
func (s *Shared) sharers(now int64) (n int64) {
	for _, m := range s.members {
		if now-m.lastSeen <= SharerTime.Microseconds() {
			n++
		}
	}
	return max(n, 1)
}

// answer returns the state, without a sale.
func (s *Shared) answer(now int64, ahead time.Duration) Answer {
	l, sharers := s.limit, s.sharers(now)
	if ahead <= 0 {
		ahead = l.ahead(sharers)
	}
	return Answer{
		Level: s.level, Part: s.part, Refill: l.refill, Per: l.per, Capacity: l.capacity, Version: l.version, Sharers: sharers,
		Ahead: min(ahead, MaxAhead), Epoch: s.epoch,
		Held:     time.Duration(max(0, s.heldUntil-now)) * time.Microsecond,
		Learning: time.Duration(max(0, s.learnsUntil-now)) * time.Microsecond,
	}
}

// ahead returns how far ahead tokens are sold by default, so that a process buys a hundred tokens at once, but
// no further than a second.
func (l sharedLimit) ahead(sharers int64) time.Duration {
	if l.per/l.refill >= MaxAhead.Microseconds()/100 {
		return MaxAhead
	}
	hundred := time.Duration(100*l.per/l.refill) * time.Microsecond
	return min(max(time.Duration(sharers)*hundred, minAhead), MaxAhead)
}

// sell takes the tokens that a process gets from the level: a fair share of those that are there and of those
// that come within ahead, and no less than it needs for one call.
func (s *Shared) sell(now int64, a Ask, terms Answer) int64 {
	if a.Leave || now < s.refilledTo {
		return 0
	}
	l := s.limit
	coming := terms.Ahead.Microseconds() * l.refill / l.per
	share := max(s.level, 0)/terms.Sharers + s.shareOf(coming, terms.Sharers)
	n := min(a.Want, max(a.Least, share, 1), max(0, s.level-l.lowest()))
	if n > 0 {
		s.sales++
	}
	s.level -= n
	return n
}

// shareOf returns a share of n tokens for the next sale, rounded up or down, so that the shares of as many sales as there
// are sharers add up to n. In the next round of sales others are rounded up, so that those who ask in turn get the same.
func (s *Shared) shareOf(n, sharers int64) int64 {
	rest, turn := n%sharers, (s.sales+s.sales/sharers)%sharers
	return n/sharers + (turn+1)*rest/sharers - turn*rest/sharers
}
