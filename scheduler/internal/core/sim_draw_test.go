package core

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/events"
	"example.com/fairlead/retry"
)

// profile says which moves and calls a run has. With few kinds of move, rare ones meet more often.
type profile struct {
	mix        []verb // one is drawn for each move; more common verbs are repeated
	maxCalls   int    // about how many calls there are at a time
	costs      Costs  // one more than the highest
	deadline   bool   // some calls have one
	maxWait    bool   // likewise
	priority   bool
	later      bool // some calls take their place later
	clockJumps bool
	nests      bool // some calls are made inside others
	owner      bool // grants are handed over after each move, sometimes late
	per        int64
	budgets    int // that all keys share
	own        int // of each key
	keys       int // how many there are; 0: calls have no keys
	weights    bool
	backlog    bool // many calls wait, and little else happens, so that keys share for long
}

func drawProfile(rnd *rand.Rand, limits, own []bucket.Limit) profile {
	h := profile{
		mix:        []verb{moveSubmit, moveSubmit, moveSubmit, moveSucceed, moveSucceed, moveSucceed, moveFail, moveAdvance, moveAdvance, moveAdvance},
		maxCalls:   []int{2, 5, 10, 30}[rnd.IntN(4)],
		deadline:   rnd.IntN(2) == 0,
		priority:   rnd.IntN(2) == 0,
		clockJumps: rnd.IntN(4) == 0,
		owner:      rnd.IntN(2) == 0,
		nests:      rnd.IntN(4) == 0,
		later:      rnd.IntN(3) == 0,
		maxWait:    rnd.IntN(3) == 0,
		per:        int64(periodOf(limits[0])),
		budgets:    len(limits),
	}
	if h.keys = []int{0, 0, 1, 2, 3, 8}[rnd.IntN(6)]; h.keys > 0 {
		h.own, h.weights = len(own), rnd.IntN(2) == 0
	}
	one := rnd.IntN(2) == 0 && len(limits) == 1
	for i, l := range slices.Concat(limits, own) {
		if h.costs[i] = 1; !one {
			h.costs[i] = l.Capacity + 1
		}
	}
	if h.backlog = h.keys > 1 && rnd.IntN(3) == 0; h.backlog {
		h.mix = []verb{moveSubmit, moveSubmit, moveSubmit, moveSubmit, moveSucceed, moveSucceed, moveAdvance}
		h.maxCalls = 100
		return h
	}
	for v := moveStart; v < moveRestart; v++ {
		named := v >= movePauseKey && v <= moveLearnKey
		if v > movePauseKey && v != moveForgetKey && len(own) == 0 || h.keys == 0 && named {
			continue
		}
		if v != moveAdvance && v != moveDrain && rnd.IntN(2) == 0 {
			h.mix = append(h.mix, v)
		}
	}
	return h
}

// periodOf returns the Per of a limit, or the time between its resets.
func periodOf(l bucket.Limit) time.Duration { return cmp.Or(l.Per, l.Reset.Every) }

func drawQuota(rnd *rand.Rand) bucket.Limit {
	r := bucket.Reset{Every: []time.Duration{time.Second, 7 * time.Second, time.Minute}[rnd.IntN(3)]}
	if r.FromFirst = rnd.IntN(2) == 0; !r.FromFirst {
		r.From = simOrigin.Unix() + rnd.Int64N(200) - 100
	}
	l := bucket.Quota(1+rnd.Int64N(20), r)
	l.Strict = rnd.IntN(4) == 0
	return l
}

func drawLimits(rnd *rand.Rand) bucket.Limit {
	if rnd.IntN(5) == 0 {
		return drawQuota(rnd)
	}
	return drawRate(rnd)
}

// drawRate draws a limit without resets.
func drawRate(rnd *rand.Rand) bucket.Limit {
	if rnd.IntN(20) == 0 {
		return bucket.Unlimited
	}
	if rnd.IntN(10) == 0 {
		return []bucket.Limit{
			{Capacity: 1, Refill: 1, Per: 24 * time.Hour},
			{Capacity: 1, Refill: 1_000_000_000, Per: time.Second},
			{Capacity: 1 << 40, Refill: 1 << 50, Per: 7919},
			{Capacity: 7, Refill: 99991, Per: 99989},
			{Capacity: 3, Refill: 1, Per: bucket.Forever},
			{Capacity: 1000, Refill: 100, Per: time.Minute},
		}[rnd.IntN(6)]
	}
	return bucket.Limit{
		Strict:   rnd.IntN(4) == 0,
		Capacity: 1 + rnd.Int64N(20),
		Refill:   []int64{1, 3, 7, 100}[rnd.IntN(4)],
		Per:      []time.Duration{10, 97, time.Second, time.Minute}[rnd.IntN(4)],
	}
}

