package core

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/events"
	"example.com/fairlead/retry"
)

// sim is one run of the simulator.
type sim struct {
	seed    uint64
	rnd     *rand.Rand
	cfg     Config
	policy  retry.Policy
	limits  []bucket.Limit
	profile profile
	length  int // in moves

	k   *Core
	d   *dumb // nil: only the rules are checked
	now time.Duration

	drift   time.Duration // how far the wall clock is ahead
	setBack bool          // it was set back

	calls   []*simCall // by serial number
	byID    []*simCall // by the number that the core assigned
	running []*simCall
	waiting []*simCall

	drawn     int
	moves     int // made
	attempts  uint64
	retries   uint64
	limited   uint64 // attempts that were rate limited
	bounds    [MaxBudgets]bound
	delivered [MaxBudgets]delivered
	periods   [MaxBudgets]period
	settled   bool     // some cost was corrected
	asked     Estimate // the result of the last dry run
	snap      coreState
	current   move
	ran       bool   // whether the call ran before the move
	trace     []move // if recording
	recording bool
	failure   *failure
}

// simCall is a call and what the simulator knows of it.
type simCall struct {
	Call
	serial  int
	index   int // in running or waiting
	runs    bool
	arrived time.Duration
	until   time.Duration // its deadline
	first   time.Duration // when its first attempt was granted
	last    events.Kind
	model   dumbCall
	told    told
	room    detail
	opts    Options
}

// failure is a broken rule.
type failure struct {
	rule string
	seen string
}

func newSim(seed uint64, model bool) *sim { return newSimFrom(seed, rand.NewPCG(seed, 0), model) }

func newSimFrom(seed uint64, chance rand.Source, model bool) *sim {
	s := &sim{seed: seed, rnd: rand.New(chance)}
	s.cfg, s.policy, s.limits = drawConfig(s.rnd)
	own := []bucket.Limit(nil)
	if s.cfg.PerKey, own = drawPerKey(s.rnd); s.cfg.Overflow == waitForRoom {
		s.cfg.PerKey.MaxQueued = 0
	}
	if s.profile = drawProfile(s.rnd, s.limits, own); s.profile.keys == 0 {
		s.cfg.PerKey = PerKey{}
	}
	s.length = []int{100, 1000, 3000}[s.rnd.IntN(3)]
	wanted := []events.Kinds{events.All, events.All, 0}[s.rnd.IntN(3)]
	s.begin(model, wanted)
	return s
}

// simOrigin is the time at which every run starts.
var simOrigin = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func (s *sim) begin(model bool, wanted events.Kinds) {
	k, err := New(s.cfg)
	if err != nil {
		panic(err) // the simulator made an invalid configuration
	}
	k.Wanted = wanted
	s.k, s.byID = k, append(s.byID[:0], nil)
	for i := range k.Budgets {
		s.bounds[i].level = k.Budgets[i].Available() + 1
	}
	if model {
		s.d = newDumb(s.cfg, s.limits)
	}
}

// run makes moves until the run is over or a rule is broken. It returns the number of moves.
func (s *sim) run() int {
	defer s.recoverFailure()
	for s.drawn < s.length {
		s.make(s.draw())
	}
	return s.drawn
}

// replay makes the moves of a trace. It skips those that are no longer possible.
func (s *sim) replay(trace []move) {
	defer s.recoverFailure()
	for _, m := range trace {
		s.make(m)
	}
}

func (s *sim) recoverFailure() {
	switch p := recover().(type) {
	case nil:
	case *failure:
		s.failure = p
	default:
		s.failure = &failure{"the core does not panic", fmt.Sprint(p, string(debug.Stack()))}
	}
}

// must ends the run if a rule does not hold.
func (s *sim) must(holds bool, rule string) {
	if !holds {
		panic(&failure{rule, s.state()})
	}
}

// state describes the core in one line.
func (s *sim) state() string {
	k := s.k
	text := fmt.Sprintf("at %v: held until %v, paused until %v, wakes at %v, granted now %d, ended now %d, queued %d, running %d, backing off %d, later %d, %+v",
		k.Now, k.Budgets.heldUntil(), k.pausedUntil, k.Wake(), len(k.Effects.Granted), len(k.Effects.Ended),
		k.queued, k.running.count, len(k.backoff), len(k.later), k.Totals)
	for i := range k.Budgets {
		text += fmt.Sprintf("; %v: %d left, %+v, resets at %v", k.Budgets[i].Limit(), k.Budgets[i].Available(), k.Budgets[i].Ledger(), k.Budgets[i].NextReset())
	}
	return text
}

