// Command bench compares Fairlead with the libraries that people would otherwise use:
// the same work, side by side in one run. See README.md.
package main

import (
	"flag"
	"fmt"
	"os"
	"time"
)

func main() {
	if err := mainErr(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func mainErr() error {
	quick := flag.Bool("quick", false, "measure what the targets need alone, in two minutes")
	write := flag.Bool("write", false, "write the tables of README.md and the charts, in this folder")
	keep := flag.String("keep", "", "write all numbers to this `file`, as JSON")
	from := flag.String("from", "", "measure nothing, and read the numbers from this `file`")
	one := flag.String("job", "", "run one job, given as `JSON`, and print its numbers: what bench starts itself with")
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), `usage: go run . [-quick | -write] [-keep file] [-from file]

Measures Fairlead beside other libraries, prints it against its targets, one line each,
and with -write renews the report. Without -quick it takes about 10 minutes.

`)
		flag.PrintDefaults()
	}
	flag.Parse()
	switch {
	case flag.NArg() > 0:
		return fmt.Errorf("%q is no flag; see -h", flag.Arg(0))
	case *one != "":
		return runHere(*one)
	case *write && *quick:
		return fmt.Errorf("-write needs all numbers, and -quick does not measure them: leave one of them out")
	}
	r, err := measureOrLoad(*quick, *from)
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
	return printTargets(os.Stdout, r.targets())
}

func measureOrLoad(quick bool, from string) (*run, error) {
	if from != "" {
		return load(from)
	}
	r := &run{Plan: plan{quick}, Quick: quick, Machine: thisMachine()}
	begin := time.Now()
	var err error
	r.results, err = measure(r.Plan.groups(), os.Stderr)
	r.Took = time.Since(begin)
	return r, err
}
