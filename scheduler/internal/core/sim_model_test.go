package core

import (
	"cmp"
	"math"
	"slices"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/events"
	"example.com/fairlead/retry"
)

// applyToModel makes the same move in the model.
func (s *sim) applyToModel(m move) {
	d := s.d
	if m.verb == moveSetWall {
		d.setWall(s.now, s.drift)
	}
	if s.profile.owner || m.verb == moveSleep {
		d.wakeUp(s.now)
	}
	d.advance(max(s.now, d.now))
	if (m.key > 0 || m.weight > 0) && m.verb != moveForgetKey {
		d.useKeys()
	}
	switch m.verb {
	case moveSubmit:
		c := s.calls[m.call]
		c.model = dumbCall{id: uint64(len(s.byID) - 1), costs: m.costs, priority: m.priority, deadline: c.until, noWait: m.noWait, maxWait: m.maxWait, wantsAdmission: m.wantsAdmission, tracked: m.tracked(), policy: &s.policy, later: m.later, lane: d.lane(m.keyName()), weight: max(1, m.weight)}
		if c.Nested() && c.detail.extra.outer != nil {
			c.model.outer = &s.calls[m.inside-1].model
			c.model.outerAttempt = int(c.detail.extra.outerAttempt)
		}
		d.submit(&c.model)
		s.must((c.model.end == events.Refused) == (c.ID == 0), "calls are refused as in the model")
	case moveSucceed, moveFail, moveAbandon, moveCancel, moveWithdraw, movePriority, moveSettle:
		if s.known(m.call) {
			s.applyToModelCall(m, &s.calls[m.call].model)
		}
	case movePause:
		d.pause(After(d.now, m.d))
	case moveResume:
		d.pause(0)
	case moveSetLimit:
		d.setLimit(m.n, m.limit)
	case moveSetSlots:
		bySlots := d.bySlots()
		if d.slots = m.n; d.bySlots() != bySlots {
			d.restartShares()
		}
		d.advanceNow()
	case moveSetRoom:
		d.room = m.n
		d.advanceNow()
	case moveObserve:
		d.observe(m.n, m.costs[0])
	case moveLearn:
		d.learn(m.n, m.limit, m.costs[0])
	case moveDrain:
		d.drain()
	default:
		s.applyKeyToModel(m)
	}
}

// applyKeyToModel makes a move that names a key.
func (s *sim) applyKeyToModel(m move) {
	d, i := s.d, m.n-s.profile.budgets
	switch m.verb {
	case movePauseKey:
		d.pauseKey(d.lane(m.keyName()), d.now+m.d)
	case moveSetLimitOfKey:
		d.setLimitOfKey(d.lane(m.keyName()), i, m.limit)
	case moveForgetKey:
		d.forgetKey(d.lane(m.keyName()))
	case moveObserveKey:
		d.observeKey(d.lane(m.keyName()), i, m.costs[0])
	case moveLearnKey:
		d.learnKey(d.lane(m.keyName()), i, m.limit, m.costs[0])
	}
}

func (s *sim) applyToModelCall(m move, c *dumbCall) {
	runs, over := c.state == Running, c.state == Ended
	if s.tooEarly(m) {
		return
	}
	switch {
	case !over && m.verb == movePriority:
		s.d.setPriority(c, m.priority)
	case runs && m.verb == moveSucceed:
		s.d.finish(c, false, retry.Verdict{})
	case runs && m.verb == moveFail:
		s.d.finish(c, true, m.verdict)
	case runs && m.verb == moveSettle && !m.late && m.again:
		s.d.resent(c)
	case runs && m.verb == moveSettle && !m.late:
		s.d.settleCost(c, m.n, m.costs[0])
	case runs && (m.verb == moveAbandon || m.verb == moveWithdraw):
		s.d.abandon(c)
	case !over && (m.verb == moveCancel || m.verb == moveWithdraw):
		s.d.cancel(c)
	}
}

