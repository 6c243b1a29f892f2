package core

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry"
)

var (
	livesSeed  = flag.Uint64("lives.seed", 0, "the seed of the first program whose lives are compared; 0 draws one at random")
	livesCount = flag.Int("lives.count", 1500, "how many programs are compared")
)

// program tells all that is going to happen, whatever the core does: a configuration, calls, and what is done to them.
type program struct {
	seed     uint64
	cfg      Config
	plans    []plan
	acts     []act
	restarts []time.Duration // after each of which a new core goes on, once no call runs
	clock    []time.Duration // by how much the wall clock is set at each restart
}

// plan is one call of a program, with the outcomes of its attempts. After those it succeeds.
type plan struct {
	at, later, deadline time.Duration // deadline is 0 if there is none
	options             Options
	costs               Costs
	policy              *retry.Policy
	attempts            []outcomeOf
}

// outcomeOf is how an attempt ends.
type outcomeOf struct {
	takes   time.Duration
	err     error
	verdict retry.Verdict
}

// act is an input other than a call.
type act struct {
	at       time.Duration
	cancels  int // the call, or -1
	ranks    int // the call that gets another priority, or -1
	priority int
	pause    time.Duration // for how long; 0: none, bucket.Forever: until an act with resume
	resume   bool
}

var errLives = errors.New("busy")

// TestLives compares lives with restarts with lives without. A restart exports the calls that have not ended, and the
// levels, and another core with another origin goes on. Each grant and end then comes at the same nanosecond
// (C18, resumed).
//
// Restarts come when no call runs, since a function that was cut off is run again. A program has what survives a
// restart: levels with their holds, quotas, pauses and calls, and no adaptive rate, retry budget or keys.
func TestLives(t *testing.T) {
	seed := drawSeed(*livesSeed)
	restarts, grants := 0, 0
	for i := range *livesCount {
		p := drawProgram(seed + uint64(i))
		want := newLived(p)
		want.run()
		got := newLived(p)
		got.again = true
		got.run()
		requireEqualLives(t, p, got.restarted, want.granted, got.granted)
		requireEqualLives(t, p, got.restarted, want.ended, got.ended)
		restarts += len(p.restarts) - len(got.restarts)
		grants += got.grants
	}
	require.Greater(t, restarts, *livesCount/2)
	t.Logf("%d programs from seed %d, with %d restarts and %d grants", *livesCount, seed, restarts, grants)
}

func drawSeed(seed uint64) uint64 {
	for seed == 0 {
		seed = rand.Uint64() >> 32 // short enough to be typed
	}
	return seed
}

func requireEqualLives(t *testing.T, p *program, restarts []time.Duration, want, got []string) {
	t.Helper()
	for i := range max(len(want), len(got)) {
		if i < len(want) && i < len(got) && want[i] == got[i] {
			continue
		}
		from := max(0, i-8)
		t.Fatalf("replay it: go test ./scheduler/internal/core -run '^TestLives' -lives.seed=%d -lives.count=1\n%+v\nwith one core:\n%v\nwith restarts at %v:\n%v",
			p.seed, p.cfg, text(want, from), restarts, text(got, from))
	}
}

// text returns a few lines of what has happened.
func text(lines []string, from int) string {
	from = min(from, len(lines))
	return strings.Join(lines[from:min(from+12, len(lines))], "\n")
}

// livedCore runs a program. Instants of the program are durations since its start.
type livedCore struct {
	*program
	k         *Core
	now       time.Duration
	origin    time.Duration // when the instant 0 of the core is
	set       time.Duration // how far the wall clock is ahead
	pause     time.Duration // when the pause ends; 0: there is none
	calls     []*Call       // by their number in the program, of the present core
	running   []attemptOf
	again     bool     // another core goes on after each restart
	granted   []string // what has happened; the order of grants and ends at one instant is not known
	ended     []string
	restarted []time.Duration
	grants    int
	checks    func(format string, args ...any) // fails the test
}

// attemptOf is a running attempt of a call.
type attemptOf struct {
	call int
	ends time.Duration
}

// epoch is the wall clock at the start of a program.
var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func newLived(p *program) *livedCore {
	one := *p
	l := &livedCore{program: &one, calls: make([]*Call, len(p.plans))}
	l.k = l.newCore(p.cfg)
	return l
}

func (l *livedCore) newCore(cfg Config) *Core {
	cfg.Origin = epoch.Add(l.now + l.set)
	l.origin = l.now
	k, err := New(cfg)
	if err != nil {
		panic(err)
	}
	return k
}

func (l *livedCore) note(to *[]string, format string, args ...any) {
	*to = append(*to, fmt.Sprintf("%v: ", l.now)+fmt.Sprintf(format, args...))
}

