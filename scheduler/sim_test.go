package scheduler

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/events"
	"example.com/fairlead/retry"
)

var (
	simSeed  = flag.Uint64("sim.seed", 0, "the first life that the simulation lives; 0: one drawn at random")
	simSteps = flag.Int("sim.steps", 300_000, "how many moves the simulation makes")
	simModel = flag.Bool("sim.model", true, "compare with the model after every move, not just check the rules")
	simSave  = flag.String("sim.save", "", "write the shortest story of a failure to testdata/transcripts under this name")
)

// TestSimulation (B1–B7, O1, O2, O4, R1–R3, R5, R6, C1, C4, E1, E3) lives whole lives of
// the real core in virtual time: calls of random costs, priorities and deadlines come,
// succeed, fail, are cancelled and told to wait; the budget is paused and reconfigured;
// the clock jumps; and in the end it is shut down and restarted. After every move the
// rules of the contract are checked, and the core is compared with the dumb model, which
// says who is granted at which nanosecond.
//
// Each life has a seed of its own. A failure prints it, and the shortest story that
// still fails, as a transcript: make sim SEED=… replays it.
func TestSimulation(t *testing.T) {
	seed := *simSeed
	for seed == 0 {
		seed = rand.Uint64() >> 32 // short enough to be typed
	}
	start := time.Now()
	told := start
	moves, lives := 0, 0
	progress := func() {
		t.Logf("%d moves in %d lives from seed %d, %.2f million a second", moves, lives, seed, float64(moves)/1e6/time.Since(start).Seconds())
	}
	for ; moves < *simSteps; lives++ {
		s := newSim(seed+uint64(lives), *simModel)
		moves += s.live()
		if s.failure != nil {
			t.Fatal(explain(t, s))
		}
		if time.Since(told) > 2*time.Second {
			told = time.Now()
			progress()
		}
	}
	progress()
}

// TestSimulationTellsStories: what a simulation writes down as a transcript is what it did.
func TestSimulationTellsStories(t *testing.T) {
	for seed := range uint64(300) {
		s := newSim(seed, false)
		s.telling = true
		s.live()
		require.Nil(t, s.failure)
		again := newSim(seed, false)
		again.replay(s.story[:len(s.story)-1]) // all but the restart
		st := newStoryteller(t)
		st.tell(tellStory(s.cfg, s.story[:len(s.story)-1]))
		require.Equal(t, again.k.snapshot(again.now), st.k.snapshot(st.now), "seed %d", seed)
	}
}

// TestSimulationFindsAndShortens: a rule that is broken is found, its seed is told, and
// the story gets as short as it can be.
func TestSimulationFindsAndShortens(t *testing.T) {
	third := func(story []move) bool { // broken as soon as a third call comes
		n := 0
		for _, m := range story {
			if m.verb == moveSubmit {
				n++
			}
		}
		return n >= 3
	}
	s := newSim(1, false)
	s.telling = true
	s.live()
	short := shorten(s.story, third)
	require.Len(t, short, 3)
	require.True(t, third(short))

	s = newSim(1, true)
	s.d.level.SetInt64(0) // the model believes that the bucket is empty at first
	s.live()
	require.NotNil(t, s.failure)
	require.Contains(t, s.failure.rule, "as in the model")
}

// sim is one simulated life of a core, and of those that come after it is restarted.
type sim struct {
	seed   uint64
	rnd    *rand.Rand
	cfg    Config
	habits habits
	length int // in moves; then it is restarted

	k   *core
	d   *dumb // nil: only the rules are checked
	now time.Duration

	calls   []*simCall // by serial number
	byID    []*simCall // by the number that the core gave
	running []*simCall
	waiting []*simCall

	drawn    int
	attempts uint64
	bound    bound
	played   move
	story    []move // if it is to be told
	telling  bool
	failure  *failure
}

// simCall is a call, seen from outside.
type simCall struct {
	call
	serial  int
	index   int // in running or waiting
	runs    bool
	arrived time.Duration
	last    events.Kind
	model   dumbCall
	room    trail
}

