package main

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"text/tabwriter"
)

// target is one line of what Fairlead wants to be. Less is better, unless atLeast.
type target struct {
	name    string
	ours    float64
	unit    string
	peer    string // who the best peer is; "" if there is nobody to compare with
	theirs  float64
	want    float64
	ratio   bool // the target is for the ratio to the best peer
	atLeast bool
}

func (t target) value() float64 {
	if t.ratio {
		return t.ours / t.theirs
	}
	return t.ours
}

// ok is false also for what was not measured.
func (t target) ok() bool {
	if t.atLeast {
		return t.value() >= t.want
	}
	return t.value() <= t.want
}

func (t target) verdict() string {
	if t.ok() {
		return "ok"
	}
	return "SHORT"
}

// targets compares a run with the targets.
func (r *run) targets() []target {
	list := append(r.callTargets(), r.crowdTargets()...)
	list = append(list, r.orderTargets()...)
	list = append(list, r.retryTargets()...)
	return append(list, r.quietTargets()...)
}

func (r *run) callTargets() []target {
	p, get := r.Plan, r.results.of
	var list []target
	add := func(name string, ours float64, peer string, theirs, want float64) {
		list = append(list, target{name: name, ours: ours, unit: "ns", peer: peer, theirs: theirs, want: want, ratio: true})
	}
	for _, callers := range []int{1, crowded()} {
		of := func(variant string) func(string) job {
			return func(who string) job { return p.calls(who, variant, callers) }
		}
		with := "one goroutine"
		if callers > 1 {
			with = "128 a core"
		}
		both := get(of("both")(fairlead), "ns")
		peer, theirs := r.results.best(couples(), of("both"), "ns")
		add("P1 limit and retry, "+with, both, peer, theirs, 0.10)
		add("P1 the same against failsafe-go, "+with, both, failsafePair, get(of("both")(failsafePair), "ns"), 0.02)

		take := get(of("wait")(fairlead), "ns")
		peer, theirs = r.results.best(waiters, of("wait"), "ns")
		want := 0.25
		if callers == 1 {
			want = 0.15
			if who, least := r.results.best(tryers, of("try"), "ns"); least < theirs {
				peer, theirs = who, least
			}
		}
		add("P2 take a token, "+with, take, peer, theirs, want)
		add("P2 the same against x/time/rate's Wait, "+with, take, xrate, get(of("wait")(xrate), "ns"), 0.08)

		owner := of("owner")(fairlead)
		add("P3 the owner's path, "+with, get(owner, "ns"), bare, get(of("owner")(bare), "ns"), 2)
		list = append(list, target{name: "P3 allocations, " + with, ours: math.Round(get(owner, "allocs")), unit: "a call", want: 0})
	}
	return list
}

