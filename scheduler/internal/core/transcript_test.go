package core

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/events"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler/internal/durations"
)

var rewrite = flag.Bool("rewrite", false, "write the present outcomes into the transcripts in testdata, to be read in the diff")

// TestTranscripts carries out the transcripts in testdata/transcripts, one command after the other.
// A transcript is a list of commands, each followed by what it made happen:
//
//	command arguments
//	----
//	events, each with its instant
//	the state afterwards
//
// See stepper.run for the commands. To write new ones, or to see what a change alters, run
// make transcripts.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/transcripts/*.txt")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			require.NoError(t, err)
			got := transcribe(t, string(want))
			if *rewrite {
				require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
				return
			}
			require.Equal(t, string(want), got)
		})
	}
}

// transcribe carries out the commands of a transcript and returns it with the present outcomes.
func transcribe(t *testing.T, text string) string { return newStepper(t).transcribe(text) }

func newStepper(t *testing.T) *stepper {
	return &stepper{t: t, calls: map[string]*Call{}, policy: retry.Policy{Jitter: retry.None}}
}

func (st *stepper) transcribe(text string) string {
	var out strings.Builder
	for i, part := range strings.Split(strings.TrimSpace(text), "\n\n") {
		if i > 0 {
			out.WriteByte('\n')
		}
		command, _, _ := strings.Cut(part, "\n----")
		out.WriteString(command + "\n")
		lines := strings.Split(command, "\n")
		if last := lines[len(lines)-1]; !strings.HasPrefix(last, "#") {
			out.WriteString("----\n" + st.run(last))
		}
	}
	return out.String()
}

type stepper struct {
	t      *testing.T
	k      *Core
	now    time.Duration
	policy retry.Policy
	calls  map[string]*Call
	owner  bool // grants are handed over after each command
}