// failure is a rule that was broken.
type failure struct {
	rule string
	seen string
}

func newSim(seed uint64, model bool) *sim {
	s := &sim{seed: seed, rnd: rand.New(rand.NewPCG(seed, 0))}
	s.cfg = drawConfig(s.rnd)
	s.habits = drawHabits(s.rnd, s.cfg)
	s.length = []int{100, 1000, 3000}[s.rnd.IntN(3)]
	wanted := []events.Kinds{events.All, events.All, 0}[s.rnd.IntN(3)]
	s.begin(model, wanted)
	return s
}

var simOrigin = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func (s *sim) begin(model bool, wanted events.Kinds) {
	cfg, err := s.cfg.normal()
	if err != nil {
		panic(err) // of the simulation's own making
	}
	k, err := newCore(cfg, simOrigin)
	if err != nil {
		panic(err)
	}
	k.wanted = wanted
	s.k, s.byID = k, append(s.byID[:0], nil)
	s.bound.level = k.bucket.Available() + 1
	if model {
		s.d = newDumb(s.cfg)
	}
}

// live makes moves until the life is over or a rule is broken, and says how many.
func (s *sim) live() int {
	defer s.survive()
	for s.drawn < s.length {
		s.make(s.draw())
	}
	return s.drawn
}

// replay makes the moves of a story that are still possible.
func (s *sim) replay(story []move) {
	defer s.survive()
	for _, m := range story {
		s.make(m)
	}
}

func (s *sim) survive() {
	switch p := recover().(type) {
	case nil:
	case *failure:
		s.failure = p
	default:
		s.failure = &failure{"it does not panic", fmt.Sprint(p, string(debug.Stack()))}
	}
}

// must breaks off if a rule does not hold.
func (s *sim) must(holds bool, rule string) {
	if !holds {
		panic(&failure{rule, s.state()})
	}
}

// state is a line on where things stand.
func (s *sim) state() string {
	k := s.k
	return fmt.Sprintf("at %v: %v, held until %v, paused until %v, wakes at %v, %+v, granted now %d, ended now %d, queued %d, running %d, backing off %d, %+v",
		k.now, k.bucket.Limit(), k.bucket.HeldUntil(), k.pausedUntil, k.wake(), k.bucket.Ledger(), len(k.effects.granted), len(k.effects.ended),
		k.queue.len(), k.running.count, len(k.backoff), k.totals)
}

// make plays one move and checks what came of it.
func (s *sim) make(m move) {
	if s.telling {
		s.story = append(s.story, m)
	}
	s.played = m
	was := before{s.k.now, s.queued()}
	s.play(m)
	if m.verb == moveRestart {
		return
	}
	s.check(m, was)
	if s.d != nil {
		s.compare(m)
	}
	s.k.effects.clear()
}

func (s *sim) play(m move) {
	switch m.verb {
	case moveSubmit:
		s.submit(m)
	case moveSucceed, moveFail, moveStart, moveAbandon, moveCancel, moveWithdraw, moveAsk:
		if s.known(m.call) {
			s.playCall(m, s.calls[m.call])
		}
	case moveDryRun:
		s.k.dryRun(s.now, &call{cost: m.cost, trail: &trail{priority: m.priority}})
	case moveSnapshot:
		snap := s.k.snapshot(s.now)
		s.must(snap.Queued == s.k.queue.len() && snap.Available == s.k.bucket.Available(), "a snapshot is of now")
	case moveAdvance:
		s.now += m.d
		s.k.advance(s.now)
	case movePause:
		s.k.pause(s.now, after(max(s.now, s.k.now), m.d))
	case moveResume:
		s.k.resume(s.now)
	case moveSetLimit:
		if err := s.k.setLimit(s.now, m.limit); err != nil {
			panic(err)
		}
	case moveSetSlots:
		s.k.setMaxInFlight(s.now, m.n)
	case moveSetRoom:
		s.k.setMaxQueued(s.now, m.n)
	case moveDrain:
		s.k.drain(s.now)
	case moveRestart:
		s.restart(m)
		return
	}
	if s.d != nil {
		s.playModel(m)
	}
	s.take()
}

