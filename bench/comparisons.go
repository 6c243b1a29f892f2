package main

import (
	"fmt"
	"math"
	"slices"
)

// comparisons returns all that the tables compare with other libraries.
func (r *run) comparisons() []comparison {
	list := append(r.callComparisons(), r.crowdComparisons()...)
	list = append(list, r.contextComparisons()...)
	return slices.Concat(list, r.timeComparisons(), r.keyComparisons(), r.fleetComparisons(), r.journalComparisons())
}

// median returns a case whose value is the median of a number over a job's rounds.
func (r *run) median(name string, of func(who string) job, number string) measured {
	return measured{name, func(who string) float64 { return r.results.of(of(who), number) }}
}

func (r *run) worstCase(name string, of func(who string) job, number string) measured {
	return measured{name, func(who string) float64 { return r.results.worst(of(who), number) }}
}

func (r *run) callComparisons() []comparison {
	p := r.Plan
	calls := func(variant string, some ...int) []measured {
		var list []measured
		for _, callers := range some {
			name := "one goroutine"
			if callers > 1 {
				name = fmt.Sprintf("%d goroutines", callers)
			}
			list = append(list, r.median(name, func(who string) job { return p.calls(who, variant, callers) }, "ns"))
		}
		return list
	}
	return []comparison{
		{what: "A: take a token that is there", unit: "ns", ours: fairlead, names: tryers, cases: calls("try", 1)},
		{what: "B: wait for a token that is there", unit: "ns", ours: fairlead, names: waiters, cases: calls("wait", 1, crowded()/16, crowded())},
		{what: "C: limit and retry", unit: "ns", ours: fairlead, names: p.couples(), cases: calls("both", 1, crowded())},
	}
}

// honest reports whether a contestant let through no more than its rate. The first tick of a limiter that
// refills at whole intervals does not count. A contestant that lets more through is early without merit.
func (r *run) honest(j job) bool { return !(r.results.of(j, "over since start") > 1) }

func (r *run) honestOnes(names []string, of func(string) job) []string {
	var list []string
	for _, who := range names {
		if r.honest(of(who)) {
			list = append(list, who)
		}
	}
	return list
}

// ifHonest returns a number of a job, or NaN if it let through more than its rate.
func (r *run) ifHonest(j job, number string) float64 {
	if !r.honest(j) {
		return math.NaN()
	}
	return r.results.of(j, number)
}

func (r *run) crowdComparisons() []comparison {
	p := r.Plan
	var list []comparison
	for _, ours := range []string{fairlead, fairleadSubmit} {
		add := func(what, unit string, value func(who string, n int) float64) {
			c := comparison{what: "D: " + what, unit: unit, ours: ours, names: crowders}
			for _, n := range sizes {
				c.cases = append(c.cases, measured{number(float64(n)), func(who string) float64 { return value(who, n) }})
			}
			list = append(list, c)
		}
		get := r.results.of
		add("memory of each that waits", "B", func(who string, n int) float64 { return get(p.bytes(who, n), "bytes") })
		add("CPU of each that waits", "µs", func(who string, n int) float64 { return get(p.crowd(who, n), "cpu us per call") })
		add("CPU of each, if tokens come every 3 µs", "µs", func(who string, n int) float64 { return get(p.served(who, n), "cpu us per call") })
		add("pairs out of order, of all", "", func(who string, n int) float64 { return get(p.crowd(who, n), "inverted") })
		add("lateness, median", "ms", func(who string, n int) float64 { return r.ifHonest(p.crowd(who, n), "late p50 us") / 1e3 })
		add("lateness, p99", "ms", func(who string, n int) float64 { return r.ifHonest(p.crowd(who, n), "late p99 us") / 1e3 })
		add("lateness, p99, if tokens come every 3 µs", "ms", func(who string, n int) float64 { return r.ifHonest(p.served(who, n), "late p99 us") / 1e3 })
		add("tokens over in any window, as seen by callers", "", func(who string, n int) float64 { return get(p.crowd(who, n), "over in any window") })
		list = append(list,
			comparison{what: "D: part of the rate when a third is canceled", ours: ours, names: cancelers, more: true,
				cases: []measured{r.median("", p.canceled, "rate")}},
			comparison{what: "D: tokens over after a stop", ours: ours, names: stoppers,
				cases: []measured{r.worstCase("", p.stall, "over in any window")}})
	}
	return list
}

// contextComparisons compares crowds whose callers have a cancelable context each.
func (r *run) contextComparisons() []comparison {
	p := r.Plan
	var list []comparison
	for _, ours := range []string{fairlead, fairleadSubmit} {
		add := func(what, unit, of string, size func(string, int) job) {
			c := comparison{what: "D, with contexts: " + what, unit: unit, ours: ours, names: cancelers}
			for _, n := range sizesInDo {
				c.cases = append(c.cases, measured{number(float64(n)), func(who string) float64 {
					if of == "late p99 us" {
						return r.ifHonest(size(who, n), of) / 1e3
					}
					return r.results.of(size(who, n), of)
				}})
			}
			list = append(list, c)
		}
		add("memory of each that waits", "B", "bytes", p.bytesWithContexts)
		add("CPU of each, if tokens come every 3 µs", "µs", "cpu us per call", p.servedWithContexts)
		add("CPU of each", "µs", "cpu us per call", p.crowdWithContexts)
		add("lateness, p99", "ms", "late p99 us", p.crowdWithContexts)
		add("tokens over in any window, as seen by callers", "", "over in any window", p.crowdWithContexts)
	}
	return list
}

func (r *run) timeComparisons() []comparison {
	p := r.Plan
	share := comparison{what: "G: part of the tokens", ours: fairlead, names: loopers, more: true}
	over := comparison{what: "G: tokens over since the start", ours: fairlead, names: loopers}
	for _, l := range loops() {
		of := func(who string) job { return p.loop(who, l.callers, l.rate, l.burst) }
		share.cases = append(share.cases, r.median(l.String(), of, "share"))
		over.cases = append(over.cases, r.worstCase(l.String(), of, "over"))
	}
	drained := func(who string) float64 {
		up := p.change(who, "up")
		return r.results.of(up, "ms") / r.results.of(up, "ideal")
	}
	waited := func(who string) float64 {
		if r.results.of(p.flood(who), "never") > 0 {
			return math.NaN()
		}
		return r.results.of(p.flood(who), "wait ms")
	}
	return []comparison{
		{what: "lateness of one caller", unit: "µs", ours: fairlead, names: waiters,
			cases: []measured{r.median("median", p.late, "p50 us"), r.median("p99", p.late, "p99 us")}},
		{what: "F: the wait of a big call in a flood", unit: "ms", ours: fairlead, names: flooders, cases: []measured{{"", waited}}},
		share, over,
		{what: "H: limit × 100, drained, of ideal", ours: fairlead, names: changers, cases: []measured{{"", drained}}},
		{what: "E: 100,000 jobs that fail three times", unit: "ms", ours: fairlead, names: jobbers, cases: []measured{r.median("", p.retries, "wall ms")}},
		{what: "E: CPU of each job", unit: "µs", ours: fairlead, names: jobbers, cases: []measured{r.median("", p.retries, "cpu us per job")}},
		{what: "E: memory of a job that backs off", unit: "B", ours: fairlead, names: jobbers, cases: []measured{r.median("", p.backing, "bytes")}},
	}
}