// run carries out one command and returns what happened.
//
//	limit a=10/1s/3 b=5/1m/9 slots=2    the same, with several budgets: their capacities last
//	limit 10/1s capacity=3 slots=2 room=5 overflow=refuse|drop step=1s
//	                                   the budget; first in every transcript
//	limit 0/0s capacity=3 every=1h from=600 first=yes
//	                                   a quota: see bucket.Reset
//	limit … keys=own:2/1s/5,too:… keyslots=2 keyroom=3 patience=1s holdsall=yes
//	                                   what each key has for itself
//	limit … strict=yes owner=yes       a strict limit; grants are handed over after each command
//	any command stall=300ms            with owner=yes: they are handed over that much later
//	adaptive yes                       the rate is halved when a server refuses
//	retrybudget ratio=0.1 persecond=1 burst=10
//	                                   for the retries of all calls, or with perkey=yes of each key; full at
//	                                   0 s; with wait=yes, retries wait for it
//	retry max=2 initial=1s longest=1m jitter=0.1 seed=7 maxserverwait=1m maxelapsed=10s
//	                                   the policy of the calls that follow
//	submit a b cost=2 deadline=5s priority=1 nowait=yes asks=no
//	                                   calls arrive now; deadline=+5s is 5 s from now
//	submit a later=5s tracked=yes      it takes its place at 5 s; later=+5s is 5 s from now; a program keeps it
//	submit b inside=a                  b is made inside a's function, which waits for it
//	submit a key=acme weight=3         it has a key, and the key that weight
//	reserve a                          a reservation arrives; done or withdraw ends it
//	done a                             a's attempt succeeded
//	fail a transient|limited|final wait=30s alone=yes budget=tokens scope=key|all
//	settle a cost=5 budget=1           the actual cost of a's attempt
//	resent a                           a's request was sent once more in the same attempt
//	observe 3 budget=1                 a server reports how many tokens are left
//	learn 3 10/1s capacity=3 budget=1  a server reports that and its limit
//	start a                            a's function is about to run
//	abandon a                          a was granted and never started
//	cancel a                           a's context is done
//	priority a to=2                    a's priority changes
//	withdraw a                         a's reservation is canceled
//	estimate a b                       prints their places and waits
//	dryrun cost=2 priority=1           prints those of a new call
//	pause, pause 5s, resume            no call is granted in between
//	setlimit 10/1s capacity=3 budget=1, setslots 2, setroom 5
//	pausekey acme 5s, forgetkey acme, setlimitofkey acme 10/1s capacity=3 budget=1, observekey acme 3 budget=1
//	learnkey acme 3 10/1s capacity=3 budget=1
//	                                   the same for a key; its budgets come after those of all
//	wall 8h                            the wall clock is set forward, or the machine has slept
//	advance 1.5s                       time passes
//	sleep 1h                           the same, with the owner asleep
//	snapshot                           takes a snapshot
//	drain, close                       no more calls; the end
//	restart 5s                         close, and another core 5 s later with the level that was left
func (st *stepper) run(line string) string {
	words := strings.Fields(line)
	verb, names, set := words[0], []string{}, map[string]string{}
	for _, w := range words[1:] {
		if key, value, ok := strings.Cut(w, "="); ok {
			set[key] = value
		} else {
			names = append(names, w)
		}
	}
	switch verb {
	case "advance":
		st.now += st.duration(names[0])
	case "sleep":
		st.now = max(st.now, st.k.Now) + st.duration(names[0])
	case "wall":
		st.k.SetWall(st.now, st.k.drift+st.duration(names[0]))
	}
	if st.owner || verb == "sleep" {
		st.k.WakeUp(st.now)
	}
	if st.owner {
		defer func() {
			st.now = After(max(st.now, st.k.Now), st.duration(set["stall"]))
			st.k.HandedOver(st.now)
		}()
	}
	switch verb {
	case "limit":
		st.begin(names, set)
	case "adaptive":
		st.k.adaptive.enabled = names[0] == "yes"
	case "retrybudget":
		b := &retry.Budget{Ratio: st.float(set["ratio"], 0), PerSecond: st.float(set["persecond"], 0), Burst: st.int(set["burst"]), Wait: set["wait"] != ""}
		if set["perkey"] != "" {
			st.k.retriesPerKey, _ = newRetryBudget(b, fullForEver)
		} else {
			st.k.retries, _ = newRetryBudget(b, 0)
		}
	case "retry":
		st.policy = retry.Policy{
			MaxRetries: st.int(set["max"]), Initial: st.duration(set["initial"]), Max: st.duration(set["longest"]),
			Jitter: st.float(set["jitter"], retry.None), Seed: uint64(st.int64(set["seed"])), MaxServerWait: st.duration(set["maxserverwait"]),
			MaxElapsed: st.duration(set["maxelapsed"]),
		}
	case "submit", "reserve":
		for _, name := range names {
			st.submit(name, set)
		}
	case "done":
		for _, name := range names {
			st.k.Finish(st.now, st.calls[name], nil, retry.Verdict{})
		}
	case "fail":
		st.fail(names, set)
	case "settle":
		st.k.SettleCost(st.now, st.calls[names[0]], int(st.calls[names[0]].Attempts)-b2i(set["late"] != ""), st.int(set["budget"]), st.int64(set["cost"]))
	case "resent":
		st.k.Resent(st.now, st.calls[names[0]], int(st.calls[names[0]].Attempts)-b2i(set["late"] != ""))
	case "observe":
		st.k.Observe(st.now, st.int(set["budget"]), st.int64(names[0]))
	case "learn":
		require.NoError(st.t, st.k.Learn(st.now, st.int(set["budget"]), st.limit(names[1], set), st.int64(names[0])))
	case "start":
		st.k.Started(st.now, st.calls[names[0]])
	case "abandon":
		st.k.Abandon(st.now, st.calls[names[0]], errors.New("context canceled"))
	case "cancel":
		for _, name := range names {
			st.k.Cancel(st.now, st.calls[name], errors.New("context canceled"))
		}
	case "priority":
		st.k.SetPriority(st.now, st.calls[names[0]], st.int(set["to"]))
	case "withdraw":
		st.k.CancelReservation(st.now, st.calls[names[0]], errors.New("canceled through its handle: context canceled"))
	case "estimate":
		var b strings.Builder
		for _, name := range names {
			fmt.Fprintf(&b, "%s: %v\n", name, inWords(st.k.EstimateOf(st.now, st.calls[name])))
		}
		return b.String() + st.report()
	case "dryrun":
		c := &Call{detail: &detail{options: &Options{Priority: st.int(set["priority"])}}}
		st.price(c, set["cost"])
		if later, ok := set["later"]; ok {
			c.SetNotBefore(st.instant(later))
		}
		st.setKey(c, set)
		return inWords(st.k.DryRun(st.now, c)) + "\n" + st.report()
	case "pause":
		until := time.Duration(bucket.Forever)
		if len(names) > 0 {
			until = After(max(st.now, st.k.Now), st.duration(names[0]))
		}
		st.k.Pause(st.now, until)
	case "resume":
		st.k.Resume(st.now)
	case "setlimit":
		require.NoError(st.t, st.k.SetLimit(st.now, st.int(set["budget"]), st.limit(names[0], set)))
	case "setslots":
		st.k.SetMaxInFlight(st.now, st.int(names[0]))
	case "setroom":
		st.k.SetMaxQueued(st.now, st.int(names[0]))
	case "advance", "sleep", "wall":
		st.k.Advance(st.now)
	case "snapshot":
		st.k.Advance(st.now)
		stateOf(st.k)
	case "pausekey", "setlimitofkey", "forgetkey", "observekey", "learnkey":
		st.applyToKey(verb, names, set)
	case "drain":
		st.k.Drain(st.now)
	case "close":
		return st.close()
	case "restart":
		return st.close() + st.restart(st.duration(names[0]))
	default:
		st.t.Fatalf("unknown command %q", line)
	}
	return st.report()
}