var errFlaky = errors.New("flaky")

func (s *sim) submit(m move) {
	c := &simCall{serial: m.call, arrived: max(s.now, s.k.now)}
	c.call = call{cost: m.cost, policy: &s.cfg.Retry, deadline: bucket.Forever, noWait: m.noWait, asks: m.asks, watched: m.watched}
	if !m.bare {
		c.room.priority = m.priority
		c.trail = &c.room
	}
	if m.deadline > 0 {
		c.deadline = after(c.arrived, m.deadline)
	}
	for len(s.calls) < m.call { // left out of a story
		s.calls = append(s.calls, nil)
	}
	s.calls = append(s.calls, c)
	s.wait(c)
	if id := s.k.lastID + 1; int(id) == len(s.byID) {
		s.byID = append(s.byID, c)
	} else {
		s.byID[id] = c // the last one was refused
	}
	s.k.submit(s.now, &c.call)
}

// known reports whether a call was handed in, and not left out of a story.
func (s *sim) known(serial int) bool { return serial < len(s.calls) && s.calls[serial] != nil }

func (s *sim) playCall(m move, c *simCall) {
	switch m.verb {
	case moveSucceed:
		s.finish(c, nil, retry.Verdict{})
	case moveFail:
		s.finish(c, errFlaky, m.verdict)
	case moveStart:
		s.k.started(s.now, &c.call)
	case moveAbandon:
		if c.runs {
			s.attempts--
		}
		s.k.abandon(s.now, &c.call, errFlaky)
	case moveWithdraw:
		if c.runs {
			s.attempts--
		}
		s.k.withdraw(s.now, &c.call, errFlaky)
	case moveCancel:
		s.k.cancel(s.now, &c.call, errFlaky)
	case moveAsk:
		s.k.estimateOf(s.now, &c.call)
	}
}

func (s *sim) finish(c *simCall, err error, v retry.Verdict) {
	if !c.runs {
		s.k.finish(s.now, &c.call, err, v) // a second report: nothing comes of it
		return
	}
	attempt := c.attempt
	s.k.finish(s.now, &c.call, err, v)
	s.leave(c)
	s.wait(c)
	if c.state == backingOff && c.attempt == attempt {
		s.checkDelay(c, v)
	}
}

