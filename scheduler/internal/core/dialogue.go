package core

import (
	"time"

	"example.com/fairlead/bucket"
)

// dialogue has what a process tells the store of a shared budget, and what the store has answered. Only one ask is
// open at a time. An ask that fails is sent again unchanged, and a store that has answered it repeats the answer.
type dialogue struct {
	process string
	version int64 // of the limit
	ahead   time.Duration

	// What the store has said.
	epoch       string
	sharers     int64
	soldAhead   time.Duration // how far ahead it sells
	sellsFrom   time.Duration // before then it sells nothing, or is not asked to; it may have passed
	roundTrip   time.Duration // of an exchange, smoothed
	level       int64         // of the shared bucket after this process's latest purchase
	refill, per int64         // of the shared bucket, as in the answer

	// What the store is to be told, by tellBy at the latest.
	back, charged int64
	remaining     int64 // -1: nothing
	missed        int64 // the highest cost of a call that did not wait for its tokens
	tellHold      bool  // whether to tell that a server asked this process to wait, until heldUntil
	tellBy        time.Duration

	// The latest ask. It is open until it is answered.
	ask         bucket.Ask
	open        bool
	underway    bool          // an attempt was sent, and has neither failed nor been answered
	firstSent   time.Duration // when its first attempt was sent
	sent        time.Duration // when its latest attempt was sent
	pause       time.Duration // between its latest failure and the next attempt
	retryAt     time.Duration // when the next attempt is due
	silentSince time.Duration // when the store's present silence began; bucket.Forever: it is not silent
	away        bool          // the store has been silent for awayTime
	exchanges   uint64        // how many asks were answered
	failure     error         // of the latest attempt that has failed
}

const (
	// tellTime is how long a process collects what it has to tell, unless it asks for tokens.
	tellTime = 100 * time.Millisecond

	// awayTime is how long a store may be silent before it counts as away.
	awayTime = time.Second

	// resendTime is how long an ask is sent again unchanged. The store remembers a process for longer.
	resendTime = 2 * time.Second

	leastPause, mostPause = 5 * time.Millisecond, 200 * time.Millisecond // between two attempts
	leastLead, mostLead   = 3 * time.Millisecond, 500 * time.Millisecond // see lead
)

// demand has what calls need from a shared budget now.
type demand struct {
	head   int64 // the cost of the first queued call
	queued int64 // the cost of all queued calls that may need tokens soon
	later  time.Duration
	none   bool // nothing is to be bought, since the scheduler is paused
	slow   bool // calls wait for another budget, so nothing is bought before the head needs it
}

func (s *stock) tellBack(n int64) {
	if n > 0 {
		s.back += n
		s.tellBy = min(s.tellBy, After(s.at, tellTime))
	}
}

func (s *stock) tellCharge(n int64) {
	if n > 0 {
		s.charged = addCosts(s.charged, n)
		s.tellBy = min(s.tellBy, After(s.at, tellTime))
	}
}

// tellRemaining has the store lower its level to n, which a server says remains, unless the level is certainly lower.
func (s *stock) tellRemaining(n int64) {
	if s.per == 0 {
		return // the store has not answered yet, and begins empty
	}
	most := addCosts(s.level, scale(int64(s.at-s.sent)/1000, s.refill, s.per)+1)
	if n < most && (s.remaining < 0 || n < s.remaining) {
		s.remaining = n
		s.tellBy = min(s.tellBy, After(s.at, tellTime))
	}
}

// tellNow makes the process ask the store at once.
func (s *stock) tellNow() { s.tellBy = s.at }

// lead returns how long before its last token becomes valid the process asks for more, so that the answer comes in
// time.
func (s *stock) lead() time.Duration { return min(max(2*s.roundTrip, leastLead), mostLead) }

// spare returns how many tokens to buy for calls that have not come yet, so that they need not wait for the store. At the
// recent rate, they last as long as the store sells ahead.
func (s *stock) spare() int64 {
	return scale(max(s.recent, s.taken), int64(s.soldAhead), int64(time.Second))
}

// wants returns how many tokens to ask for, how many of them one call needs, and when to ask.
func (s *stock) wants(d demand) (want, least int64, at time.Duration) {
	unspent, spare := s.unspent(), s.spare()
	at = max(s.heldUntil, s.sellsFrom, d.later-s.lead())
	switch {
	case d.none || d.slow && unspent >= d.head:
	case d.queued > unspent:
		if unspent >= d.head {
			at = max(at, s.endsAt()-s.lead())
		}
		return addCosts(d.queued-unspent, addCosts(spare, spare)), max(1, d.head-unspent), at // grows until it is enough
	case s.missed > unspent:
		return addCosts(s.missed, spare), s.missed - unspent, at
	case d.queued == 0 && spare > 1 && unspent < spare/4:
		return spare, 1, at
	}
	return 0, 0, bucket.Forever
}

// renewAt returns when to exchange again, so that the fence moves before the process reaches it. It is 1.25 s after the
// latest exchange. A process with queued calls buys again after bucket.MaxAhead, which is earlier, so it does not
// exchange only to renew.
func (s *stock) renewAt() time.Duration {
	if len(s.purchases) == 0 {
		return bucket.Forever
	}
	return s.fence - 3*bucket.Grace/8
}