func (st *stepper) begin(names []string, set map[string]string) {
	full := map[string]Overflow{"refuse": refuseNew, "drop": dropLowest}
	k, err := New(Config{
		Origin: simOrigin, Limits: st.limits(names, set), MaxInFlight: st.int(set["slots"]),
		MaxQueued: st.int(set["room"]), Overflow: full[set["overflow"]], PriorityStep: st.duration(set["step"]), PerKey: st.perKey(set),
	})
	require.NoError(st.t, err)
	k.Wanted = events.All
	st.k, st.owner = k, set["owner"] != ""
}

// perKey returns what each key has for itself.
func (st *stepper) perKey(set map[string]string) PerKey {
	p := PerKey{MaxInFlight: st.int(set["keyslots"]), MaxQueued: st.int(set["keyroom"]), Patience: st.duration(set["patience"]), HoldsAll: set["holdsall"] != ""}
	if set["keys"] != "" {
		limits := map[string]string{}
		for _, part := range strings.Split(set["keys"], ",") {
			name, text, _ := strings.Cut(part, ":")
			limits[name] = text
		}
		p.Limits = st.limits(nil, limits)
	}
	return p
}

// setKey gives a call a key.
func (st *stepper) setKey(c *Call, set map[string]string) {
	if set["key"] != "" || set["weight"] != "" {
		c.SetKey(set["key"], max(1, st.int64(set["weight"])))
	}
}

func (st *stepper) applyToKey(verb string, names []string, set map[string]string) {
	name, i, now := names[0], st.int(set["budget"]), st.now
	var err error
	switch verb {
	case "pausekey":
		err = st.k.PauseKey(now, name, After(max(now, st.k.Now), st.duration(names[1])))
	case "setlimitofkey":
		err = st.k.SetLimitOfKey(now, name, i, st.limit(names[1], set))
	case "forgetkey":
		st.k.ForgetKey(now, name)
	case "observekey":
		err = st.k.ObserveKey(now, name, i, st.int64(names[1]))
	case "learnkey":
		err = st.k.LearnKey(now, name, i, st.limit(names[2], set), st.int64(names[1]))
	}
	require.NoError(st.t, err)
}