// drawPerKey draws what each key has for itself. Its limits have no resets.
func drawPerKey(rnd *rand.Rand) (p PerKey, own []bucket.Limit) {
	for i := range []int{0, 0, 1, 2}[rnd.IntN(4)] {
		if p.Limits == nil {
			p.Limits = bucket.Limits{}
		}
		l := drawRate(rnd)
		p.Limits[ownBudgets[i]] = l
		own = append(own, l)
	}
	p.MaxInFlight = []int{0, 0, 1, 2}[rnd.IntN(4)]
	p.MaxQueued = []int{0, 0, 1, 3}[rnd.IntN(4)]
	p.Patience = []time.Duration{0, 1, time.Second, time.Hour, maxTime, maxTime}[rnd.IntN(6)]
	p.HoldsAll = rnd.IntN(3) == 0
	p.RetryBudget = drawRetryBudget(rnd)
	return p, own
}

func drawConfig(rnd *rand.Rand) (Config, retry.Policy, []bucket.Limit) {
	limits := []bucket.Limit{drawLimits(rnd)}
	per := min(periodOf(limits[0]), time.Hour)
	cfg := Config{
		Origin:       simOrigin,
		MaxInFlight:  []int{0, 0, 1, 3}[rnd.IntN(4)],
		MaxQueued:    []int{0, 0, 1, 3}[rnd.IntN(4)],
		Overflow:     Overflow(rnd.IntN(3)),
		Adaptive:     rnd.IntN(3) == 0,
		PriorityStep: []time.Duration{1, per, 10 * per}[rnd.IntN(3)],
	}
	policy := retry.Policy{
		MaxRetries:    1 + rnd.IntN(5),
		Initial:       []time.Duration{1, per, time.Minute}[rnd.IntN(3)],
		Max:           []time.Duration{time.Hour, bucket.Forever}[rnd.IntN(2)],
		Jitter:        []float64{retry.None, 0.1, 1}[rnd.IntN(3)],
		Seed:          rnd.Uint64N(100),
		MaxServerWait: []time.Duration{time.Minute, 3 * per}[rnd.IntN(2)],
		MaxElapsed:    []time.Duration{0, 0, 0, 0, 1, per, 10 * per, 5 * time.Minute}[rnd.IntN(8)],
	}.WithDefaults()
	cfg.Retry = policy
	if cfg.RetryBudget = drawRetryBudget(rnd); cfg.RetryBudget != nil {
		cfg.RetryBudget.Wait = rnd.IntN(2) == 0
	}
	more := []int{0, 0, 1, 2}[rnd.IntN(4)]
	if more == 0 {
		cfg.Limits = bucket.Limits{"": limits[0]}
		return cfg, policy, limits
	}
	for range more {
		limits = append(limits, drawLimits(rnd))
	}
	cfg.Limits = bucket.Limits{}
	for i, l := range limits {
		cfg.Limits[simBudgets[i]] = l
	}
	return cfg, policy, limits
}

// simBudgets are the names of the budgets if there are several.
var simBudgets = []string{"a", "b", "c"}

// ownBudgets are the names of the budgets of each key.
var ownBudgets = []string{"own", "too"}

// maxTime ends a run before any sum of times saturates.
const maxTime = 60 * 365 * 24 * time.Hour