// compare compares the core with the model.
func (s *sim) compare(m move) {
	d, k := s.d, s.k
	s.must(d.unfair == "", "O1, FIFO: "+d.unfair)
	s.must(d.fair.unfair == "", d.fair.unfair)
	s.must(len(d.granted) == len(k.Effects.Granted), "as many are granted as in the model")
	for i, g := range d.granted {
		c := k.Effects.Granted[i]
		s.must(c.ID == g.id && c.detail.granted == g.at, "B7, late owner: the same call is granted at the same instant as in the model")
	}
	s.must(len(d.ended) == len(k.Effects.Ended), "as many end as in the model")
	for _, c := range d.ended {
		s.compareEnd(c)
	}
	s.must(len(d.queue) == k.queued && len(d.running) == k.running.count && len(d.backingOff) == len(k.backoff) && len(d.later) == len(k.later),
		"as many queue, run and back off as in the model")
	s.must(len(d.unpaid) == k.unpaid.count, "R11, waiting for the budget: as many wait for it as in the model")
	for i, b := range d.budgets {
		s.must(b.tokens() == k.Budgets[i].Available(), "B2, exactness: as many tokens are left as in the model")
	}
	for _, list := range [][]*dumbCall{d.queue, d.backingOff, d.later, d.running} {
		for _, c := range list {
			s.must(s.byID[c.id].Rank == c.rank, "O8, SetPriority: a call ranks as in the model")
		}
	}
	for _, c := range d.queue {
		mine := s.byID[c.id]
		s.must(mine.State == Queued && (mine.detail != nil && mine.detail.waitsForRoom) == c.waitsForRoom && (mine.WantsAdmission || !c.waitsForRoom), "a queued call is as in the model")
	}
	for _, c := range d.backingOff {
		s.must(s.byID[c.id].State == BackingOff && s.byID[c.id].detail.due == c.due, "R3, jitter: a call backs off as in the model")
	}
	for _, c := range d.later {
		s.must(s.byID[c.id].State == Later && s.byID[c.id].detail.due == c.due, "O9, arrivals: a call arrives when it does in the model")
	}
	s.compareLanes()
	for _, list := range [][]*dumbCall{d.queue, d.later} {
		if len(list) > 0 {
			s.compareEstimate(list[s.drawn%len(list)])
		}
	}
	switch m.verb {
	case moveDryRun:
		s.compareDryRun(m)
	case moveSnapshot:
		s.compareSnapshot()
	}
	s.must(k.Drained() == (len(d.queue)+len(d.running)+len(d.backingOff)+len(d.later) == 0), "C6, close: drained when no call is left")
	s.must(k.Wanted == 0 || s.countEvents(events.Held) == d.holds, "E3, completeness: every new hold has one event")
}

// compareLanes compares the keys that the core remembers with those of the model.
func (s *sim) compareLanes() {
	d, k := s.d, s.k
	if !k.keyed {
		return
	}
	competing, blocked := 0, 0
	for _, m := range d.lanes {
		competing += b2i(m.condition == competes && m.name != "")
		blocked += b2i(m.condition != competes && m.condition != empty)
	}
	s.must(competing == k.CompetingKeys() && blocked == k.KeysBlocked(), "as many keys compete and are blocked as in the model")
	k.each(func(l *lane) {
		m := d.lane(l.name)
		s.must(l.condition == m.condition, "a key waits for the same as in the model")
		s.must(l.condition != competes || l.share.used-k.lanes.virtual == m.used-d.virtual, "K2, fairness: a key has used as much as in the model")
		k.refresh(l)
		for i := range l.own {
			b := l.bucket(i)
			s.must(b.Available() == m.own[i].tokens(), "a budget of a key has as many tokens as in the model")
		}
		if own, has := k.ownRetries(l); has {
			m.retries.refill(d.now)
			s.must(own.bucket.Available() == m.retries.left.tokens(), "R10, retry budget of a key: it has as many retries left as in the model")
		}
	})
}

// countEvents returns how many events of a kind the move made.
func (s *sim) countEvents(kind events.Kind) (n int) {
	for i := range s.k.Effects.Events {
		if s.k.Effects.Events[i].Kind == kind {
			n++
		}
	}
	return n
}