// run runs the program to its end.
func (l *livedCore) run() {
	next, acts := 0, l.acts // the next call and act
	for {
		wake := l.k.Wake()
		at := bucket.Forever
		if wake < bucket.Forever {
			at = l.origin + wake
		}
		for i := range l.running {
			at = min(at, l.running[i].ends)
		}
		if next < len(l.plans) {
			at = min(at, l.plans[next].at)
		}
		if len(acts) > 0 {
			at = min(at, acts[0].at)
		}
		if at == bucket.Forever {
			return
		}
		if len(l.restarts) > 0 && l.restarts[0] < at && len(l.running) == 0 {
			l.now = max(l.now, l.restarts[0])
			l.restarts = l.restarts[1:]
			l.pauseLife()
			continue
		}
		l.now = max(l.now, at)
		l.k.Advance(l.now - l.origin)
		l.take()
		l.finish()
		for ; next < len(l.plans) && l.plans[next].at <= l.now; next++ {
			l.submit(next)
		}
		for ; len(acts) > 0 && acts[0].at <= l.now; acts = acts[1:] {
			l.act(acts[0])
		}
	}
}

// finish ends the attempts that are over.
func (l *livedCore) finish() {
	for {
		i := slices.IndexFunc(l.running, func(a attemptOf) bool { return a.ends <= l.now })
		if i < 0 {
			return
		}
		c := l.running[i].call
		l.running = slices.Delete(l.running, i, i+1)
		o := l.outcomeOf(c)
		l.k.Finish(l.now-l.origin, l.calls[c], o.err, o.verdict)
		l.take()
	}
}

// outcomeOf returns how the running attempt of a call ends.
func (l *livedCore) outcomeOf(c int) outcomeOf {
	if all, n := l.plans[c].attempts, int(l.calls[c].Attempts); n <= len(all) {
		return all[n-1]
	}
	return outcomeOf{}
}

// take notes what the core has done.
func (l *livedCore) take() {
	granted, ended := slices.Clone(l.k.Effects.Granted), slices.Clone(l.k.Effects.Ended)
	l.k.Effects.Clear()
	for _, c := range granted {
		i := c.Work.(int)
		l.grants++
		l.note(&l.granted, "call %d, number %d, makes attempt %d, paid %d", i, c.ID, c.Attempts, c.Paid())
		l.running = append(l.running, attemptOf{i, l.now + l.outcomeOf(i).takes})
	}
	for _, c := range ended {
		l.note(&l.ended, "call %d ends after %d attempts: %s", c.Work, c.Attempts, kindOf(c.Err()))
		l.running = slices.DeleteFunc(l.running, func(a attemptOf) bool { return a.call == c.Work })
	}
}

// kindOf returns what is the same of an error in all lives.
func kindOf(err error) string {
	var early *Early
	var exhausted *retry.ExhaustedError
	switch {
	case errors.As(err, &early):
		return fmt.Sprint("early ", early.Reason, early.Wait, early.Left, early.Attempts, early.Queued)
	case errors.As(err, &exhausted):
		return fmt.Sprint("exhausted ", exhausted.Attempts, exhausted.MaxElapsed, exhausted.Elapsed, exhausted.Unwrap())
	case err != nil:
		return err.Error()
	}
	return "success"
}

// submit makes a call of the program.
func (l *livedCore) submit(i int) {
	l.calls[i] = l.newCall(i)
	if later := l.plans[i].later; later > 0 {
		l.calls[i].SetNotBefore(l.plans[i].at + later - l.origin)
	}
	l.k.Submit(l.now-l.origin, l.calls[i])
	l.checkNew(l.calls[i])
	l.take()
	l.finish()
}

// newCall returns a call of the program that is not submitted yet.
func (l *livedCore) newCall(i int) *Call {
	p := &l.plans[i]
	c := &Call{Work: i, Cost: p.costs[0], Deadline: bucket.Forever}
	if p.deadline > 0 {
		c.Deadline = p.deadline - l.origin
	}
	o := p.options
	if o.Several {
		o.Costs = p.costs
	}
	if o != (Options{}) {
		c.SetOptions(&o)
	}
	if p.policy != nil {
		policy := *p.policy
		c.SetPolicy(&policy)
	}
	return c
}

func (l *livedCore) act(a act) {
	now := l.now - l.origin
	switch {
	case a.cancels >= 0 && l.calls[a.cancels] != nil && l.calls[a.cancels].State != Running:
		l.k.Cancel(now, l.calls[a.cancels], errLives)
	case a.ranks >= 0 && l.calls[a.ranks] != nil:
		l.k.SetPriority(now, l.calls[a.ranks], a.priority)
	case a.resume:
		l.pause = 0
		l.k.Resume(now)
	case a.pause > 0:
		l.pause = After(l.now, a.pause)
		l.k.Pause(now, l.pauseEnds())
	}
	l.take()
	l.finish()
}

// pauseEnds returns the end of the pause as an instant of the core.
func (l *livedCore) pauseEnds() time.Duration {
	if l.pause == bucket.Forever {
		return bucket.Forever
	}
	return l.pause - l.origin
}

// byArrival compares calls in the order in which they are made.
func byArrival(a, b plan) int { return cmp.Compare(a.at, b.at) }