func (st *stepper) close() string {
	var b strings.Builder
	for _, c := range st.k.Unfinished(st.now) {
		state := map[State]string{Running: "running", Queued: "queued", BackingOff: "backing off", Later: "later"}[c.State]
		fmt.Fprintf(&b, "unfinished: %s, %s, rank %v, attempts %d, paid %d\n", c.Options().Name, state, c.Rank, c.Attempts, c.Paid())
	}
	st.k.Close(st.now)
	return b.String() + st.report()
}

func (st *stepper) restart(gap time.Duration) string {
	old := st.k
	old.Advance(st.now)
	cfg := Config{Adaptive: old.adaptive.enabled, MaxInFlight: old.MaxInFlight, MaxQueued: old.MaxQueued, Overflow: old.overflow, PriorityStep: old.step}
	if old.retries != nil {
		cfg.RetryBudget = &old.retries.config
	}
	k, err := New(restartConfig(cfg, old, gap))
	require.NoError(st.t, err)
	k.Wanted = events.All
	st.k, st.now = k, 0
	clear(st.calls)
	return st.report()
}

func (st *stepper) limit(rate string, set map[string]string) bucket.Limit {
	refill, per, _ := strings.Cut(rate, "/")
	l := bucket.Per(st.int64(refill), st.duration(per)).Burst(st.int64(set["capacity"]))
	if l.Strict = set["strict"] != ""; set["every"] != "" {
		l.Reset = bucket.Reset{Every: st.duration(set["every"]), From: st.int64(set["from"]), FromFirst: set["first"] != ""}
	}
	return l
}

// inWords returns an estimate in words.
func inWords(e Estimate) string {
	if e.Position == 0 {
		return "not waiting"
	}
	return fmt.Sprintf("number %d in the queue, about %v to wait", e.Position, durations.Round(e.Wait))
}

// limits returns the limits of a transcript, of one budget or of several.
func (st *stepper) limits(names []string, set map[string]string) (all bucket.Limits) {
	if len(names) > 0 {
		return bucket.Limits{"": st.limit(names[0], set)}
	}
	for name, text := range set {
		if part := strings.Split(text, "/"); len(part) >= 3 && name != "keys" {
			if all == nil {
				all = bucket.Limits{}
			}
			l := bucket.Per(st.int64(part[0]), st.duration(part[1])).Burst(st.int64(part[2]))
			for _, word := range part[3:] {
				switch key, value, _ := strings.Cut(word, ":"); key {
				case "strict":
					l.Strict = true
				case "every":
					l.Reset.Every = st.duration(value)
				case "from":
					l.Reset.From = st.int64(value)
				case "first":
					l.Reset.FromFirst = true
				}
			}
			all[name] = l
		}
	}
	return all
}

// price sets a call's cost, or its costs.
func (st *stepper) price(c *Call, text string) {
	for i, cost := range strings.Split(text, ",") {
		if cost != "" {
			o := c.detail.options
			o.Costs[i], o.Several = st.int64(cost), true
			c.Cost = o.Costs[0]
		}
	}
}

func (st *stepper) submit(name string, set map[string]string) {
	policy := st.policy.WithDefaults()
	o := &Options{Name: name, Priority: st.int(set["priority"]), MaxWait: st.duration(set["maxwait"])}
	if set["nowait"] != "" {
		o.MaxWait = NoWait
	}
	c := &Call{detail: &detail{options: o, policy: &policy}, Cost: 1, Deadline: bucket.Forever}
	st.price(c, set["cost"])
	if deadline, ok := set["deadline"]; ok {
		c.Deadline = st.instant(deadline)
	}
	if later, ok := set["later"]; ok {
		c.SetNotBefore(st.instant(later))
	}
	if set["tracked"] != "" {
		c.Kind = Tracked
	}
	st.setKey(c, set)
	c.WantsAdmission = st.k.MaxQueued > 0 && set["asks"] != "no"
	if outer := st.calls[set["inside"]]; outer != nil {
		c.MakeInside(outer, int(outer.Attempts))
	}
	st.calls[name] = c
	st.k.Submit(st.now, c)
}

