package main

import (
	"math"
	"os"
	"slices"
	"strings"
	"testing"
)

// valued returns a case in which those with a value were measured.
func valued(name string, values map[string]float64) measured {
	return measured{name, func(who string) float64 {
		if v, ok := values[who]; ok {
			return v
		}
		return math.NaN()
	}}
}

func TestAhead(t *testing.T) {
	names := []string{noLimiter, fairlead, fairleadSubmit, jujuLimit, uberLimit, xrate}
	cost := comparison{what: "cost", unit: "ns", ours: fairlead, names: names, cases: []measured{
		valued("ours is best", map[string]float64{fairlead: 10, jujuLimit: 11}),
		valued("two are ahead", map[string]float64{fairlead: 30, jujuLimit: 20, uberLimit: 10, xrate: 40}),
		valued("a little", map[string]float64{fairlead: 10.4, jujuLimit: 10}),
		valued("no peers", map[string]float64{fairlead: 10, fairleadSubmit: 1, noLimiter: 1}),
		valued("not measured", map[string]float64{jujuLimit: 7}),
		valued("none of it", map[string]float64{fairlead: 1, jujuLimit: 0}),
		valued("nothing either", map[string]float64{fairlead: 0, jujuLimit: 0}),
	}}
	share := comparison{what: "share", ours: fairleadSubmit, names: names, more: true, cases: []measured{
		valued("", map[string]float64{fairleadSubmit: 0.5, jujuLimit: 0.75, uberLimit: 0.6}),
	}}
	fine := comparison{what: "fine", ours: fairlead, names: names, cases: cost.cases[:1]}
	want := "- **cost**: not measured: – ns beside 7 of juju; none of it: 1 ns beside 0 of juju; two are ahead: 30 ns beside 10 of uber, 3 ×\n" +
		"- **share, Submit**: 0.5 beside 0.75 of juju, 1.5 ×\n"
	if got := ahead([]comparison{fine, share, cost}); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// everywhere returns results in which each contestant has the same number for all that it is
// measured for.
func everywhere(p plan, value func(who string) float64) *run {
	r := &run{Plan: p, results: results{}}
	for _, g := range p.groups() {
		for _, j := range g.jobs {
			found := numbers{}
			for _, name := range numbersOf[j.Work] {
				found[name] = value(j.Who)
			}
			if _, ok := found["never"]; ok {
				found["never"] = 0
			}
			r.results[j] = []numbers{found}
		}
	}
	return r
}

// numbersOf are the numbers of each work that targets and comparisons ask for.
var numbersOf = map[string][]string{
	"calls":    {"ns", "allocs", "bytes", "failed"},
	"events":   {"per second", "missed"},
	"idle":     {"cpu us", "sleeps"},
	"crowd":    {"cpu us per call", "cpu s", "inverted", "late p50 us", "late p99 us", "over in any window", "over since start"},
	"bytes":    {"bytes"},
	"core":     {"steps per second", "ns"},
	"granted":  {"inversions", "over in any window"},
	"canceled": {"rate"},
	"drain":    {"ns per submit", "ns per grant"},
	"stall":    {"over in any window"},
	"late":     {"p50 us", "p99 us"},
	"loop":     {"share", "over"},
	"flood":    {"wait ms", "never", "least ms", "most ms"},
	"change":   {"ms", "ideal", "granted", "allowed"},
	"retries":  {"wall ms", "cpu us per job"},
	"backing":  {"bytes"},
	"keys":     {"bytes"},
	"noisy":    {"p50 ms", "p99 ms", "worst ms", "used", "over since start"},
	"fleet": {"asks per 1000", "asks per second", "over since start", "over in any window", "used", "cpu us per grant", "round trip us", "ideal ms",
		"wait p50 ms", "wait worst ms", "lone p50 ms", "lone worst ms", "least of most", "back ms", "hold ms", "redis cpu"},
	"journal": {"calls per second", "accepted per second", "submit p50 ms", "submit p99 ms", "cpu us per call", "failed", "left", "fdatasync us", "file system"},
}

// TestTargetsAreMeasured: a quick run and a full one measure what each target needs, floors too.
func TestTargetsAreMeasured(t *testing.T) {
	for _, p := range []plan{{quick: true}, {quick: false}} {
		for _, target := range everywhere(p, func(string) float64 { return 1 }).targets() {
			if math.IsNaN(target.value()) || math.IsNaN(target.floor) {
				t.Errorf("quick %v: %s: %v, floor %v: not measured", p.quick, target.name, target.value(), target.floor)
			}
			if target.ratio && target.peer == "" {
				t.Errorf("quick %v: %s: has no peer", p.quick, target.name)
			}
		}
	}
}

// TestAllIsCompared: in a full run a peer that is ahead is told of in every case of every
// comparison, and no floor is.
func TestAllIsCompared(t *testing.T) {
	value := func(who string) float64 {
		switch {
		case isOurs(who):
			return 0.9
		case isFloor(who):
			return 0.1
		case who == goLimiter || who == cenkalti:
			return math.NaN() // did not finish
		}
		return 0.5
	}
	r := everywhere(plan{}, value)
	for _, c := range r.comparisons() {
		if c.what == "H: limit × 100, drained, of ideal" {
			continue // is a ratio of two
		}
		if got, want := len(c.leads()), len(c.cases); !c.more && got != want {
			t.Errorf("%s of %s: %d leads in %d cases", c.what, c.ours, got, want)
		}
		if got := len(c.leads()); c.more && got != 0 {
			t.Errorf("%s of %s: %d leads although ours is best", c.what, c.ours, got)
		}
	}
	for _, name := range []string{noLimiter, floorWord, floorCells, floorSubmit, floorDo, floorSleep, goLimiter} {
		if strings.Contains(ahead(r.comparisons()), "of "+name) {
			t.Errorf("%s is ahead", name)
		}
	}
}

// TestReportBeginsWithPeers: the report tells first where a peer is ahead.
func TestReportBeginsWithPeers(t *testing.T) {
	tables := everywhere(plan{}, func(who string) float64 { return float64(len(who)) }).tables()
	heading := func(text string) int { return strings.Index(tables, "### "+text) }
	if at := heading(""); at < 0 || at != heading("Where a peer is ahead") {
		t.Errorf("the first heading is not about peers:\n%.500s", tables)
	}
	for _, name := range slices.Concat(configured, optional, owned) {
		if !strings.Contains(tables, "| "+name.name+" |") {
			t.Errorf("%q is not in the tables", name.name)
		}
	}
}

// TestOverAdmissionIsNoPunctuality: who lets through more than its rate is not compared by lateness.
func TestOverAdmissionIsNoPunctuality(t *testing.T) {
	r := everywhere(plan{}, func(string) float64 { return 1 })
	for _, n := range sizes {
		for _, j := range []job{r.Plan.crowd(xrate, n), r.Plan.served(xrate, n), r.Plan.crowdWithContexts(xrate, n)} {
			for _, found := range r.results[j] {
				found["over since start"], found["late p99 us"], found["cpu us per call"] = 2, 0.1, 0.1
			}
		}
	}
	for _, c := range r.comparisons() {
		for _, l := range c.leads() {
			if late := strings.Contains(c.what, "lateness"); late && l.peer == xrate {
				t.Errorf("%s: %s", c.what, l)
			}
		}
	}
	for _, target := range r.doTargets() {
		late, cpu := strings.HasPrefix(target.name, "lateness"), strings.HasPrefix(target.name, "CPU")
		if late && target.peer == xrate || cpu && target.peer != xrate {
			t.Errorf("%s: the best is %s", target.name, target.peer)
		}
	}
}

func TestTargetRow(t *testing.T) {
	for name, c := range map[string]struct {
		target target
		want   []string
	}{
		"met": {target{name: "a", ours: 12, unit: "ns", peer: "p", theirs: 100, want: 0.2, floor: 10, ratio: true},
			[]string{"a", "12 ns", "100 ns p", "0.12", "0.1", "≤ 0.2 ×", "ok"}},
		"short": {target{name: "b", ours: 30, unit: "ns", peer: "p", theirs: 100, want: 0.2, floor: 10, ratio: true},
			[]string{"b", "30 ns", "100 ns p", "0.3", "0.1", "≤ 0.2 ×", "SHORT"}},
		"near the floor": {target{name: "c", ours: 30, unit: "ns", peer: "p", theirs: 100, want: 0.2, floor: 25, ratio: true},
			[]string{"c", "30 ns", "100 ns p", "0.3", "0.25", "≤ 0.2 ×", "near the floor"}},
		"no floor":     {target{name: "d", ours: 2, unit: "B", want: 1}, []string{"d", "2 B", "", "", "", "≤ 1 B", "SHORT"}},
		"not measured": {target{name: "e", ours: math.NaN(), want: 1, atLeast: true}, []string{"e", "–", "", "", "", "≥ 1", "SHORT"}},
	} {
		if got := c.target.row(); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// TestCoreBenchmark: the pure core's benchmarks are where a run looks for them.
func TestCoreBenchmark(t *testing.T) {
	text, err := os.ReadFile("../" + coreFolder + "/bench_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"BenchmarkCore", "BenchmarkKeys"} {
		if !strings.Contains(string(text), "func "+name+"(") {
			t.Errorf("no %s in %s", name, coreFolder)
		}
	}
}

func TestNsPerOp(t *testing.T) {
	if ns, err := nsPerOp("cpu: x\nBenchmarkCore \t 1000000\t 129.5 ns/op\t 0 B/op\nPASS\n"); ns != 129.5 || err != nil {
		t.Error(ns, err)
	}
	if _, err := nsPerOp("PASS\n"); err == nil {
		t.Error("there is nothing in it")
	}
}