func (s *sim) compareDryRun(m move) {
	c := &dumbCall{id: math.MaxUint64, costs: m.costs, due: s.d.now + m.later, lane: s.d.lane(m.keyName()), weight: max(1, m.weight)}
	c.rank = c.due - time.Duration(m.priority)*s.d.step
	position, at := s.d.estimate(c)
	s.must(s.asked == Estimate{position, at - s.d.now, s.d.likely(c) - s.d.now, false}, "a dry run is estimated as in the model")
}

func (s *sim) compareSnapshot() {
	d, got := s.d, s.snap
	s.must(got.queued == len(d.queue) && got.running == len(d.running) && got.backingOff == len(d.backingOff) && got.rate == float64(d.share)/64 && got.available == d.budgets[0].tokens(),
		"a snapshot is as the model")
	s.must(max(got.heldUntil, d.now) == max(d.heldUntil(), d.now), "a snapshot has the end of the hold")
	s.must(got.pausedUntil == cmp.Or(d.pausedUntil, bucket.Forever), "a snapshot has the end of the pause")
	next := bucket.Forever
	if l := d.chosen(); l != nil && d.hasSlot() && d.pausedUntil != bucket.Forever {
		next = d.ready(l.head.costs)
	}
	s.must(got.nextPlanned == next, "a snapshot has the instant of the next grant")
	next = bucket.Forever
	for _, c := range d.backingOff {
		next = min(next, d.dueOf(c))
	}
	_, pays := d.nextPayment()
	s.must(got.nextReturn == min(next, pays), "a snapshot has the end of the next backoff, or of a wait for the retry budget")
	next = bucket.Forever
	for _, c := range d.later {
		next = min(next, c.due)
	}
	s.must(got.later == len(d.later) && got.nextLater == next, "a snapshot has the calls that have not arrived")
}

func (s *sim) compareEstimate(c *dumbCall) {
	position, at := s.d.estimate(c)
	got := s.k.EstimateOf(s.k.Now, &s.byID[c.id].Call)
	s.must(got == Estimate{position, at - s.d.now, s.d.likely(c) - s.d.now, false}, "a call is estimated as in the model")
}

// compareEnd checks that a call ended in the same way and for the same reason as in the model, with
// the same times.
func (s *sim) compareEnd(c *dumbCall) {
	if c.end == events.Refused {
		s.compareRefusal(c)
		return
	}
	mine := s.byID[c.id]
	s.must(mine.State == Ended, "the same calls end as in the model")
	s.must(mine.Times() == c.times, "a call has spent its time as in the model")
	s.must(s.k.Wanted == 0 || mine.last == c.end, "a call ends as in the model")
}

func (s *sim) compareRefusal(c *dumbCall) {
	err := s.calls[s.current.call].detail.err
	if cost, ok := err.(*bucket.CostError); ok {
		s.must(c.refusal.cost && slices.Contains(c.costs[:], cost.Cost), "B3, costs: the error has the cost")
		return
	}
	e := err.(*Early)
	s.must(!c.refusal.cost && e.Reason == c.refusal.reason, "a call is refused for the same reason as in the model")
	if e.Reason == TooLate || e.Reason == WouldWait || e.Reason == QueueFull {
		turn := time.Time{}
		if at := After(s.d.now, c.wait); c.wait > 0 && c.turnKnown && at != bucket.Forever {
			turn = simOrigin.Add(at)
		}
		s.must(e.RetryAt.Equal(turn), "C17, RetryAt: the error has the instant of its turn")
	}
	switch {
	case e.Reason == TooLate:
		s.must(e.Wait == c.atLeast, "C4, deadlines: the error has the wait")
	case e.Reason != Closed:
		s.must(e.Wait == c.wait, "C4, deadlines: the error has the likely wait")
	}
	s.must(e.Reason != QueueFull || e.Key != "" || e.Queued == len(s.d.queue), "the error has the length of the queue")
}
