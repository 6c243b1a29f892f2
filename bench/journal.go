package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// What workload K measures, compares and reports: libraries that keep calls in a file, so that they survive a crash. The program in folder
// journals measures them.

// Who takes part in workload K. Those that are not synced may lose calls that were accepted when the power fails.
const (
	backliteQueue    = "backlite"
	backliteUnsynced = "backlite, unsynced"
	goqiteQueue      = "goqite"
	goqiteUnsynced   = "goqite, unsynced"
)

var (
	journalPeers = []string{backliteQueue, goqiteQueue}
	unsynced     = []string{backliteUnsynced, goqiteUnsynced}
	inJournals   = slices.Concat([]string{fairlead}, journalPeers, unsynced)
	producers    = []int{1, 64, 1024}
)

func (p plan) journal(who string, producers int) job {
	return job{Work: "journal", Who: who, Callers: producers, Duration: p.either(time.Second, 1500*time.Millisecond)}
}

// journalGroups returns workload K, or nothing where there is no C compiler.
func (p plan) journalGroups() []group {
	if !compilerInstalled() {
		return nil
	}
	rounds := 3
	if p.quick {
		rounds = 2
	}
	var list []group
	for _, n := range producers {
		of := func(who string) job { return p.journal(who, n) }
		list = append(list, group{fmt.Sprintf("K: a journal, producers: %d", n), rounds, each(append([]string{fairlead}, journalPeers...), of)})
		if !p.quick {
			list = append(list, group{fmt.Sprintf("K: unsynced, producers: %d", n), 1, each(unsynced, of)})
		}
	}
	return list
}

// compilerInstalled reports whether there is a C compiler, which SQLite's driver needs.
func compilerInstalled() bool {
	_, err := exec.LookPath(cmp.Or(os.Getenv("CC"), "gcc"))
	return err == nil
}

// buildJournals builds the program that measures workload K, which takes a minute the first time.
func buildJournals() error {
	if out, err := exec.Command("go", "build", "-o", os.DevNull, "./journals").CombinedOutput(); err != nil {
		return fmt.Errorf("building ./journals: %w\n%s", err, out)
	}
	return nil
}

// versionsOfJournals returns the versions of what is linked into that program alone.
func versionsOfJournals() []string {
	out, err := exec.Command("go", "list", "-m", "github.com/mikestefanello/backlite", "maragu.dev/goqite", "github.com/mattn/go-sqlite3").Output()
	if err != nil {
		return nil
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

// measureJournal runs that program.
func measureJournal(j job) numbers {
	program := exec.Command("go", "run", "./journals", string(must(json.Marshal(j))))
	complaints := new(strings.Builder)
	program.Stderr = complaints
	out, err := program.Output()
	if err != nil {
		panic(fmt.Sprintf("%v: %s", err, complaints))
	}
	var found numbers
	check(json.Unmarshal(out, &found))
	return found
}

// measuredJournals reports whether workload K was measured.
func (r *run) measuredJournals() bool { return len(r.results[r.Plan.journal(fairlead, 1)]) > 0 }

func (r *run) journalTargets() []target {
	if !r.measuredJournals() {
		return nil
	}
	var list []target
	add := func(name, unit, of string, n int, want float64, more bool) {
		jobs := func(who string) job { return r.Plan.journal(who, n) }
		peer, theirs := r.results.best(journalPeers, jobs, of)
		if more {
			peer, theirs = r.results.most(journalPeers, jobs, of)
		}
		list = append(list, target{name: fmt.Sprintf("P14 %s, producers: %d", name, n), ours: r.results.of(jobs(fairlead), of), unit: unit,
			peer: peer, theirs: theirs, want: want, atLeast: more})
	}
	for i, want := range []float64{100, 4000, 18_000} {
		add("calls a second through a journal", "", "calls per second", producers[i], want, true)
	}
	add("p99 of Submit to a journal", "ms", "submit p99 ms", 64, 70, false)
	return list
}

func (r *run) journalComparisons() []comparison {
	of := func(what, unit, number string, more bool) comparison {
		c := comparison{what: "K: " + what, unit: unit, ours: fairlead, names: journalPeers, more: more}
		for _, n := range producers {
			c.cases = append(c.cases, r.median(fmt.Sprintf("producers: %d", n), func(who string) job { return r.Plan.journal(who, n) }, number))
		}
		return c
	}
	return []comparison{
		of("calls a second through a file, from accepted to ended", "", "calls per second", true),
		of("calls accepted a second", "", "accepted per second", true),
		of("p99 of the wait until a call is accepted", "ms", "submit p99 ms", false),
		of("CPU of a call", "µs", "cpu us per call", false),
	}
}

// journalTables returns the tables of workload K.
func (r *run) journalTables() string {
	text := "### K: calls that are kept in a file\n\n"
	if !r.measuredJournals() {
		return text + "Not measured: there was no C compiler for SQLite's driver.\n\n"
	}
	get := r.results.of
	first := r.Plan.journal(fairlead, 1)
	text += fmt.Sprintf("The file is on %s. To write 4 KiB and fdatasync it takes %s µs there (the median of what each run has measured before it).\n\n",
		cmp.Or(fileSystems[get(first, "file system")], "a file system that has no name here"), number(r.syncTime()))
	for _, n := range producers {
		title := fmt.Sprintf("producers: %d", n)
		text += table([]string{title, "calls a second", "accepted a second", "Submit: median, ms", "p99, ms", "CPU of a call, µs", "not accepted", "left 2 s later"}, inJournals, func(who string) []string {
			j := r.Plan.journal(who, n)
			return []string{number(get(j, "calls per second")), number(get(j, "accepted per second")), number(get(j, "submit p50 ms")), number(get(j, "submit p99 ms")),
				number(get(j, "cpu us per call")), percent(get(j, "failed")), number(get(j, "left"))}
		})
	}
	return text
}

// syncTime returns the median of the times that a sync took.
func (r *run) syncTime() float64 {
	var all []float64
	for _, n := range producers {
		for _, who := range inJournals {
			all = append(all, r.results.samples(r.Plan.journal(who, n), "fdatasync us")...)
		}
	}
	return median(all)
}

// fileSystems has the names of file systems by Linux's numbers for them.
var fileSystems = map[float64]string{0xef53: "ext4", 0x01021994: "tmpfs, which never waits for a disk", 0x58465342: "xfs", 0x9123683e: "btrfs", 0x794c7630: "overlayfs"}