// make makes one move and checks the result.
func (s *sim) make(m move) {
	if s.recording {
		s.trace = append(s.trace, m)
	}
	s.current = m
	was := before{s.k.Now, s.queued(), len(s.k.later)}
	s.apply(m)
	if m.verb == moveRestart {
		return
	}
	s.check(m, was)
	s.checkChanges()
	if s.d != nil {
		s.compare(m)
	}
	if s.profile.owner {
		s.handOver(m)
	}
	s.k.Effects.Clear()
	if s.d != nil {
		s.d.granted, s.d.ended, s.d.holds = s.d.granted[:0], s.d.ended[:0], 0
	}
}

// handOver ends a turn, as the owner does.
func (s *sim) handOver(m move) {
	s.now = After(max(s.now, s.k.Now), m.stall)
	s.k.HandedOver(s.now)
	if s.d != nil {
		s.d.handedOver(s.now)
	}
	if !s.profile.clockJumps { // it needs a steady clock
		s.checkDelivery(m)
		s.checkPeriods(m)
	}
}

func (s *sim) apply(m move) {
	switch m.verb {
	case moveAdvance:
		s.now += m.d
	case moveSleep:
		s.now = max(s.now, s.k.Now) + m.d
	case moveSetWall:
		s.drift += m.d
		s.setBack = s.setBack || m.d < 0
		s.k.SetWall(s.now, s.drift)
	}
	if s.profile.owner || m.verb == moveSleep { // as the owner begins a turn
		s.k.WakeUp(s.now)
	}
	switch m.verb {
	case moveSubmit:
		s.submit(m)
	case moveSucceed, moveFail, moveStart, moveAbandon, moveCancel, moveWithdraw, moveAsk, movePriority, moveSettle:
		if s.known(m.call) {
			s.applyToCall(m, s.calls[m.call])
		}
	case moveDryRun:
		c := &Call{Cost: m.costs[0], detail: &detail{options: &Options{Priority: m.priority, Costs: m.costs, Several: true}}}
		if m.later > 0 {
			c.SetNotBefore(After(max(s.now, s.k.Now), m.later))
		}
		m.setKey(c)
		s.asked = s.k.DryRun(s.now, c)
	case moveSnapshot:
		s.k.Advance(s.now)
		s.snap = stateOf(s.k)
	case moveAdvance, moveSleep, moveSetWall:
		s.k.Advance(s.now)
	case movePause:
		s.k.Pause(s.now, After(max(s.now, s.k.Now), m.d))
	case moveResume:
		s.k.Resume(s.now)
	case moveSetLimit:
		if err := s.k.SetLimit(s.now, m.n, m.limit); err != nil {
			panic(err)
		}
	case moveSetSlots:
		s.k.SetMaxInFlight(s.now, m.n)
	case moveSetRoom:
		s.k.SetMaxQueued(s.now, m.n)
	case moveObserve:
		s.k.Observe(s.now, m.n, m.costs[0])
	case moveLearn:
		if err := s.k.Learn(s.now, m.n, m.limit, m.costs[0]); err != nil {
			panic(err)
		}
	case movePauseKey, moveSetLimitOfKey, moveForgetKey, moveObserveKey, moveLearnKey:
		s.applyToKey(m)
	case moveDrain:
		s.k.Drain(s.now)
	case moveRestart:
		s.restart(m)
		return
	}
	if s.d != nil {
		s.applyToModel(m)
	}
	s.take()
}

// applyToKey makes a move that names a key.
func (s *sim) applyToKey(m move) {
	var err error
	switch k := s.k; m.verb {
	case movePauseKey:
		err = k.PauseKey(s.now, m.keyName(), max(s.now, k.Now)+m.d)
	case moveSetLimitOfKey:
		err = k.SetLimitOfKey(s.now, m.keyName(), m.n, m.limit)
	case moveForgetKey:
		k.ForgetKey(s.now, m.keyName())
	case moveObserveKey:
		err = k.ObserveKey(s.now, m.keyName(), m.n, m.costs[0])
	case moveLearnKey:
		err = k.LearnKey(s.now, m.keyName(), m.n, m.limit, m.costs[0])
	}
	if err != nil {
		panic(err)
	}
}