// next returns what to send to the store now, if anything.
func (s *stock) next(d demand, l bucket.Limit) (bucket.Ask, bool) {
	switch {
	case s.underway || s.open && s.at < s.retryAt:
		return bucket.Ask{}, false
	case s.open:
		if s.at-s.firstSent >= resendTime {
			s.startOver()
		}
	default:
		want, least, at := s.wants(d)
		if s.at < min(at, s.tellBy, s.renewAt()) {
			return bucket.Ask{}, false
		}
		if s.at < at {
			want, least = 0, 0
		}
		s.compose(want, least, l)
	}
	s.underway, s.sent = true, s.at
	return s.ask, true
}

// compose opens the next ask, with all that the store is to be told.
func (s *stock) compose(want, least int64, l bucket.Limit) {
	s.ask = bucket.Ask{
		Process: s.process, Seq: s.ask.Seq + 1, Want: want, Least: least, Ahead: s.ahead, Back: s.back, Charge: s.charged,
		Epoch: s.epoch, Mine: s.unspent(), Limit: l, Version: s.version,
	}
	if s.remaining >= 0 {
		s.ask.HasRemaining, s.ask.Remaining = true, s.remaining
	}
	if s.tellHold {
		s.ask.Hold = max(0, s.heldUntil-s.at)
	}
	s.back, s.charged, s.remaining, s.missed, s.tellHold, s.tellBy = 0, 0, -1, 0, false, bucket.Forever
	s.open, s.firstSent, s.pause = true, s.at, leastPause
	s.silentSince = min(s.silentSince, s.at)
}

// startOver gives the open ask a new number, and brings it up to date. It gives nothing back any more, since the store
// may have taken that back already.
func (s *stock) startOver() {
	s.ask.Seq++
	s.ask.Back, s.ask.Epoch, s.ask.Mine = 0, s.epoch, s.unspent()
	s.ask.Hold = min(s.ask.Hold, max(0, s.heldUntil-s.at))
	s.firstSent = s.at
}

// failed notes that the latest attempt has failed.
func (s *stock) failed(err error) {
	s.underway, s.failure = false, err
	s.retryAt = After(s.at, s.pause)
	s.pause = min(2*s.pause, mostPause)
}

// lookAgain returns when next may have something to send, if nothing else happens.
func (s *stock) lookAgain(d demand) time.Duration {
	switch {
	case s.underway:
		return bucket.Forever
	case s.open:
		return s.retryAt
	}
	_, _, at := s.wants(d)
	return min(at, s.tellBy, s.renewAt())
}

// answered applies an answer. It reports whether the answer has a server's wait that is new to this process.
func (s *stock) answered(a bucket.Answer) (held bool) {
	least := After(s.holdEnds(), tellTime) // a wait that is hardly longer is not new
	if s.ask.Hold > 0 {
		least = After(least, s.at-s.sent)
	}
	s.open, s.underway, s.away, s.silentSince = false, false, false, bucket.Forever
	s.exchanges++
	s.fence = After(s.sent, bucket.Grace)
	s.roundTrip += (s.at - s.sent - s.roundTrip) / 4
	if s.own != nil {
		s.drop()
	}
	if a.Epoch != s.epoch {
		s.enter(a)
	}
	s.sharers, s.soldAhead, s.sellsFrom = a.Sharers, a.Ahead, 0
	if a.Learning > 0 {
		s.sellsFrom = After(s.at, a.Learning)
	}
	if s.ask.Want > 0 && a.Tokens == 0 { // the store sells nothing now, so the next ask has to wait
		s.sellsFrom = max(s.sellsFrom, After(s.at, tellTime))
	}
	if until := After(s.at, a.Held); a.Held > 0 && until > least {
		s.hold(s.at, until)
		held = true
	}
	s.level, s.refill, s.per = a.Level-a.Tokens, a.Refill, a.Per
	if a.Tokens > 0 {
		s.add(newPurchase(s.at, a))
	}
	return held
}

// enter enters a new epoch of the store. If the store still learns, it has charged the tokens that this process had
// when it asked, so they may be spent. Otherwise they are void. Tokens that were to be given back are
// forgotten, since they were sold in an earlier epoch.
func (s *stock) enter(a bucket.Answer) {
	s.epoch, s.back = a.Epoch, 0
	if a.Learning <= 0 {
		s.drop()
	}
}

// awayAt returns when the store will count as away, if it stays silent.
func (s *stock) awayAt() time.Duration {
	if !s.open || s.away {
		return bucket.Forever
	}
	return After(s.silentSince, awayTime)
}

// aloneAt returns when the process goes on alone, if the store stays silent, or [bucket.Forever] if it may not. That is
// not before the fence, so that no bought token is left.
func (s *stock) aloneAt() time.Duration {
	if s.alone == 0 || !s.open || s.own != nil {
		return bucket.Forever
	}
	return max(s.fence, After(s.silentSince, awayTime))
}

// goOnAlone makes a bucket of this process's own, which is empty and has its share of the rate.
func (s *stock) goOnAlone(l bucket.Limit) {
	s.drop()
	l.Per = time.Duration(scale(int64(l.Per), s.alone, 1))
	b, err := bucket.New(l, s.at)
	if err != nil {
		panic("scheduler: a part of a valid limit is not valid")
	}
	b.SetLevel(s.at, 0)
	b.Hold(s.at, s.heldUntil)
	s.own = &b
}
