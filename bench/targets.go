package main

import (
	"fmt"
	"math"
	"slices"
)

// targets compares a run with the targets.
func (r *run) targets() []target {
	return slices.Concat(r.callTargets(), r.optionTargets(), r.doTargets(), r.crowdTargets(), r.orderTargets(),
		r.retryTargets(), r.quietTargets(), r.keyTargets(), r.fleetTargets(), r.journalTargets())
}

func (r *run) callTargets() []target {
	p, get := r.Plan, r.results.of
	var list []target
	for _, callers := range []int{1, crowded()} {
		of := func(variant string) func(string) job {
			return func(who string) job { return p.calls(who, variant, callers) }
		}
		with, floor := "one goroutine", floorWord
		wants := []float64{0.17, 0.012, 0.32}
		if callers > 1 {
			with, floor = "128 a core", floorCells
			wants = []float64{0.20, 0.02, 0.25}
		}
		least := get(of("both")(floor), "ns")
		add := func(name string, ours float64, peer string, theirs, want, floor float64) {
			list = append(list, target{name: name + ", " + with, ours: ours, unit: "ns", peer: peer, theirs: theirs,
				want: want, ratio: true, floor: floor})
		}
		both := get(of("both")(fairlead), "ns")
		peer, theirs := r.results.best(p.couples(), of("both"), "ns")
		add("P1 limit and retry", both, peer, theirs, wants[0], least)
		add("P1 the same against failsafe-go", both, failsafePair, get(of("both")(failsafePair), "ns"), wants[1], least)

		peer, theirs = r.results.best(waiters, of("wait"), "ns")
		if callers == 1 {
			if who, best := r.results.best(tryers, of("try"), "ns"); best < theirs {
				peer, theirs = who, best
			}
		}
		add("P2 take a token", get(of("wait")(fairlead), "ns"), peer, theirs, wants[2], least)

		owner := of("owner")(fairlead)
		add("P3 the owner's path", get(owner, "ns"), bare, get(of("owner")(bare), "ns"), 2.3, get(of("owner")(floorOwner), "ns"))
		list = append(list, target{name: "P3 allocations, " + with, ours: math.Round(get(owner, "allocs")), unit: "a call", want: 0})
	}
	return list
}

// optionTargets compares calls with options with a plain one, in the same run.
func (r *run) optionTargets() []target {
	p, get := r.Plan, r.results.of
	plain := get(p.calls(fairlead, plainDo, 1), "ns")
	var list []target
	for _, f := range optional {
		want := 6.0
		if f.name == withCost || f.name == withAll {
			want = 12
		}
		list = append(list, target{name: "a call with " + f.name, ours: get(p.calls(fairlead, f.name, 1), "ns"), unit: "ns",
			peer: "a plain Do", theirs: plain, want: want, ratio: true})
	}
	return append(list, target{name: "allocations of a call with Cost(2)",
		ours: math.Round(get(p.calls(fairlead, withCost, 1), "allocs")), unit: "a call", want: 1})
}

// doTargets compares crowds that wait in Do, with a goroutine each.
func (r *run) doTargets() []target {
	p, get := r.Plan, r.results.of
	var list []target
	for _, n := range sizesInDo {
		so := " of " + number(float64(n)) + " in Do, each"
		add := func(name, unit, of string, scale, want float64, names []string, size func(string, int) job) {
			jobs := func(who string) job { return size(who, n) }
			if of == "late p99 us" {
				names = r.honestOnes(names, jobs)
			}
			peer, theirs := r.results.best(names, jobs, of)
			list = append(list, target{name: name, ours: get(jobs(fairlead), of) / scale, unit: unit,
				peer: peer, theirs: theirs / scale, want: want, ratio: true, floor: get(jobs(floorDo), of) / scale})
		}
		if n == 100_000 {
			add("bytes"+so, "B", "bytes", 1, 1.25, []string{jujuLimit}, p.bytes)
			add("bytes"+so+" with a context", "B", "bytes", 1, 1, []string{xrate}, p.bytesWithContexts)
		}
		add("CPU"+so+", a token every 3 µs", "µs", "cpu us per call", 1, 2, doers, p.served)
		add("CPU"+so+", over 1.5 s", "µs", "cpu us per call", 1, 2, doers, p.crowd)
		add("lateness p99"+so+", a token every 3 µs", "ms", "late p99 us", 1e3, 2, doers, p.served)
		add("lateness p99"+so+", over 1.5 s", "ms", "late p99 us", 1e3, 2, doers, p.crowd)
	}
	return list
}

func (r *run) crowdTargets() []target {
	p, get, many := r.Plan, r.results.of, 1_000_000
	bytes := func(who string) job { return p.bytes(who, many) }
	crowd := func(who string) job { return p.crowd(who, many) }
	ours := get(bytes(fairleadSubmit), "bytes")
	peer, theirs := r.results.best(crowders, bytes, "bytes")
	short, long := get(p.drain(1000), "ns per grant"), get(p.drain(p.long()), "ns per grant")
	return []target{
		{name: "P4 memory of 1,000,000 waiting, each", ours: ours, unit: "B", want: 200},
		{name: "P4 the same against peers", ours: ours, unit: "B", peer: peer, theirs: theirs, want: 0.07, ratio: true},
		{name: "P4 CPU of 1,000,000 waiting", ours: get(crowd(fairleadSubmit), "cpu s"), unit: "s",
			peer: jujuLimit, theirs: get(crowd(jujuLimit), "cpu s"), want: 0.55, ratio: true, floor: get(crowd(floorSubmit), "cpu s")},
		{name: fmt.Sprintf("P4 a grant from a queue of %s, beside 1000", number(float64(p.long()))), ours: long, unit: "ns",
			peer: "the short queue", theirs: short, want: 2, ratio: true},
	}
}

