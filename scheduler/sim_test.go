package scheduler

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var (
	simSeed  = flag.Uint64("sim.seed", 0, "the first life that the simulation lives; 0: one drawn at random")
	simSteps = flag.Int("sim.steps", 100_000, "how many moves the simulation makes")
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
			t.Fatal(explain(t, s, func() *sim { return newSim(s.seed, *simModel) }))
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
		st.tell(s.tell(s.story[:len(s.story)-1]))
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
	s.d.budgets[0].level.SetInt64(0) // the model believes that the bucket is empty at first
	s.live()
	require.NotNil(t, s.failure)
	require.Contains(t, s.failure.rule, "as in the model")
}

// explain tells a failed life, and the shortest story that fails in the same way.
func explain(t *testing.T, s *sim, born func() *sim) string {
	again := born()
	again.telling = true
	again.live()
	require.NotNil(t, again.failure, "seed %d failed once, and not when it was replayed: %v", s.seed, *s.failure)
	short := shorten(again.story, func(story []move) bool {
		sim := born()
		sim.replay(story)
		return sim.failure != nil && sim.failure.rule == again.failure.rule
	})
	story := s.tell(short)
	message := fmt.Sprintf("after %d moves: %s: %s\n", len(again.story), again.failure.rule, again.failure.seen)
	if s.seed != 0 {
		message += fmt.Sprintf("replay it: make sim SEED=%d STEPS=1\n", s.seed)
	}
	message += fmt.Sprintf("%d moves are enough:\n\n%s", len(short), story)
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

// storyLimits are the budgets as a story has them.
func storyLimits(cfg Config) string {
	if cfg.Limits == nil {
		return storyLimit(cfg.Limit)
	}
	var all []string
	for _, name := range slices.Sorted(maps.Keys(cfg.Limits)) {
		l := cfg.Limits[name]
		all = append(all, fmt.Sprintf("%s=%d/%v/%d", name, l.Refill, l.Per, l.Capacity)+[]string{"", "/strict"}[b2i(l.Strict)])
	}
	return strings.Join(all, " ")
}

// tell writes moves as a transcript.
func (s *sim) tell(story []move) string {
	cfg := s.cfg
	var b strings.Builder
	fmt.Fprintf(&b, "limit %s slots=%d room=%d step=%v overflow=%s%s\n\n", storyLimits(cfg), cfg.MaxInFlight, cfg.MaxQueued, cfg.PriorityStep,
		[]string{"wait", "refuse", "drop"}[cfg.Overflow], []string{"", " owner=yes"}[b2i(s.habits.owner)])
	if cfg.Adaptive {
		b.WriteString("adaptive yes\n\n")
	}
	p := cfg.Retry
	fmt.Fprintf(&b, "retry max=%d initial=%v longest=%v jitter=%v seed=%d maxserverwait=%v\n", p.MaxRetries, p.Initial, p.Max, p.Jitter, p.Seed, p.MaxServerWait)
	for _, m := range story {
		fmt.Fprintf(&b, "\n%s\n", m.story())
	}
	return b.String()
}
