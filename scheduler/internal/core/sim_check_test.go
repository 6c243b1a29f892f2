package core

import (
	"errors"
	"math"
	"math/bits"
	"slices"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/events"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler/internal/observer"
)

// before is the state before a move, as far as the checks need it.
type before struct {
	now     time.Duration
	waiting int // queued, never granted and not waiting for room
	later   int // not arrived
}

// check checks the rules that hold after every move. What exactly should have happened is compared
// with the model.
func (s *sim) check(m move, was before) {
	k := s.k
	for i := range k.Budgets {
		b := &k.Budgets[i]
		l := b.Ledger()
		s.must(l.Initial+l.Refilled+l.Refunded+l.Adjusted == l.Spent+b.Available(), "B5, ledger: initial + refilled + refunded + adjusted = spent + available")
		s.must((b.Available() >= 0 || s.settled) && b.Available() <= b.Configured.Capacity, "B2, exactness: the level is between zero and the capacity")
		s.checkBound(i, m)
	}
	s.must(k.Now == max(was.now, s.now), "B6, clock jumps: the core's time never goes back")
	s.must(k.Wake() > k.Now || k.Now == bucket.Forever, "B7, late owner: nothing that is due is left") // the last instant saturates
	s.checkOrder(m)
	s.checkCounts(m, was)
	if k.Wanted != 0 {
		s.checkEvents(was.now)
		s.checkUpdates()
	}
}

// checkBound checks B2, exactness. Since the last change, no more was spent than the level and the
// refill. A move that changes the rate or the level starts a new sum.
func (s *sim) checkBound(i int, m move) {
	b, was := &s.k.Budgets[i], &s.bounds[i]
	l := b.Ledger()
	switch m.verb {
	case moveSetLimit, moveRestart, moveAbandon, moveWithdraw, moveFail, movePause, moveResume, moveSleep, moveSettle, moveObserve, moveLearn:
		*was = bound{s.k.Now, l.Spent, b.Available() + 1}
		return
	}
	if s.k.Paused() || b.isQuota() {
		return
	}
	high, low := bits.Mul64(uint64(s.k.Now-was.at), uint64(b.Limit().Refill))
	if per := uint64(b.Limit().Per); high < per {
		came, _ := bits.Div64(high, low, per)
		if came < math.MaxInt64/2 {
			s.must(l.Spent == was.spent || l.Spent-was.spent <= was.level+int64(came), "B2: no more is spent than the level and the refill")
		}
	}
}

type bound struct {
	at    time.Duration
	spent int64
	level int64 // rounded up
}

// checkDelivery checks B7, late owner: no window of time gets more than a full bucket and the
// refill of the window and of maxLate.
func (s *sim) checkDelivery(m move) {
	for i := range s.k.Budgets {
		b, d := &s.k.Budgets[i], &s.delivered[i]
		if b.isQuota() { // see checkPeriods
			*d = delivered{}
			continue
		}
		rate := max(perNano(b.Limit()), perNano(d.limit)) // the rate may have changed in between
		d.level = max(0, d.level-rate*float64(max(0, s.now-d.at)))
		d.at = max(d.at, s.now)
		for _, c := range s.k.Effects.Granted {
			d.level += float64(c.costOf(i))
		}
		most := float64(b.Limit().Capacity) + rate*float64(b.maxLate()+1)
		switch {
		case d.limit != b.Limit(), slices.Contains([]verb{moveAbandon, moveWithdraw, moveSettle, moveLearn}, m.verb):
			// After a new rate or a refund the bucket's own level counts.
			missing := float64(b.Limit().Capacity) - float64(b.Available()) - 1 - rate*float64(m.stall) // minus a fraction of a token
			d.limit, d.level = b.Limit(), min(d.level, max(0, missing))
		case len(s.k.Effects.Granted) > 0: // without a grant, a correction may have put it into debt
			s.must(d.level <= most*(1+1e-9)+1e-6, "B7: no window gets more than a full bucket and the refill")
		}
	}
}