func (r *run) orderTargets() []target {
	p, get := r.Plan, r.results.of
	up, down := p.change(fairlead, "up"), p.change(fairlead, "down")
	flood := p.flood(fairlead)
	loop := func(who string) job { return p.loop(who, 10_000, 100_000, 1) }
	return []target{
		{name: "P5 inversions of 100,000 grants", ours: get(p.granted(), "inversions"), want: 0},
		{name: "P5 tokens over in any window, of those", ours: get(p.granted(), "over in any window"), want: 0},
		{name: "P5 tokens over, 10,000 in a loop", ours: r.results.worst(loop(fairlead), "over"),
			peer: xrate, theirs: r.results.worst(loop(xrate), "over"), want: 0},
		{name: "P5 tokens over after a stop of 900 ms", ours: r.results.worst(p.stall(fairleadSubmit), "over in any window"),
			peer: xrate, theirs: r.results.worst(p.stall(xrate), "over in any window"), want: 15},
		{name: "P5 rate after a third was canceled", ours: get(p.canceled(fairleadSubmit), "rate"),
			peer: xrate, theirs: get(p.canceled(xrate), "rate"), want: 0.99, atLeast: true},
		{name: "P5 limit × 100: drained, of ideal", ours: get(up, "ms") / get(up, "ideal"),
			peer: xrate, theirs: get(p.change(xrate, "up"), "ms") / get(p.change(xrate, "up"), "ideal"), want: 1.2},
		{name: "P5 limit ÷ 100: granted, of allowed", ours: get(down, "granted") / get(down, "allowed"),
			peer: xrate, theirs: get(p.change(xrate, "down"), "granted") / get(p.change(xrate, "down"), "allowed"), want: 1},
		{name: "P7 a big call in a flood, beyond the ideal", ours: max(0, get(flood, "wait ms")-get(flood, "most ms")), unit: "ms",
			peer: jujuLimit, theirs: max(0, get(p.flood(jujuLimit), "wait ms")-get(p.flood(jujuLimit), "most ms")), want: 1.1},
	}
}

func (r *run) retryTargets() []target {
	p, get := r.Plan, r.results.of
	against := func(name, unit, number string, of func(string) job, want float64) target {
		return target{name: name, ours: get(of(fairlead), number), unit: unit,
			peer: workqueueK8s, theirs: get(of(workqueueK8s), number), want: want, ratio: true, floor: get(of(floorJob), number)}
	}
	return []target{
		against("P6 100,000 jobs that fail thrice", "ms", "wall ms", p.retries, 0.75),
		against("P6 CPU a job", "µs", "cpu us per job", p.retries, 0.8),
		against("P6 memory of a job that backs off", "B", "bytes", p.backing, 2.3),
	}
}

func (r *run) quietTargets() []target {
	p, get := r.Plan, r.results.of
	plain, after := p.unsubscribed().jobs[0], p.unsubscribed().jobs[1]
	idle, control := p.idle(fairlead), p.idle("")
	late, loop := p.late, func(who string) job { return p.loop(who, 1, 10_000, 1) }
	peer50, best50 := r.results.best(waiters, late, "p50 us")
	peer99, best99 := r.results.best(waiters, late, "p99 us")
	// The best contestant has the largest share of the rate.
	bestLooper, share := "", 0.0
	for _, who := range loopers[1:] {
		if v := get(loop(who), "share"); v > share {
			bestLooper, share = who, v
		}
	}
	return []target{
		{name: "P8 events to one subscriber, a second", ours: get(p.events(), "per second"), want: 1e6, atLeast: true},
		{name: "P8 after it has gone", ours: get(after, "ns"), unit: "ns", peer: "never subscribed", theirs: get(plain, "ns"), want: 1.1, ratio: true},
		{name: "P8 bytes a call then", ours: math.Round(get(after, "bytes")), unit: "B", want: 0},
		{name: "P9 steps of the pure core, a second", ours: get(p.core(), "steps per second"), want: 5e6, atLeast: true},
		// A program that does nothing wakes some times a second, too, and not evenly. A timer of
		// ours would be a thousand.
		{name: "P10 wake-ups of an idle scheduler", ours: get(idle, "sleeps"), peer: "no scheduler", theirs: get(control, "sleeps"), want: get(control, "sleeps") + 5*control.Duration.Seconds()},
		{name: "P10 CPU of an idle scheduler", ours: get(idle, "cpu us"), unit: "µs", peer: "no scheduler", theirs: get(control, "cpu us"), want: get(control, "cpu us") + 1000},
		{name: "P11 lateness, median", ours: get(late(fairlead), "p50 us"), unit: "µs", peer: peer50, theirs: best50, want: 100,
			floor: get(late(floorSleep), "p50 us")},
		{name: "P11 lateness, p99", ours: get(late(fairlead), "p99 us"), unit: "µs", peer: peer99, theirs: best99, want: 300},
		{name: "P11 share of 10,000/s for one caller", ours: get(loop(fairlead), "share"), peer: bestLooper, theirs: share, want: 0.6, atLeast: true},
	}
}
