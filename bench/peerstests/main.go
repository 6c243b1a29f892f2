// Command peerstests runs the tests of other rate limiters on Fairlead, and prints which pass and why the others
// can't. See README.md.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"time"
)

func main() {
	if err := mainErr(); err != nil {
		fmt.Fprintln(os.Stderr, "peerstests:", err)
		os.Exit(1)
	}
}

func mainErr() error {
	write := flag.Bool("write", false, "write the tables into README.md, in this folder, if all results are as listed")
	flag.Parse()
	if flag.NArg() > 0 {
		return fmt.Errorf("%q is not a flag; see -h", flag.Arg(0))
	}
	start := time.Now()
	folder, err := os.MkdirTemp("", "peerstests")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	found, err := assemble(suites, folder)
	if err != nil {
		return err
	}
	var faults []error
	for i := range suites {
		s := &suites[i]
		results, err := s.run(folder)
		if err != nil {
			return err
		}
		rows, err := s.compare(found[i], results)
		faults = append(faults, err)
		fmt.Println(s.table(rows))
		for _, t := range rows {
			if try := results[t.name].try; try > 1 {
				fmt.Printf("%s is the result of run %d.\n\n", t.name, try)
			}
		}
	}
	fmt.Printf("Took %v.\n", time.Since(start).Round(time.Second))
	if err := errors.Join(faults...); err != nil {
		return fmt.Errorf("these results are not as listed in suites.go:\n%w", err)
	}
	if *write {
		return writeReadme()
	}
	return nil
}
