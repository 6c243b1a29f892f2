package scheduler

import (
	"errors"
	"math"
	"math/bits"
	"slices"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/events"
	"example.com/fairlead/retry"
)

// before is what the checks after a move have to know of how things were before it.
type before struct {
	now     time.Duration
	waiting int // let in, never granted, in the queue
}

// check is what holds after every move, whatever it was. The rules that can be checked
// without working out what should have happened are checked here, at little cost; what
// should have happened is for the model to say.
func (s *sim) check(m move, was before) {
	k := s.k
	for i := range k.budgets {
		b := &k.budgets[i]
		l := b.Ledger()
		s.must(l.Initial+l.Refilled+l.Refunded+l.Adjusted == l.Spent+b.Available(), "B5: the ledger balances")
		s.must((b.Available() >= 0 || s.settled) && b.Available() <= b.limit.Capacity, "B2: the level is between nothing and the capacity")
		s.checkBound(i, m)
	}
	s.must(k.now == max(was.now, s.now), "B6: time goes on, and never back")
	s.must(k.wake() > k.now, "B7: what is due has happened")
	s.checkOrder(m)
	s.checkCounts(m, was)
	if k.wanted != 0 {
		s.checkEvents(was.now)
		s.checkUpdates()
	}
}

// checkBound: since the rate last changed, no more was spent than was there and came
// (B2). Whatever adds tokens or takes them off starts the reckoning anew.
func (s *sim) checkBound(i int, m move) {
	b, was := &s.k.budgets[i], &s.bounds[i]
	l := b.Ledger()
	switch m.verb {
	case moveSetLimit, moveRestart, moveAbandon, moveWithdraw, moveFail, movePause, moveResume, moveSleep, moveSettle, moveObserve, moveLearn:
		*was = bound{s.k.now, l.Spent, b.Available() + 1}
		return
	}
	if s.k.paused() {
		return
	}
	high, low := bits.Mul64(uint64(s.k.now-was.at), uint64(b.Limit().Refill))
	if per := uint64(b.Limit().Per); high < per {
		came, _ := bits.Div64(high, low, per)
		if came < math.MaxInt64/2 {
			s.must(l.Spent == was.spent || l.Spent-was.spent <= was.level+int64(came), "B2: no more is spent than there is")
		}
	}
}

type bound struct {
	at    time.Duration
	spent int64
	level int64 // rounded up
}

// checkDelivery checks that no window of time gets more than a full bucket and the refill of
// the window and of maxLate (B7).
func (s *sim) checkDelivery(m move) {
	for i := range s.k.budgets {
		b, d := &s.k.budgets[i], &s.delivered[i]
		rate := max(perNano(b.Limit()), perNano(d.limit)) // it may have changed on the way
		d.level = max(0, d.level-rate*float64(max(0, s.now-d.at)))
		d.at = max(d.at, s.now)
		for _, c := range s.k.effects.granted {
			d.level += float64(c.costOf(i))
		}
		most := float64(b.Limit().Capacity) + rate*float64(b.maxLate()+1)
		switch {
		case d.limit != b.Limit(), slices.Contains([]verb{moveAbandon, moveWithdraw, moveSettle, moveLearn}, m.verb):
			// The rate has changed, or tokens were given back: no more is missing than the bucket says.
			missing := float64(b.Limit().Capacity) - float64(b.Available()) - 1 - rate*float64(m.stall) // less a fraction of a token
			d.limit, d.level = b.Limit(), min(d.level, max(0, missing))
		case len(s.k.effects.granted) > 0: // else it may be in debt
			s.must(d.level <= most*(1+1e-9)+1e-6, "B7: no more is handed over in any window than the bucket and its refill")
		}
	}
}

func perNano(l bucket.Limit) float64 { return float64(l.Refill) / max(1, float64(l.Per)) }

// delivered is a leaky bucket: what is handed over fills it, and it leaks at the budget's rate.
type delivered struct {
	limit bucket.Limit
	at    time.Duration
	level float64
}

// checkOrder: nobody who waits ought to have gone before one of those that were granted
// now (O1, O2). Whoever came after that grant is no witness.
func (s *sim) checkOrder(m move) {
	head := s.k.queue.head()
	if head == nil {
		return
	}
	subject := (m.verb == moveSubmit || m.verb == moveFail) && s.known(m.call) && head == &s.calls[m.call].call
	for i, c := range s.k.effects.granted {
		if i > 0 {
			s.must(s.k.effects.granted[i-1].granted <= c.granted, "D3: grants come in order of time")
		}
		s.must(c.before(head) || head.since > c.granted || subject, "O1: the most senior goes first")
	}
}