// instant returns an instant. With a sign it counts from now.
func (st *stepper) instant(text string) time.Duration {
	d := st.duration(text)
	if strings.HasPrefix(text, "+") {
		return After(max(st.now, st.k.Now), d)
	}
	return d
}

func (st *stepper) fail(names []string, set map[string]string) {
	kind := map[string]retry.Kind{"final": retry.KindFinal, "transient": retry.KindTransient, "limited": retry.KindRateLimited}
	how := names[len(names)-1]
	for _, name := range names[:len(names)-1] {
		v := retry.Verdict{Kind: kind[how], Wait: st.duration(set["wait"]), Budget: set["budget"]}
		if set["alone"] != "" {
			v.Scope = retry.ScopeCall
		}
		if scope := map[string]retry.Scope{"key": retry.ScopeKey, "all": retry.ScopeAll}[set["scope"]]; scope != 0 {
			v.Scope = scope
		}
		st.k.Finish(st.now, st.calls[name], errors.New(how), v)
	}
}

// report returns the events since the last command, and the core's state.
func (st *stepper) report() string {
	var b strings.Builder
	for _, ev := range st.k.Effects.Events {
		fmt.Fprintf(&b, "%v %v\n", ev.At.Sub(st.k.origin), ev)
	}
	for _, c := range st.k.Effects.Admitted {
		fmt.Fprintf(&b, "%q is let in\n", c.Options().Name)
	}
	st.k.Effects.Clear()
	var tokens []string
	for i := range st.k.Budgets {
		requireBalanced(st.t, &st.k.Budgets[i].Bucket)
		tokens = append(tokens, strconv.FormatInt(st.k.Budgets[i].Available(), 10))
	}
	fmt.Fprintf(&b, "[%v: ", st.k.Now)
	if st.k.Paused() {
		b.WriteString("paused, ")
	}
	fmt.Fprintf(&b, "tokens %s, queued %d", strings.Join(tokens, " and "), st.k.queued)
	if n := st.k.waitingForRoom.count; n > 0 {
		fmt.Fprintf(&b, " (%d outside)", n)
	}
	fmt.Fprintf(&b, ", running %d, backing off %d", st.k.running.count, len(st.k.backoff))
	if n := len(st.k.later); n > 0 {
		fmt.Fprintf(&b, ", later %d", n)
	}
	if st.k.adaptive.share < fullShare {
		fmt.Fprintf(&b, ", rate %v", st.k.adaptive.rate())
	}
	if wake := st.k.Wake(); wake != bucket.Forever {
		fmt.Fprintf(&b, ", wakes at %v", wake)
	}
	b.WriteString("]\n")
	return b.String()
}

func (st *stepper) int(s string) int { return int(st.int64(s)) }

func (st *stepper) int64(s string) int64 {
	if s == "" {
		return 0
	}
	n, err := strconv.ParseInt(s, 10, 64)
	require.NoError(st.t, err)
	return n
}

func (st *stepper) float(s string, missing float64) float64 {
	if s == "" {
		return missing
	}
	f, err := strconv.ParseFloat(s, 64)
	require.NoError(st.t, err)
	return f
}

func (st *stepper) duration(s string) time.Duration {
	if s == "" {
		return 0
	}
	d, err := time.ParseDuration(s)
	require.NoError(st.t, err)
	return d
}

// requireBalanced checks B5, ledger.
func requireBalanced(t require.TestingT, b *bucket.Bucket) {
	l := b.Ledger()
	require.Equal(t, l.Initial+l.Refilled+l.Refunded+l.Adjusted, l.Spent+b.Available(), "ledger %+v", l)
}