var errFailed = errors.New("flaky")

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// setKey gives a call the move's key.
func (m move) setKey(c *Call) {
	if m.key > 0 || m.weight > 0 {
		c.SetKey(m.keyName(), max(1, m.weight))
	}
}

func (s *sim) submit(m move) {
	c := &simCall{serial: m.call, arrived: max(s.now, s.k.Now)}
	c.Call = Call{Cost: m.costs[0], Deadline: bucket.Forever, WantsAdmission: m.wantsAdmission, Watched: m.watched}
	if !m.bare || m.noWait || m.maxWait > 0 {
		c.opts = Options{Priority: m.priority, Costs: m.costs, Several: true, MaxWait: m.maxWait}
		if m.noWait {
			c.opts.MaxWait = NoWait
		}
		c.room.options = &c.opts
		c.detail = &c.room
	}
	if m.tracked() {
		c.Kind = Tracked
	}
	m.setKey(&c.Call)
	if m.later > 0 {
		c.SetNotBefore(After(c.arrived, m.later))
	}
	if m.deadline > 0 {
		c.Deadline = After(c.arrived, m.deadline)
	}
	c.until = c.Deadline
	if m.inside > 0 && s.known(m.inside-1) && s.calls[m.inside-1].runs {
		outer := &s.calls[m.inside-1].Call
		c.MakeInside(outer, int(outer.Attempts))
	}
	for len(s.calls) < m.call { // removed from the trace
		s.calls = append(s.calls, nil)
	}
	s.calls = append(s.calls, c)
	s.wait(c)
	if id := s.k.LastID + 1; int(id) == len(s.byID) {
		s.byID = append(s.byID, c)
	} else {
		s.byID[id] = c // the previous call was refused
	}
	s.k.Submit(s.now, &c.Call)
}

// known reports whether a call was submitted, and not removed from the trace.
func (s *sim) known(serial int) bool { return serial < len(s.calls) && s.calls[serial] != nil }

func (s *sim) applyToCall(m move, c *simCall) {
	s.ran = c.runs
	if s.tooEarly(m) {
		return
	}
	switch m.verb {
	case moveSucceed:
		s.finish(c, nil, retry.Verdict{})
	case moveFail:
		s.finish(c, errFailed, m.verdict)
	case moveStart:
		s.k.Started(s.now, &c.Call)
	case moveAbandon:
		s.k.Abandon(s.now, &c.Call, errFailed)
		s.uncount(c)
	case moveWithdraw:
		s.k.CancelReservation(s.now, &c.Call, errFailed)
		s.uncount(c)
	case moveCancel:
		s.k.Cancel(s.now, &c.Call, errFailed)
	case movePriority:
		s.k.SetPriority(s.now, &c.Call, m.priority)
	case moveAsk:
		s.k.EstimateOf(s.now, &c.Call)
	case moveSettle:
		s.settled = true
		if m.again {
			s.k.Resent(s.now, &c.Call, int(c.Attempts)-b2i(m.late))
			break
		}
		s.k.SettleCost(s.now, &c.Call, int(c.Attempts)-b2i(m.late), m.n, m.costs[0])
	}
}

// tooEarly reports whether a move of a shortened trace is about an attempt that was not yet handed
// over.
func (s *sim) tooEarly(m move) bool {
	return s.profile.owner && !s.ran && (m.verb == moveSucceed || m.verb == moveFail || m.verb == moveSettle)
}

// uncount takes back the attempt of a call that was abandoned while it ran, or in the turn of its
// grant.
func (s *sim) uncount(c *simCall) {
	counted := 0 // as take counts the attempt
	switch {
	case c.runs:
		counted = int(c.Attempts) + 1
	case slices.Contains(s.k.Effects.Granted, &c.Call):
		counted = int(c.Attempts)
	default:
		return
	}
	s.attempts--
	if counted > 1 {
		s.retries--
	}
}

