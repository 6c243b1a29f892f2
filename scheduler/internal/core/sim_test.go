package core

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry"
)

var (
	simSeed  = flag.Uint64("sim.seed", 0, "the seed of the first run; 0 draws one at random")
	simSteps = flag.Int("sim.steps", 100_000, "how many moves the simulation makes")
	simModel = flag.Bool("sim.model", true, "compare with the model after every move, not just check the rules")
	simSave  = flag.String("sim.save", "", "write the shortest failing trace to testdata/transcripts under this name")
)

// The simulator's words:
//
//   - A move is one input of the core, or time that passes. A trace is a list of moves.
//   - A run starts a core, makes random moves, and ends with a restart. Its seed decides the moves.
//   - A profile says which moves and calls a run has.
//   - The model is a second core, written to be obvious and not to be fast.
//   - A transcript is a trace written as text, with what each move made happen.

// TestSimulation runs the real core in virtual time with random moves. After every move it checks the
// rules of budgets (B1–B7), order (O1, O2, O4), retries (R1–R3, R5, R6, R8), calls (C1, C4) and events (E1,
// E3), and compares the core with the model, which computes the nanosecond of every grant.
//
// A failure prints its seed and the shortest trace that still fails. make sim SEED=… replays it.
func TestSimulation(t *testing.T) {
	seed := *simSeed
	for seed == 0 {
		seed = rand.Uint64() >> 32 // short enough to be typed
	}
	start := time.Now()
	var moves, runs atomic.Int64
	progress := func() {
		t.Logf("%d moves in %d runs from seed %d, %.2f million a second", moves.Load(), runs.Load(), seed, float64(moves.Load())/1e6/time.Since(start).Seconds())
	}
	var failed atomic.Pointer[sim]
	var workers sync.WaitGroup
	for i := range min(runtime.GOMAXPROCS(0), 1+*simSteps/1_000_000) { // a replay is one run
		workers.Go(func() {
			logged := start
			for int(moves.Load()) < *simSteps && failed.Load() == nil {
				s := newSim(seed+uint64(runs.Add(1)-1), *simModel)
				moves.Add(int64(s.run()))
				if s.failure != nil {
					failed.CompareAndSwap(nil, s)
				}
				if i == 0 && time.Since(logged) > 2*time.Second {
					logged = time.Now()
					progress()
				}
			}
		})
	}
	workers.Wait()
	if s := failed.Load(); s != nil {
		t.Fatal(explain(t, s, func() *sim { return newSim(s.seed, *simModel) }))
	}
	progress()
}

// TestSimulationWritesTranscripts checks that the transcript of a run repeats the run.
func TestSimulationWritesTranscripts(t *testing.T) {
	for seed := range uint64(100) {
		s := newSim(seed, false)
		s.recording = true
		s.run()
		require.Nil(t, s.failure)
		again := newSim(seed, false)
		again.replay(s.trace[:len(s.trace)-1]) // all but the restart
		st := newStepper(t)
		st.transcribe(s.transcript(s.trace[:len(s.trace)-1]))
		again.k.Advance(again.now)
		st.k.Advance(st.now)
		require.Equal(t, stateOf(again.k), stateOf(st.k), "seed %d", seed)
	}
}

// TestSimulationFindsAndShortens checks that a broken rule is found and that its trace is
// shortened.
func TestSimulationFindsAndShortens(t *testing.T) {
	third := func(trace []move) bool { // fails from the third call on
		n := 0
		for _, m := range trace {
			if m.verb == moveSubmit {
				n++
			}
		}
		return n >= 3
	}
	s := newSim(2, false)
	s.recording = true
	s.run()
	short := shorten(s.trace, third)
	require.Len(t, short, 3)
	require.True(t, third(short))

	s = newSim(3, true)
	s.d.budgets[0].level.SetInt64(0) // the model starts with an empty bucket
	s.run()
	require.NotNil(t, s.failure)
	require.Contains(t, s.failure.rule, "as in the model")
}

// TestModelAtTheEndOfTime checks that the model's resets come as the bucket's do 292 years after the start,
// when the first one is before the start and the wall clock is ahead (B15, resets).
func TestModelAtTheEndOfTime(t *testing.T) {
	const drift, end = 2 * time.Minute, bucket.Forever - 90*time.Second
	limit := bucket.Quota(3, bucket.Reset{Every: time.Minute, From: simOrigin.Unix() - 18})
	real, err := bucket.NewAt(limit, 0, simOrigin)
	require.NoError(t, err)
	model := newDumbBudget(limit)
	real.SetWall(0, simOrigin.Add(drift))
	model.setWall(0, drift)
	for _, at := range []time.Duration{0, end, end, bucket.Forever - 1} {
		require.True(t, real.Take(at, 1), "at %v", at)
		model.reset(at)
		model.take(at, 1)
		require.Equal(t, real.Available(), model.tokens(), "at %v", at)
		require.Equal(t, real.NextReset(), model.quota.next, "at %v", at)
	}
}