// draw draws the next move.
func (s *sim) draw() move {
	s.drawn++
	switch {
	case s.now > maxTime:
		s.drawn = s.length
		fallthrough
	case s.drawn == s.length:
		return move{verb: moveRestart, d: s.drawTime()}
	case s.drawn == s.length-5:
		return move{verb: moveDrain}
	}
	m := move{verb: s.profile.mix[s.rnd.IntN(len(s.profile.mix))]}
	if n := len(s.running) + len(s.waiting); m.verb == moveSubmit && n >= s.profile.maxCalls {
		m.verb = moveAdvance
	}
	switch m.verb {
	case moveSubmit:
		s.drawCall(&m)
	case moveSucceed, moveFail, moveStart, moveAbandon, moveSettle:
		s.pick(&m, s.running)
		m.n = s.rnd.IntN(s.profile.budgets + s.profile.own)
		m.costs[0], m.late = s.rnd.Int64N(2*s.profile.costs[m.n]), s.rnd.IntN(8) == 0
		m.verdict, m.again = s.drawVerdict(), s.rnd.IntN(4) == 0
		if m.verb == moveStart && s.calls[m.call].last == events.Started {
			m.verb = moveAdvance // it was started
		}
	case moveWithdraw:
		if s.rnd.IntN(2) == 0 {
			s.pick(&m, s.running)
		} else {
			s.pick(&m, s.waiting)
		}
	case moveCancel:
		if s.rnd.IntN(4) == 0 {
			s.pick(&m, s.running)
		} else {
			s.pick(&m, s.waiting)
		}
	case movePriority:
		if m.priority = s.rnd.IntN(7) - 3; s.rnd.IntN(4) == 0 {
			s.pick(&m, s.running)
		} else {
			s.pick(&m, s.waiting)
		}
	case moveAsk:
		s.pick(&m, s.waiting)
	case moveDryRun:
		s.drawCosts(&m)
		s.drawKey(&m)
		m.priority = s.rnd.IntN(3)
		if s.profile.later && s.rnd.IntN(2) == 0 {
			m.later = s.drawTime()
		}
	case movePause:
		if m.d = bucket.Forever; s.rnd.IntN(3) > 0 {
			m.d = s.drawTime()
		}
	case moveSetLimit:
		m.limit, m.n = drawLimits(s.rnd), s.rnd.IntN(s.profile.budgets)
	case moveObserve, moveLearn:
		m.limit = drawLimits(s.rnd)
		m.n = s.rnd.IntN(s.profile.budgets)
		m.costs[0] = s.rnd.Int64N(s.profile.costs[m.n]+2) - 1
	case moveSetWall:
		if m.d = s.drawTime(); s.rnd.IntN(3) == 0 && m.d < s.drift+maxTime {
			m.d = -m.d
		}
	case moveSetSlots, moveSetRoom:
		m.n = s.rnd.IntN(5)
	case movePauseKey, moveSetLimitOfKey, moveForgetKey, moveObserveKey, moveLearnKey:
		s.drawKeyMove(&m)
	}
	switch m.verb {
	case moveAdvance:
		if m.d = s.drawStep(); s.profile.owner && !s.profile.clockJumps {
			m.d = max(0, m.d)
		}
	case moveSleep:
		m.d = s.drawTime()
	}
	if s.profile.owner {
		m.stall = s.drawStall()
	}
	return m
}

// drawKeyMove draws a move that names a key.
func (s *sim) drawKeyMove(m *move) {
	m.key = 1 + s.rnd.IntN(s.profile.keys)
	if s.rnd.IntN(3) > 0 {
		m.d = s.drawTime()
	}
	m.limit = drawRate(s.rnd)
	if s.profile.own > 0 {
		m.n = s.profile.budgets + s.rnd.IntN(s.profile.own)
		m.costs[0] = s.rnd.Int64N(s.profile.costs[m.n]+2) - 1
	}
}

// drawKey draws the key of a call.
func (s *sim) drawKey(m *move) {
	if s.profile.keys > 0 {
		m.key = s.rnd.IntN(s.profile.keys + 1)
		if s.profile.backlog {
			m.weight = int64(m.key)
		} else if s.profile.weights && s.rnd.IntN(2) == 0 {
			m.weight = []int64{1, 2, 5, MaxWeight}[s.rnd.IntN(4)]
		}
	}
}

// drawStall draws how late the grants are handed over: mostly zero, otherwise long enough to
// matter.
func (s *sim) drawStall() time.Duration {
	switch r := s.rnd.IntN(16); {
	case r < 10:
		return 0
	case r < 12:
		return time.Duration(r - 9)
	case r < 14:
		return maxLate + time.Duration(s.rnd.Int64N(3)-1)
	case r < 15:
		return time.Duration(s.rnd.Int64N(int64(4 * maxLate)))
	}
	return s.drawTime()
}