func (r *run) crowdTargets() []target {
	p, get, many := r.Plan, r.results.of, 1_000_000
	bytes := func(who string) job { return p.bytes(who, many) }
	crowd := func(who string) job { return p.crowd(who, many) }
	ours := get(bytes(fairleadSubmit), "bytes")
	peer, theirs := r.results.best(crowders, bytes, "bytes")
	slowest, best := r.results.best(crowders, crowd, "cpu s")
	short, long := get(p.drain(1000), "ns per grant"), get(p.drain(p.long()), "ns per grant")
	return []target{
		{name: "P4 memory of 1,000,000 waiting, each", ours: ours, unit: "B", want: 200},
		{name: "P4 the same against peers", ours: ours, unit: "B", peer: peer, theirs: theirs, want: 0.07, ratio: true},
		{name: "P4 CPU of 1,000,000 waiting", ours: get(crowd(fairleadSubmit), "cpu s"), unit: "s",
			peer: slowest, theirs: best, want: 0.25, ratio: true},
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
		{name: "P5 rate after a third was cancelled", ours: get(p.cancelled(fairleadSubmit), "rate"),
			peer: xrate, theirs: get(p.cancelled(xrate), "rate"), want: 0.99, atLeast: true},
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
	ours := p.retries(fairlead)
	var goroutines []string
	for _, who := range jobbers {
		if who != workqueueK8s {
			goroutines = append(goroutines, who)
		}
	}
	cpu, wall := "cpu us per job", "wall ms"
	peer, theirs := r.results.best(goroutines, p.retries, cpu)
	return []target{
		{name: "P6 100,000 jobs that fail thrice", ours: get(ours, wall), unit: "ms", want: 150},
		{name: "P6 the same against the workqueue", ours: get(ours, wall), unit: "ms",
			peer: workqueueK8s, theirs: get(p.retries(workqueueK8s), wall), want: 1, ratio: true},
		{name: "P6 CPU a job", ours: get(ours, cpu), unit: "µs", want: 2},
		{name: "P6 CPU against the workqueue", ours: get(ours, cpu), unit: "µs",
			peer: workqueueK8s, theirs: get(p.retries(workqueueK8s), cpu), want: 1, ratio: true},
		{name: "P6 CPU against a goroutine per retry", ours: get(ours, cpu), unit: "µs", peer: peer, theirs: theirs, want: 0.15, ratio: true},
		{name: "P6 memory of a job that backs off", ours: get(p.backing(fairlead), "bytes"), unit: "B",
			peer: workqueueK8s, theirs: get(p.backing(workqueueK8s), "bytes"), want: 200},
	}
}

func (r *run) quietTargets() []target {
	p, get := r.Plan, r.results.of
	plain, after := p.unsubscribed().jobs[0], p.unsubscribed().jobs[1]
	idle, control := p.idle(fairlead), p.idle("")
	late, loop := p.late, func(who string) job { return p.loop(who, 1, 10_000, 1) }
	peer50, best50 := r.results.best(waiters, late, "p50 us")
	peer99, best99 := r.results.best(waiters, late, "p99 us")
	// Of the shares of the rate, the best is the largest.
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
		// A program that does nothing wakes some times a second, too, and not evenly. A timer of
		// ours would be a thousand.
		{name: "P10 wake-ups of an idle scheduler", ours: get(idle, "sleeps"), peer: "no scheduler", theirs: get(control, "sleeps"), want: get(control, "sleeps") + 5*control.Duration.Seconds()},
		{name: "P10 CPU of an idle scheduler", ours: get(idle, "cpu us"), unit: "µs", peer: "no scheduler", theirs: get(control, "cpu us"), want: get(control, "cpu us") + 1000},
		{name: "P11 lateness, median", ours: get(late(fairlead), "p50 us"), unit: "µs", peer: peer50, theirs: best50, want: 100},
		{name: "P11 lateness, p99", ours: get(late(fairlead), "p99 us"), unit: "µs", peer: peer99, theirs: best99, want: 300},
		{name: "P11 share of 10,000/s for one caller", ours: get(loop(fairlead), "share"), peer: bestLooper, theirs: share, want: 0.6, atLeast: true},
	}
}

// row is a target as it is printed: name, ours, best peer, ratio, target, verdict.
func (t target) row() []string {
	ours := strings.TrimSpace(number(t.ours) + " " + t.unit)
	peer, ratio := "", ""
	if t.peer != "" {
		peer = strings.TrimSpace(number(t.theirs)+" "+t.unit) + " " + t.peer
		ratio = number(t.ours / t.theirs)
	}
	want := "≤ "
	if t.atLeast {
		want = "≥ "
	}
	want += number(t.want)
	if t.ratio {
		want += " ×"
	} else if t.unit != "" {
		want += " " + t.unit
	}
	return []string{t.name, ours, peer, ratio, want, t.verdict()}
}

var targetColumns = []string{"", "ours", "best peer", "ratio", "target", ""}

func printTargets(w io.Writer, list []target) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, strings.Join(targetColumns, "\t"))
	short := 0
	for _, t := range list {
		fmt.Fprintln(tw, strings.Join(t.row(), "\t"))
		if !t.ok() {
			short++
		}
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "%d of %d targets met\n", len(list)-short, len(list))
	return err
}

// number is a value with three significant digits, as people write it.
func number(v float64) string {
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return "–"
	case v == 0:
		return "0"
	case math.Abs(v) < 0.001:
		return strconv.FormatFloat(v, 'e', 1, 64)
	}
	digits := 2 - int(math.Floor(math.Log10(math.Abs(v))))
	if digits > 0 {
		text := strconv.FormatFloat(v, 'f', digits, 64)
		return strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
	}
	scale := math.Pow10(-digits)
	whole := strconv.FormatInt(int64(math.Round(v/scale)*scale), 10)
	sign := ""
	if whole[0] == '-' {
		sign, whole = "-", whole[1:]
	}
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	return sign + whole
}
