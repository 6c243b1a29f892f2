package main

import (
	"cmp"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// What is between these two lines of README.md is written by write.
const (
	reportBegins = "<!-- written by make bench: from here -->"
	reportEnds   = "<!-- to here -->"
)

// write renews the tables in the README of a folder and the charts beside it.
func (r *run) write(folder string) error {
	path := filepath.Join(folder, "README.md")
	old, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	head, rest, ok := strings.Cut(string(old), reportBegins)
	_, tail, ok2 := strings.Cut(rest, reportEnds)
	if !ok || !ok2 {
		return fmt.Errorf("%s: the lines %q and %q must be in it, in this order", path, reportBegins, reportEnds)
	}
	renewed := head + reportBegins + "\n\n" + r.tables() + "\n" + reportEnds + tail
	if err := os.WriteFile(path, []byte(renewed), 0o644); err != nil {
		return err
	}
	for name, svg := range r.charts() {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(svg), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// table returns a table in Markdown, with a row for each name.
func table(columns, names []string, row func(string) []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "| %s |\n|%s\n", strings.Join(columns, " | "), strings.Repeat("---|", len(columns)))
	for _, name := range names {
		cells := append([]string{name}, row(name)...)
		if isOurs(name) {
			for i, cell := range cells {
				if cell != "" {
					cells[i] = "**" + cell + "**"
				}
			}
		}
		fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | "))
	}
	return b.String() + "\n"
}

func chart(name, alt string) string { return fmt.Sprintf("![%s](%s.svg)\n\n", alt, name) }

func (r *run) tables() string {
	return fmt.Sprintf("All numbers are from one run of %.0f minutes: %s.\n\n", max(1, r.Took.Minutes()), r.Machine) +
		r.aheadList() + r.targetTable() + r.callTables() + r.featureTables() + r.crowdTables() + r.timeTables() + r.retryTable() + r.keyTables() + r.fleetTables() + r.journalTables() +
		"### Versions\n\n" + strings.Join(r.Machine.Modules, " · ") + "\n"
}

// aheadList comes first, since readers need it most to choose.
func (r *run) aheadList() string {
	return fmt.Sprintf("### Where a peer is ahead\n\nEach number below of which the best peer's is better by more than %s, the furthest ahead first; "+
		"– where Fairlead did not finish in time.\n\n", percent(noise)) + ahead(r.comparisons()) + "\n"
}

func (r *run) targetTable() string {
	var b strings.Builder
	b.WriteString("### Against the targets\n\n")
	rows := map[string][]string{}
	var names []string
	for _, t := range r.targets() {
		cells := t.row()
		names = append(names, cells[0])
		rows[cells[0]] = cells[1:]
	}
	fmt.Fprintf(&b, "The floor shows how long the least code takes that could do the work, in the same run, divided by the best peer's (floors.go, floors_wait.go). "+
		"A number is near the floor if it is at most %s times as much.\n\n", number(nearFloor))
	b.WriteString(table(targetColumns, names, func(name string) []string { return rows[name] }))
	return b.String()
}

func (r *run) callTables() string {
	p, get := r.Plan, r.results.of
	var b strings.Builder
	b.WriteString("### A: take a token that is there, one goroutine\n\n")
	b.WriteString(table([]string{"", "ns", "allocations"}, tryers, func(who string) []string {
		j := p.calls(who, "try", 1)
		return []string{number(get(j, "ns")), allocations(get(j, "allocs"))}
	}))
	some := []int{1, crowded() / 16, crowded()}
	b.WriteString("### B: wait for a token that is there\n\nns per call, from so many goroutines; a refusal is an error although there were tokens.\n\n")
	b.WriteString(table([]string{"", number(float64(some[0])), number(float64(some[1])), number(float64(some[2])), "allocations", "refused"}, waiters,
		func(who string) []string {
			var cells []string
			for _, callers := range some {
				cells = append(cells, number(get(p.calls(who, "wait", callers), "ns")))
			}
			last := p.calls(who, "wait", crowded())
			return append(cells, allocations(get(last, "allocs")), percent(get(last, "failed")))
		}))
	b.WriteString("### C: limit and retry around a function that succeeds\n\n" + chart("calls", "ns per call with limit and retry"))
	b.WriteString(table([]string{"", "ns, one goroutine", "ns, 128 a core", "allocations", "bytes"}, couples(), func(who string) []string {
		one, many := p.calls(who, "both", 1), p.calls(who, "both", crowded())
		return []string{number(get(one, "ns")), number(get(many, "ns")), allocations(get(one, "allocs")), number(math.Round(get(one, "bytes")))}
	}))
	b.WriteString("### The owner's path\n\nA call goes to the owner and back while another is queued, since nothing is lent then.\n\n")
	b.WriteString(table([]string{"", "ns, one goroutine", "ns, 128 a core", "allocations"}, []string{fairlead, bare, floorOwner}, func(who string) []string {
		one, many := p.calls(who, "owner", 1), p.calls(who, "owner", crowded())
		return []string{number(get(one, "ns")), number(get(many, "ns")), allocations(get(one, "allocs"))}
	}))
	return b.String()
}

// allocations rounds a number of allocations per call to tenths, since measuring allocates a
// little.
func allocations(v float64) string { return number(math.Round(v*10) / 10) }

func percent(part float64) string { return number(math.Round(part*10000)/100) + " %" }

func (r *run) featureTables() string {
	p, get := r.Plan, r.results.of
	features := func(list []feature, base string) string {
		of := func(name string) job { return p.calls(fairlead, name, 1) }
		var names []string
		for _, f := range list {
			names = append(names, f.name)
		}
		return table([]string{"", "ns", "× a plain Do", "more than " + base, "bytes", "allocations"}, names, func(name string) []string {
			ns := get(of(name), "ns")
			return []string{number(ns), number(ns / get(of(plainDo), "ns")), signed(ns - get(of(base), "ns")),
				number(math.Round(get(of(name), "bytes"))), allocations(get(of(name), "allocs"))}
		})
	}
	return "### The cost of features\n\nOne goroutine, a call that need not wait. Where the time of each call goes (`Times`) is always measured.\n\n" +
		"A call with options, which are made where the call is made:\n\n" + features(optional, plainDo) +
		"A plain call, of a scheduler with so much in its configuration:\n\n" + features(configured, plainDo) +
		"A call that goes to the owner and back:\n\n" + features(owned, ownersPath) +
		fmt.Sprintf("One subscriber to everything was told %s events a second, and missed %s of them, while %d goroutines called without a pause.\n\n",
			number(get(p.events(), "per second")), percent(get(p.events(), "missed")), crowded())
}

func signed(v float64) string {
	if v > 0 {
		return "+" + number(v)
	}
	return number(v)
}

// bySize returns a table with a column for each size of a crowd.
func (r *run) bySize(heading string, names []string, cell func(who string, n int) string) string {
	columns := []string{heading}
	for _, n := range sizes {
		columns = append(columns, number(float64(n)))
	}
	return table(columns, names, func(who string) []string {
		var cells []string
		for _, n := range sizes {
			if n > largestCrowd(who) {
				cells = append(cells, "")
			} else {
				cells = append(cells, cell(who, n))
			}
		}
		return cells
	})
}

func (r *run) crowdTables() string {
	p, get := r.Plan, r.results.of
	crowd := func(numberName string) func(string, int) string {
		return func(who string, n int) string { return number(get(p.crowd(who, n), numberName)) }
	}
	var b strings.Builder
	b.WriteString("### D: a crowd that waits\n\nSo many callers come at once, and have their tokens within 1.5 s (a million: 3 s). Each is a goroutine, but for `Submit`, which needs none. ")
	fmt.Fprintf(&b, "Empty: left out, since it takes too long; –: did not finish in %s.\n\n", patience)
	b.WriteString(chart("memory", "bytes per waiter") + chart("growth", "CPU per call as crowds grow") + chart("order", "inversions"))
	b.WriteString(r.bySize("memory of each, bytes", inCrowds, func(who string, n int) string { return number(get(p.bytes(who, n), "bytes")) }))
	b.WriteString(r.bySize("CPU of each, µs", inCrowds, crowd("cpu us per call")))
	b.WriteString(r.bySize("the same if tokens come every 3 µs", inCrowds, func(who string, n int) string {
		return number(get(p.served(who, n), "cpu us per call"))
	}))
	b.WriteString(r.bySize("pairs out of order, of all", inCrowds, crowd("inverted")))
	late := func(job func(string, int) job) func(string, int) string {
		return func(who string, n int) string {
			j := job(who, n)
			return number(get(j, "late p50 us")/1e3) + " / " + number(get(j, "late p99 us")/1e3)
		}
	}
	b.WriteString(r.bySize("lateness: median / p99, ms", inCrowds, late(p.crowd)))
	b.WriteString(r.bySize("the same if tokens come every 3 µs", inCrowds, late(p.served)))
	b.WriteString(r.bySize("tokens over, since the start / in any window, as seen by callers", inCrowds, func(who string, n int) string {
		j := p.crowd(who, n)
		return number(get(j, "over since start")) + " / " + number(get(j, "over in any window"))
	}))
	b.WriteString(r.contextTables())
	b.WriteString("A grant that is seen late is nearer to the next one: so callers see windows with too many grants although none was over. " +
		"Since the start, no lateness can look like that. One token over since the start is the first tick of a limiter that refills at whole intervals.\n\n")
	b.WriteString("In Fairlead's own account of 100,000, as its events tell it: " +
		fmt.Sprintf("%s inversions, %s tokens over in any window.\n\n", number(get(p.granted(), "inversions")), number(get(p.granted(), "over in any window"))))
	b.WriteString("A queue of so many goes at once, through `Pause` and `Resume`: ns for each.\n\n")
	b.WriteString(r.bySize("", []string{"submitted", "granted and run"}, func(what string, n int) string {
		return number(get(p.drain(n), map[string]string{"submitted": "ns per submit", "granted and run": "ns per grant"}[what]))
	}))
	b.WriteString("A crowd of 1,200 at 500 a second in bursts of 10, of which the process is stopped for 900 ms: tokens over in any window, as a server with the same limit sees it. " +
		"The rule (B7) allows those of 25 ms, which are 12.\n\n")
	b.WriteString(table([]string{"", "tokens over"}, stoppers, func(who string) []string {
		return []string{number(r.results.worst(p.stall(who), "over in any window"))}
	}))
	b.WriteString("With every third canceled while it waits, the others get this part of the rate:\n\n")
	b.WriteString(table([]string{"", "of the rate"}, cancelers, func(who string) []string { return []string{percent(get(p.canceled(who), "rate"))} }))
	return b.String()
}

// contextTables returns the tables of crowds whose callers can be canceled.
func (r *run) contextTables() string {
	p, get := r.Plan, r.results.of
	columns := []string{""}
	for _, n := range sizesInDo {
		for _, what := range []string{"bytes", "CPU, µs", "CPU, µs, a token every 3 µs", "lateness p99, ms", "over in any window"} {
			columns = append(columns, number(float64(n))+": "+what)
		}
	}
	return "The same with a cancellable context for each caller, made before anything is measured. juju's and uber's waits take none.\n\n" +
		table(columns, cancelers, func(who string) []string {
			var cells []string
			for _, n := range sizesInDo {
				crowd := p.crowdWithContexts(who, n)
				cells = append(cells, number(get(p.bytesWithContexts(who, n), "bytes")), number(get(crowd, "cpu us per call")),
					number(get(p.servedWithContexts(who, n), "cpu us per call")), number(get(crowd, "late p99 us")/1e3),
					number(get(crowd, "over in any window")))
			}
			return cells
		})
}

func (r *run) timeTables() string {
	p, get := r.Plan, r.results.of
	var b strings.Builder
	b.WriteString("### How late tokens are\n\nOne caller, waits of 0.2 to 5 ms, nothing else to do.\n\n" + chart("lateness", "lateness"))
	b.WriteString(table([]string{"", "median, µs", "p99, µs"}, inLateness, func(who string) []string {
		return []string{number(get(p.late(who), "p50 us")), number(get(p.late(who), "p99 us"))}
	}))
	b.WriteString("### F: a call that costs 500 among 64 callers that ask for one token without a pause\n\nfailsafe-go's depends on how much is left of its period.\n\n")
	b.WriteString(table([]string{"", "waited, ms", "ideal, ms"}, flooders, func(who string) []string {
		j := p.flood(who)
		waited := number(get(j, "wait ms"))
		if get(j, "never") > 0 {
			waited = fmt.Sprintf("never (in %s)", j.Duration)
		}
		return []string{waited, number(get(j, "least ms")) + " to " + number(get(j, "most ms"))}
	}))
	b.WriteString(r.loopTables())
	b.WriteString("### H: a new limit while 3000 wait\n\nThe others can't change theirs.\n\n")
	b.WriteString(table([]string{"", "× 100: drained in, ms", "ideal, ms", "÷ 100: granted in 1 s", "allowed"}, changers, func(who string) []string {
		up, down := p.change(who, "up"), p.change(who, "down")
		return []string{number(get(up, "ms")), number(get(up, "ideal")), number(get(down, "granted")), number(math.Floor(get(down, "allowed")))}
	}))
	return b.String()
}

// loopTables returns the tables of the closed loops, with the contestants as columns.
func (r *run) loopTables() string {
	p := r.Plan
	byName := map[string]loop{}
	var names []string
	for _, l := range loops() {
		names = append(names, l.String())
		byName[l.String()] = l
	}
	columns := append([]string{"callers"}, loopers...)
	cells := func(cell func(job) string) string {
		return table(columns, names, func(name string) []string {
			var row []string
			for _, who := range loopers {
				l := byName[name]
				row = append(row, cell(p.loop(who, l.callers, l.rate, l.burst)))
			}
			return row
		})
	}
	return "### G: callers that ask again as soon as they are served\n\nThe part of the allowed tokens that they got:\n\n" +
		cells(func(j job) string { return percent(r.results.of(j, "share")) }) +
		"Tokens over what is allowed since the start, the worst round. failsafe-go counts periods instead of filling a bucket: " +
		"up to a burst over is its design.\n\n" +
		cells(func(j job) string { return number(r.results.worst(j, "over")) })
}

func (r *run) retryTable() string {
	p, get := r.Plan, r.results.of
	return "### E: 100,000 jobs that fail three times, with 10, 20 and 40 ms between\n\n" +
		"Fairlead and the workqueue have workers, all others a goroutine for each job.\n\n" +
		table([]string{"", "wall, ms (ideal 70)", "CPU of each, µs", "memory while it backs off, bytes"}, jobbers, func(who string) []string {
			return []string{number(get(p.retries(who), "wall ms")), number(get(p.retries(who), "cpu us per job")), number(get(p.backing(who), "bytes"))}
		})
}

// charts returns all charts by their files.
func (r *run) charts() map[string]string {
	p, get := r.Plan, r.results.of
	bars := func(names []string, values func(string) []float64) []bar {
		var list []bar
		for _, name := range names {
			b := bar{name, isOurs(name), values(name)}
			if !slices.ContainsFunc(b.values, math.IsNaN) {
				list = append(list, b)
			}
		}
		slices.SortStableFunc(list, func(a, b bar) int { return cmp.Compare(a.values[0], b.values[0]) })
		return list
	}
	var growth []line
	for _, who := range crowders {
		l := line{name: who, ours: isOurs(who)}
		for _, n := range sizes {
			l.values = append(l.values, get(p.served(who, n), "cpu us per call"))
		}
		growth = append(growth, l)
	}
	return map[string]string{
		"calls.svg": barChart{"A call that is limited, run, and would be retried", "ns per call, logarithmic; shorter is faster", "ns",
			[]string{"one goroutine", "128 a core"}, bars(couples(), func(who string) []float64 {
				return []float64{get(p.calls(who, "both", 1), "ns"), get(p.calls(who, "both", crowded()), "ns")}
			})}.svg(),
		"memory.svg": barChart{"Memory of a call that waits", "bytes each, at 10,000 that wait, logarithmic", "B", []string{""},
			bars(crowders, func(who string) []float64 { return []float64{get(p.bytes(who, 10_000), "bytes")} })}.svg(),
		"order.svg": barChart{"Out of order", "part of all pairs of 10,000 callers that were served the wrong way round, as they saw it; logarithmic", "", []string{""},
			bars(crowders, func(who string) []float64 { return []float64{get(p.crowd(who, 10_000), "inverted")} })}.svg(),
		"lateness.svg": barChart{"How late a token comes", "µs after waits of 0.2 to 5 ms, logarithmic", "µs", []string{"median", "p99"},
			bars(waiters, func(who string) []float64 { return []float64{get(p.late(who), "p50 us"), get(p.late(who), "p99 us")} })}.svg(),
		"growth.svg": lineChart{"What a call costs as more wait", "CPU per call, from arrival to the end, tokens every 3 µs; both scales logarithmic", "µs", sizes, growth}.svg(),
	}
}