// pick draws one of the calls. If there is none, the move becomes an advance of time.
func (s *sim) pick(m *move, list []*simCall) {
	if len(list) == 0 {
		m.verb = moveAdvance
		return
	}
	m.call = list[s.rnd.IntN(len(list))].serial
}

func (s *sim) drawCall(m *move) {
	r := s.rnd.Uint64()
	m.call = len(s.calls)
	s.drawCosts(m)
	s.drawKey(m)
	m.noWait, m.wantsAdmission, m.watched = r&15 == 0, r>>4&1 == 0, r>>5&3 == 0
	if s.profile.priority && r>>7&1 == 0 {
		m.priority = []int{-1, 1, 3, 1}[r>>8&3]
	}
	if s.profile.deadline && r>>10&1 == 0 {
		m.deadline = 1 + s.drawTime()
	}
	if s.profile.maxWait && r>>18&1 == 0 {
		m.maxWait = 1 + s.drawTime()
	}
	if s.profile.nests && len(s.running) > 0 && r>>12&1 == 0 {
		m.inside = s.running[s.rnd.IntN(len(s.running))].serial + 1
	}
	if s.profile.later && r>>16&3 != 0 {
		m.later = s.drawTime()
	}
	if m.bare = m.priority == 0 && m.maxWait == 0 && !m.watched && r>>11&1 == 0; m.bare {
		for i := range m.costs {
			m.costs[i] = m.costs[0] // the same in every budget
		}
	}
}

func (s *sim) drawCosts(m *move) {
	for i := range s.profile.budgets + s.profile.own {
		if m.costs[i] = 1; s.profile.costs[i] > 1 {
			m.costs[i] = s.rnd.Int64N(s.profile.costs[i] + 1)
		}
	}
}

func (s *sim) drawVerdict() retry.Verdict {
	v := s.drawKind()
	if v.Kind == retry.KindRateLimited {
		v.Scope = []retry.Scope{retry.ScopeCall, retry.ScopeDefault, retry.ScopeDefault, retry.ScopeDefault}[s.rnd.IntN(4)]
		v.Budget = []string{"", "", simBudgets[0], simBudgets[1], "unknown"}[s.rnd.IntN(5)]
		if s.profile.keys > 0 {
			v.Scope = []retry.Scope{v.Scope, v.Scope, retry.ScopeKey, retry.ScopeAll}[s.rnd.IntN(4)]
			v.Budget = []string{v.Budget, ownBudgets[0], ownBudgets[1]}[s.rnd.IntN(3)]
		}
	}
	return v
}

func (s *sim) drawKind() retry.Verdict {
	switch r := s.rnd.IntN(16); {
	case r < 4:
		return retry.Verdict{}
	case r < 11:
		return retry.Verdict{Kind: retry.KindTransient}
	case r < 14:
		return retry.Verdict{Kind: retry.KindRateLimited}
	case r < 15: // the longest accepted wait, so that two holds may end together
		return retry.Verdict{Kind: retry.KindRateLimited, Wait: s.policy.MaxServerWait}
	}
	return retry.Verdict{Kind: retry.KindRateLimited, Wait: 1 + s.drawTime()}
}

// drawTime draws a duration of up to three periods of the budget.
func (s *sim) drawTime() time.Duration {
	return time.Duration(s.rnd.Int64N(3*min(s.profile.per, int64(10*365*24*time.Hour)) + 1))
}

// drawStep draws how far the clock moves: often to the instant at which the core wants to be
// called, or one nanosecond short of it.
func (s *sim) drawStep() time.Duration {
	wake := s.k.Wake()
	switch r := s.rnd.IntN(32); {
	case r < 10 && wake != bucket.Forever && wake > s.now:
		return wake - s.now
	case r < 16 && wake != bucket.Forever && wake > s.now:
		return wake - s.now - 1
	case r < 24:
		return time.Duration(r - 16)
	case r < 31 || !s.profile.clockJumps:
		return s.drawTime()
	case s.rnd.IntN(2) == 0:
		return -min(s.drawTime(), s.now)
	default:
		return 10 * 365 * 24 * time.Hour
	}
}