// checkPeriods checks B15, resets. Of what is handed over between two resets by the wall clock, a quota
// has paid no more than its capacity.
func (s *sim) checkPeriods(m move) {
	for i := range s.k.Budgets {
		b, p := &s.k.Budgets[i], &s.periods[i]
		r := b.Limit().Reset
		if r.Every == 0 || r.FromFirst || s.setBack {
			*p = period{}
			continue
		}
		shown := simOrigin.Add(s.now + s.drift)
		number := shown.Unix() - r.From
		if number -= (number%int64(r.Every/time.Second) + int64(r.Every/time.Second)) % int64(r.Every/time.Second); number != p.number {
			p.number, p.spent = number, 0
		}
		for _, c := range s.k.Effects.Granted {
			p.spent += c.costOf(i)
		}
		switch {
		case p.limit != b.Limit() || slices.Contains([]verb{moveAbandon, moveWithdraw, moveSettle, moveLearn}, m.verb):
			if p.limit, p.spent = b.Limit(), min(p.spent, b.Limit().Capacity-b.Available()); b.resetsBy(s.now) {
				p.spent = 0 // a reset has come during the stall
			}
		case len(s.k.Effects.Granted) > 0:
			s.must(p.spent <= b.Limit().Capacity, "B15, resets: no more is spent in a period than the quota")
		}
	}
}

// period counts what was handed over since the latest reset.
type period struct {
	limit  bucket.Limit
	number int64
	spent  int64
}

func perNano(l bucket.Limit) float64 { return float64(l.Refill) / max(1, float64(l.Per)) }

// delivered is a leaky bucket. Grants that are handed over fill it, and it leaks at the budget's
// rate.
type delivered struct {
	limit bucket.Limit
	at    time.Duration
	level float64
}

// checkOrder checks O1, FIFO, and O2, seniority: no waiting call ranks before one that was granted,
// unless it came after that grant.
func (s *sim) checkOrder(m move) {
	for i, c := range s.k.Effects.Granted {
		if i > 0 {
			s.must(s.k.Effects.Granted[i-1].detail.granted <= c.detail.granted, "D3, long steps: grants are in order of time")
		}
		head := s.k.laneOf(c).waiting.head()
		if head == nil {
			continue
		}
		subject := (m.verb == moveSubmit || m.verb == moveFail || m.verb == movePriority) && s.known(m.call) && head == &s.calls[m.call].Call
		lowered := m.verb == movePriority && s.known(m.call) && c == &s.calls[m.call].Call // after its grant
		b := s.cfg.RetryBudget                                                             // with Wait, what was granted may have paid for the head, at the same instant
		paid := b != nil && b.Wait && head.Attempts > 0 && head.Since() == c.detail.granted
		s.must(c.Before(head) || head.Since() > c.detail.granted || subject || lowered || paid, "O1: a granted call ranks before the head of the queue of its key")
	}
}

// checkCounts checks that every call is in exactly one place, and that the limits on running and
// waiting calls hold. It covers C1, one end, and H36, slots.
func (s *sim) checkCounts(m move, was before) {
	k, t := s.k, &s.k.Totals
	s.must(k.running.count == len(s.running), "C1: every granted call runs")
	s.must(k.queued+len(k.backoff)+len(k.later) == len(s.waiting), "C1: every other unfinished call waits")
	s.must(t.Accepted == t.Ended()+uint64(len(s.running)+len(s.waiting)), "C1: every accepted call is here or has ended")
	s.must(t.Attempts == s.attempts && t.Retries == s.retries, "B4, paid attempts: every used grant is one attempt")
	s.must(t.RateLimited == s.limited, "rate-limited attempts are counted")
	if k.MaxInFlight > 0 && k.running.count > k.MaxInFlight && m.verb != moveSetSlots {
		s.must(len(k.Effects.Granted) == 0, "no call is granted without a slot")
	}
	waiting := s.queued()
	if s.profile.keys == 0 && k.MaxQueued > 0 && waiting > k.MaxQueued && waiting > was.waiting { // a key with none is let in
		forgiven := m.verb == moveSetRoom || m.verb == moveSubmit && k.overflow == waitForRoom && !m.wantsAdmission ||
			k.overflow != dropLowest && (len(k.later) < was.later || m.later > 0) // it was admitted when it was submitted
		s.must(forgiven, "no more calls wait than MaxQueued")
	}
	if k.waitingForRoom.count > 0 && !k.Closed {
		s.must(k.queueFull(s.k.waitingForRoom.first), "no call waits for room while there is room")
	}
}

