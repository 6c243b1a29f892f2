// Command bench compares Fairlead with the libraries that people would otherwise use:
// the same work, side by side in one run. See README.md.
package main

import (
	"flag"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"time"
)

func main() {
	if err := mainErr(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func mainErr() error {
	quick := flag.Bool("quick", false, "measure what the targets need alone, in four minutes")
	write := flag.Bool("write", false, "write the tables of README.md and the charts, in this folder")
	keep := flag.String("keep", "", "write all numbers to this `file`, as JSON")
	only := flag.String("only", "", "measure only the groups whose names begin with this `text`, such as \"J:\"")
	from := flag.String("from", "", "measure nothing, and read the numbers from this `file`")
	one := flag.String("job", "", "run one job, given as `JSON`, and print its numbers: what bench starts itself with")
	inFleet := flag.String("member", "", "be one process of a fleet, given as `JSON`: what such a job starts itself with")
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), `usage: go run . [-quick | -write | -only text] [-keep file] [-from file]

Measures Fairlead beside other libraries, prints it against its targets, one line each,
and with -write renews the report. Without -quick it takes about 14 minutes.

`)
		flag.PrintDefaults()
	}
	flag.Parse()
	switch {
	case flag.NArg() > 0:
		return fmt.Errorf("%q is no flag; see -h", flag.Arg(0))
	case *one != "":
		return runHere(*one)
	case *inFleet != "":
		return runMember(*inFleet)
	case *write && (*quick || *only != ""):
		return fmt.Errorf("-write needs all numbers, and -quick and -only do not measure them: leave them out")
	}
	r, err := measureOrLoad(plan{*quick}, *only, *from)
	if err != nil {
		return err
	}
	if *keep != "" {
		if err := r.keep(*keep); err != nil {
			return err
		}
	}
	if *write {
		if err := r.write("."); err != nil {
			return err
		}
	}
	fmt.Printf("%s; took %s\n", r.Machine, r.Took.Round(time.Second))
	targets := r.targets()
	if *only != "" {
		targets = slices.DeleteFunc(targets, func(t target) bool { return math.IsNaN(t.ours) })
	}
	return printTargets(os.Stdout, targets)
}

// measureOrLoad measures the groups of a plan whose names begin with a text, or reads a run from a file.
func measureOrLoad(p plan, only, from string) (*run, error) {
	if from != "" {
		return load(from)
	}
	if !redisInstalled() {
		fmt.Fprintln(os.Stderr, "J: left out, since redis-server is not installed")
	}
	groups := slices.DeleteFunc(p.groups(), func(g group) bool { return !strings.HasPrefix(g.name, only) })
	switch {
	case !compilerInstalled():
		fmt.Fprintln(os.Stderr, "K: left out, since there is no C compiler")
	case slices.ContainsFunc(groups, func(g group) bool { return g.jobs[0].Work == "journal" }):
		if err := buildJournals(); err != nil {
			return nil, err
		}
	}
	r := &run{Plan: p, Quick: p.quick, Machine: thisMachine()}
	begin := time.Now()
	var err error
	r.results, err = measure(groups, os.Stderr)
	r.Took = time.Since(begin)
	return r, err
}