// checkCounts: everybody is somewhere, once, and no more run or wait than may (C1, H36).
func (s *sim) checkCounts(m move, was before) {
	k, t := s.k, &s.k.totals
	s.must(k.running.count == len(s.running), "C1: who was granted runs")
	s.must(k.queue.len()+len(k.backoff) == len(s.waiting), "C1: who is not over waits")
	s.must(t.Accepted == t.Ended()+uint64(len(s.running)+len(s.waiting)), "C1: who was accepted is here or over")
	s.must(t.Attempts == s.attempts && t.Retries == s.retries, "B4: an attempt is a grant that was used")
	s.must(t.RateLimited == s.limited, "attempts that failed for the rate limit are counted")
	if k.maxInFlight > 0 && k.running.count > k.maxInFlight && m.verb != moveSetSlots {
		s.must(len(k.effects.granted) == 0, "nobody is granted a slot too many")
	}
	waiting := s.queued()
	if k.maxQueued > 0 && waiting > k.maxQueued && waiting > was.waiting {
		forgiven := m.verb == moveSetRoom || m.verb == moveSubmit && k.overflow == WaitForRoom && !m.asks
		s.must(forgiven, "no more wait than may")
	}
	if k.outside.count > 0 && !k.closed {
		s.must(k.full(), "nobody is outside while there is room")
	}
}

// queued is how many wait for their first attempt, and were let in.
func (s *sim) queued() int { return s.k.queue.all().fresh - s.k.outside.count }

// checkEvents: they come in order of time, and those of a call in the order of its life (E1).
func (s *sim) checkEvents(since time.Duration) {
	granted, ends := 0, 0
	for i := range s.k.effects.events {
		ev := &s.k.effects.events[i]
		at := ev.At.Sub(s.k.origin)
		s.must(at >= since && at <= s.k.now, "E1: events are of now, in order")
		since = at
		switch {
		case ev.Kind == events.Refused:
			ends++
			continue
		case ev.Kind == events.Held || ev.Call == 0:
			continue
		case ev.Kind == events.Granted:
			granted++
		case ev.Kind.Ends():
			ends++
			s.must(ev.Times.Total() == at-s.byID[ev.Call].arrived, "the times of a call add up")
		}
		c := s.byID[ev.Call]
		s.must(follows[c.last].Has(ev.Kind), "E1: the events of a call come in the order of its life")
		c.last = ev.Kind
	}
	s.must(granted == len(s.k.effects.granted), "E3: every grant is told")
	s.must(ends == len(s.k.effects.ended), "E3: every end is told")
}

// checkUpdates: whoever watches a call is told what its events tell, and of no wait that is none.
func (s *sim) checkUpdates() {
	var want []Progress
	for i := range s.k.effects.events {
		ev := &s.k.effects.events[i]
		switch c := s.byID[ev.Call]; {
		case ev.Call == 0 || !c.watched:
		case ev.Kind == events.Queued && ev.Wait > 0:
			want = append(want, Progress{State: Waiting, Call: ev.Call, Budget: ev.Budget, Attempt: ev.Attempt, Position: ev.Position, Wait: ev.Wait})
		case ev.Kind == events.Retrying:
			want = append(want, Progress{State: Retrying, Call: ev.Call, Budget: ev.Budget, Attempt: ev.Attempt, Delay: ev.Delay})
		}
	}
	s.must(len(want) == len(s.k.effects.updates), "who watches a call is told as often as it waits and fails")
	for i, p := range want {
		got := s.k.effects.updates[i].progress
		got.Name, got.MaxAttempts, got.Available, got.Err = "", 0, 0, nil
		s.must(got == p, "who watches a call is told what its events tell")
	}
}

// checkEnd: a call's end is one that its policy allows (R1, R6).
func (s *sim) checkEnd(c *simCall) {
	var exhausted *retry.ExhaustedError
	var tooLong *retry.WaitTooLongError
	switch {
	case errors.As(c.err, &exhausted):
		s.must(exhausted.Attempts == c.policy.MaxRetries+1 && len(exhausted.Errors) == exhausted.Attempts, "R6: exhausted when all retries are used")
	case errors.As(c.err, &tooLong):
		s.must(tooLong.Wait > c.policy.MaxServerWait, "R5: too long a wait")
	}
	s.must(c.call.attempt <= c.policy.MaxRetries+1, "R1: no more attempts than its policy allows")
}

// checkDelay: a call that backs off does so for as long as its policy says (R2, R5).
func (s *sim) checkDelay(c *simCall, v retry.Verdict) {
	p, wait := c.policy, c.due-s.k.now
	if v.Wait > 0 {
		s.must(wait >= v.Wait && wait <= after(v.Wait, min(v.Wait/10, 5*time.Second)), "R5: the server's wait, and little more")
		return
	}
	want := float64(p.Initial)
	for range c.call.attempt - 1 {
		want = min(want*p.Multiplier, float64(p.Max))
	}
	spread := want * max(0, p.Jitter)
	s.must(wait <= p.Max && float64(wait) <= want+spread+2 && float64(wait) >= want-spread-want/1e9-2, "R2: the backoff, give or take the jitter")
}