// queued returns how many calls are in the queue for their first attempt, without those that wait
// for room.
func (s *sim) queued() int { return s.k.neverGranted - s.k.waitingForRoom.count }

// checkEvents checks E1, order: events are in order of time, and those of a call in a possible order.
func (s *sim) checkEvents(since time.Duration) {
	granted, ends := 0, 0
	for i := range s.k.Effects.Events {
		ev := &s.k.Effects.Events[i]
		at := ev.At.Sub(s.k.origin)
		s.must(at >= since && at <= s.k.Now, "E1: events are in order of time")
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
		s.must(observer.Follows[c.last].Has(ev.Kind), "E1: the events of a call are in a possible order")
		c.last = ev.Kind
	}
	s.must(granted == len(s.k.Effects.Granted), "E3, completeness: every grant has an event")
	s.must(ends == len(s.k.Effects.Ended), "E3: every end has an event")
}

// checkUpdates checks that the progress of a watched call agrees with its events.
func (s *sim) checkUpdates() {
	var want []events.Event
	for i := range s.k.Effects.Events {
		ev := &s.k.Effects.Events[i]
		switch c := s.byID[ev.Call]; {
		case ev.Call == 0 || !c.Watched:
		case ev.Kind == events.Queued && ev.Wait > 0:
			want = append(want, *ev)
		case ev.Kind == events.Retrying, ev.Kind == events.Later:
			want = append(want, *ev)
		}
	}
	s.must(len(want) == len(s.k.Effects.Updates), "a watched call has one update for each wait, each retry and if it is Later")
	for i, ev := range want {
		ev.Err = s.byID[ev.Call].LastErr()
		s.must(s.k.Effects.Updates[i].Event == ev, "an update is the event, with the latest error")
	}
}

// checkEnd checks that a call's policy allows its end. It covers R1, default policy, and R6,
// errors.
func (s *sim) checkEnd(c *simCall) {
	var exhausted *retry.ExhaustedError
	var tooLong *retry.WaitTooLongError
	switch {
	case errors.As(c.detail.err, &exhausted):
		s.must(len(exhausted.Errors) == exhausted.Attempts, "R6: an exhausted call has the error of each attempt")
		if exhausted.Budget != nil {
			b := s.cfg.RetryBudget
			if exhausted.Key != "" {
				b = s.cfg.PerKey.RetryBudget
			}
			s.must(b != nil && !b.Wait && exhausted.Attempts <= s.policy.MaxRetries, "R9: a call ends for want of a retry budget if there is one, and retries are left")
			s.must(*exhausted.Budget == b.WithDefaults() && (exhausted.Key == "" || exhausted.Key == c.Key()), "R9: the error says which budget")
		} else if exhausted.MaxElapsed == 0 {
			s.must(exhausted.Attempts == s.policy.MaxRetries+1, "R6: a call is exhausted when all retries are used")
		} else {
			s.must(exhausted.MaxElapsed == s.policy.MaxElapsed && exhausted.Elapsed > exhausted.MaxElapsed, "R8, MaxElapsed: or when the next would begin too late")
		}
	case errors.As(c.detail.err, &tooLong):
		s.must(tooLong.Wait > s.policy.MaxServerWait, "R5, server's wait: WaitTooLongError only above MaxServerWait")
	}
	s.must(int(c.Attempts) <= s.policy.MaxRetries+1, "R1: no more attempts than the policy allows")
}

// checkDelay checks that a call backs off for as long as its policy says. It covers R2, backoff,
// and R5, server's wait.
func (s *sim) checkDelay(c *simCall, v retry.Verdict) {
	p, wait := &s.policy, c.detail.due-s.k.Now
	if v.Wait > 0 {
		s.must(wait >= v.Wait && wait <= After(v.Wait, min(v.Wait/10, 5*time.Second)), "R5: the delay is the server's wait and at most a tenth more")
		return
	}
	want := float64(p.Initial)
	for range int(c.Attempts) - 1 {
		want = min(want*p.Multiplier, float64(p.Max))
	}
	spread := want * max(0, p.Jitter)
	s.must(wait <= p.Max && float64(wait) <= want+spread+2 && float64(wait) >= want-spread-want/1e9-2, "R2: the delay is the backoff within the jitter")
}