// take takes note of what the core wants done.
func (s *sim) take() {
	for _, c := range s.k.effects.granted {
		mine := s.byID[c.id]
		s.must(&mine.call == c && !mine.runs, "C1: a call is granted that waits")
		s.leave(mine)
		mine.runs = true
		s.attempts++
		s.enter(&s.running, mine)
	}
	for _, c := range s.k.effects.ended {
		mine := s.byID[c.id]
		if c.id == 0 {
			mine = s.calls[s.played.call]
		}
		s.must(&mine.call == c && mine.index >= 0, "C1: a call ends once")
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

// playModel has the model make the same move.
func (s *sim) playModel(m move) {
	d := s.d
	d.advance(max(s.now, d.now))
	switch m.verb {
	case moveSubmit:
		c := s.calls[m.call]
		c.model = dumbCall{id: uint64(len(s.byID) - 1), cost: m.cost, priority: m.priority, deadline: c.deadline, noWait: m.noWait, asks: m.asks, policy: c.policy}
		d.submit(&c.model)
		s.must((c.model.end == events.Refused) == (c.id == 0), "the same calls are refused as in the model")
	case moveSucceed, moveFail, moveAbandon, moveCancel, moveWithdraw:
		if s.known(m.call) {
			s.playModelCall(m, &s.calls[m.call].model)
		}
	case movePause:
		d.pause(after(d.now, m.d))
	case moveResume:
		d.pause(0)
	case moveSetLimit:
		d.setLimit(m.limit)
	case moveSetSlots:
		d.slots = m.n
		d.settle()
	case moveSetRoom:
		d.room = m.n
		d.settle()
	case moveDrain:
		d.draining = true
	}
}

func (s *sim) playModelCall(m move, c *dumbCall) {
	runs, over := c.state == running, c.state == ended
	switch {
	case runs && m.verb == moveSucceed:
		s.d.finish(c, false, retry.Verdict{})
	case runs && m.verb == moveFail:
		s.d.finish(c, true, m.verdict)
	case runs && (m.verb == moveAbandon || m.verb == moveWithdraw):
		s.d.abandon(c)
	case !over && (m.verb == moveCancel || m.verb == moveWithdraw):
		s.d.cancel(c)
	}
}

// restart closes the core, checks that everybody hears of it, and starts another one
// with the level that the first one left.
func (s *sim) restart(m move) {
	was := before{s.k.now, s.queued()}
	left := s.k.close(s.now)
	s.take()
	s.must(len(left) == len(s.running)+s.endedBy(ErrClosed), "C6: all that is unfinished is told")
	for i := 1; i < len(left); i++ {
		s.must(!left[i].Rank.Before(left[i-1].Rank), "in the order in which it would have been served")
	}
	s.check(m, was)
	if s.d != nil {
		s.d.advance(max(s.now, s.d.now))
		s.d.close()
		s.compare(m)
	}
	level := s.k.bucket.State(s.k.now, s.k.time(s.k.now))
	cfg := s.cfg
	cfg.Limit, cfg.Level = s.k.bucket.Limit(), &level
	k, err := newCore(cfg, s.k.time(s.k.now).Add(m.d))
	s.must(err == nil, "it can be restarted")
	if s.d != nil {
		s.d.restart(m.d)
		s.must(s.d.tokens() == k.bucket.Available(), "a restart keeps the level")
	}
}

func (s *sim) endedBy(err error) (n int) {
	for _, c := range s.k.effects.ended {
		if errors.Is(c.err, err) {
			n++
		}
	}
	return n
}

// explain tells a failed life, and the shortest story that fails in the same way.
func explain(t *testing.T, s *sim) string {
	again := newSim(s.seed, s.d != nil)
	again.telling = true
	again.live()
	require.NotNil(t, again.failure, "seed %d failed once, and not when it was replayed: %v", s.seed, *s.failure)
	short := shorten(again.story, func(story []move) bool {
		sim := newSim(s.seed, s.d != nil)
		sim.replay(story)
		return sim.failure != nil && sim.failure.rule == again.failure.rule
	})
	story := tellStory(s.cfg, short)
	message := fmt.Sprintf("after %d moves of the life with seed %d: %s: %s\nreplay it: make sim SEED=%d STEPS=1\n%d moves are enough:\n\n%s",
		len(again.story), s.seed, again.failure.rule, again.failure.seen, s.seed, len(short), story)
	if *simSave != "" {
		file := filepath.Join("testdata", "transcripts", *simSave+".txt")
		require.NoError(t, os.WriteFile(file, []byte(story), 0o644))
		message += "\nwritten to " + file + ": fill in the outcomes with make transcripts"
	}
	return message
}

// shorten leaves out as much of a story as it can while it still fails.
func shorten(story []move, fails func([]move) bool) []move {
	for size := len(story) / 2; size > 0; size /= 2 {
		for from := 0; from+size <= len(story); {
			shorter := append(append([]move(nil), story[:from]...), story[from+size:]...)
			if fails(shorter) {
				story = shorter
			} else {
				from += size
			}
		}
	}
	return story
}

// tellStory writes moves down as a transcript.
func tellStory(cfg Config, story []move) string {
	var b strings.Builder
	fmt.Fprintf(&b, "limit %s slots=%d room=%d step=%v overflow=%s\n\n", storyLimit(cfg.Limit), cfg.MaxInFlight, cfg.MaxQueued, cfg.PriorityStep,
		[]string{"wait", "refuse", "drop"}[cfg.Overflow])
	p := cfg.Retry
	fmt.Fprintf(&b, "retry max=%d initial=%v longest=%v jitter=%v seed=%d maxserverwait=%v\n", p.MaxRetries, p.Initial, p.Max, p.Jitter, p.Seed, p.MaxServerWait)
	for _, m := range story {
		fmt.Fprintf(&b, "\n%s\n", m.story())
	}
	return b.String()
}