// explain describes a failed run, and the shortest trace that fails in the same way.
func explain(t *testing.T, s *sim, start func() *sim) string {
	again := start()
	again.recording = true
	again.run()
	require.NotNil(t, again.failure, "seed %d failed, but not when replayed: %v", s.seed, *s.failure)
	short := shorten(again.trace, func(trace []move) bool {
		sim := start()
		sim.replay(trace)
		return sim.failure != nil && sim.failure.rule == again.failure.rule
	})
	text := s.transcript(short)
	message := fmt.Sprintf("after %d moves: %s: %s\n", len(again.trace), again.failure.rule, again.failure.seen)
	if s.seed != 0 {
		message += fmt.Sprintf("replay it: make sim SEED=%d STEPS=1\n", s.seed)
	}
	message += fmt.Sprintf("%d moves are enough:\n\n%s", len(short), text)
	if *simSave != "" {
		file := filepath.Join("testdata", "transcripts", *simSave+".txt")
		require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
		message += "\nwritten to " + file + ": fill in the outcomes with make transcripts"
	}
	return message
}

// shorten removes moves from a trace as long as it still fails.
func shorten(trace []move, fails func([]move) bool) []move {
	for size := len(trace) / 2; size > 0; size /= 2 {
		for from := 0; from+size <= len(trace); {
			shorter := append(append([]move(nil), trace[:from]...), trace[from+size:]...)
			if fails(shorter) {
				trace = shorter
			} else {
				from += size
			}
		}
	}
	return trace
}

// limitsText returns the budgets as a transcript writes them.
func limitsText(limits bucket.Limits) string {
	if l, ok := limits[""]; ok {
		return limitText(l)
	}
	return strings.Join(limitTexts(limits, "="), " ")
}

// limitTexts returns each budget with its name.
func limitTexts(limits bucket.Limits, is string) (all []string) {
	for _, name := range slices.Sorted(maps.Keys(limits)) {
		l := limits[name]
		all = append(all, fmt.Sprintf("%s%s%d/%v/%d", name, is, l.Refill, l.Per, l.Capacity)+[]string{"", "/strict"}[b2i(l.Strict)]+resetText(l.Reset))
	}
	return all
}

// perKeyText returns what each key has for itself as a transcript writes it.
func (s *sim) perKeyText() string {
	if s.profile.keys == 0 {
		return ""
	}
	p := s.cfg.PerKey
	text := fmt.Sprintf(" keyslots=%d keyroom=%d patience=%v", p.MaxInFlight, p.MaxQueued, p.Patience)
	if len(p.Limits) > 0 {
		text += " keys=" + strings.Join(limitTexts(p.Limits, ":"), ",")
	}
	return text + []string{"", " holdsall=yes"}[b2i(p.HoldsAll)]
}

func resetText(r bucket.Reset) string {
	if r == (bucket.Reset{}) {
		return ""
	}
	return fmt.Sprintf("/every:%v/from:%d", r.Every, r.From) + []string{"", "/first:yes"}[b2i(r.FromFirst)]
}

// transcript writes a trace as the commands of a transcript.
func (s *sim) transcript(trace []move) string {
	cfg := s.cfg
	var b strings.Builder
	fmt.Fprintf(&b, "limit %s%s slots=%d room=%d step=%v overflow=%s%s\n\n", limitsText(cfg.Limits), s.perKeyText(), cfg.MaxInFlight, cfg.MaxQueued, cfg.PriorityStep,
		[]string{"wait", "refuse", "drop"}[cfg.Overflow], []string{"", " owner=yes"}[b2i(s.profile.owner)])
	if cfg.Adaptive {
		b.WriteString("adaptive yes\n\n")
	}
	for i, r := range []*retry.Budget{cfg.RetryBudget, cfg.PerKey.RetryBudget} {
		if r != nil {
			fmt.Fprintf(&b, "retrybudget ratio=%v persecond=%v burst=%d%s%s\n\n", r.Ratio, r.PerSecond, r.Burst,
				[]string{"", " wait=yes"}[b2i(r.Wait)], []string{"", " perkey=yes"}[i])
		}
	}
	p := s.policy
	fmt.Fprintf(&b, "retry max=%d initial=%v longest=%v jitter=%v seed=%d maxserverwait=%v maxelapsed=%v\n", p.MaxRetries, p.Initial, p.Max, p.Jitter, p.Seed, p.MaxServerWait, p.MaxElapsed)
	for _, m := range trace {
		fmt.Fprintf(&b, "\n%s\n", m.text())
	}
	return b.String()
}