func (s *sim) finish(c *simCall, err error, v retry.Verdict) {
	if !c.runs {
		s.k.Finish(s.now, &c.Call, err, v) // a second outcome is ignored
		return
	}
	if v.Kind == retry.KindRateLimited {
		s.limited++
	}
	attempt := c.Attempts
	s.k.Finish(s.now, &c.Call, err, v)
	s.leave(c)
	s.wait(c)
	if c.State == BackingOff && c.Attempts == attempt {
		s.checkDelay(c, v)
	}
}

// take records the calls that the core granted and ended.
func (s *sim) take() {
	for _, c := range s.k.Effects.Granted {
		mine := s.byID[c.ID]
		s.must(&mine.Call == c && !mine.runs, "C1, one end: only a waiting call is granted")
		s.leave(mine)
		mine.runs = true
		s.attempts++
		if c.Attempts == 1 && c.State != Ended { // a retry that was withdrawn at once counts as one attempt, too
			mine.first = c.detail.granted
			x := c.extras()
			s.must(!x.bounded || c.detail.granted <= x.startBy, "C16, MaxWait: no call waits longer for its first attempt")
		}
		if c.Attempts > 1 {
			s.retries++
			s.must(s.policy.MaxElapsed == 0 || c.detail.granted-mine.first <= s.policy.MaxElapsed, "R8, MaxElapsed: no retry begins later")
		}
		s.enter(&s.running, mine)
	}
	for _, c := range s.k.Effects.Ended {
		mine := s.byID[c.ID]
		if c.ID == 0 {
			mine = s.calls[s.current.call]
		}
		s.must(&mine.Call == c && mine.index >= 0, "C1: a call ends once")
		s.leave(mine)
		mine.index = -1
		s.checkEnd(mine)
	}
}

func (s *sim) wait(c *simCall) {
	c.runs = false
	s.enter(&s.waiting, c)
}

func (s *sim) enter(list *[]*simCall, c *simCall) {
	c.index = len(*list)
	*list = append(*list, c)
}

func (s *sim) leave(c *simCall) {
	list := &s.waiting
	if c.runs {
		list = &s.running
	}
	last := (*list)[len(*list)-1]
	(*list)[c.index], last.index = last, c.index
	*list = (*list)[:len(*list)-1]
}

// restart closes the core, checks that every call is reported, and starts another core with the
// level of the first one.
func (s *sim) restart(m move) {
	was := before{s.k.Now, s.queued(), len(s.k.later)}
	left := s.k.Unfinished(s.now)
	for i := 1; i < len(left); i++ {
		s.must(left[i].Rank >= left[i-1].Rank, "unfinished calls are in queue order")
	}
	s.k.Close(s.now)
	s.take()
	s.must(len(left) == len(s.running)+s.closedCalls(), "C6, close: every unfinished call is reported")
	if s.d != nil {
		if s.profile.owner {
			s.d.wakeUp(s.now)
		}
		s.d.advance(max(s.now, s.d.now))
	}
	for _, u := range left {
		s.must(s.d == nil || u.Paid() == s.byID[u.ID].model.paid, "an unfinished call has paid as in the model")
	}
	s.check(m, was)
	s.checkTold()
	if s.d != nil {
		s.d.close()
		s.compare(m)
	}
	k, err := New(restartConfig(s.cfg, s.k, m.d))
	s.must(err == nil, "the core can be restarted")
	if s.d != nil {
		s.d.restart(m.d)
		for i, b := range s.d.budgets {
			s.must(b.tokens() == k.Budgets[i].Available(), "a restart keeps the level")
		}
	}
}

// restartConfig returns the configuration of a core that continues after a gap where k ended.
func restartConfig(cfg Config, k *Core, gap time.Duration) Config {
	cfg.Origin, cfg.Limits, cfg.Levels = k.wall(k.Now).Add(gap), limitsOf(k), levelsOf(k)
	return cfg
}

// closedCalls returns how many calls the close has just ended.
func (s *sim) closedCalls() (n int) {
	for _, c := range s.k.Effects.Ended {
		if e, ok := c.detail.err.(*Early); ok && e.Reason == Closed {
			n++
		}
	}
	return n
}
