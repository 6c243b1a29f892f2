package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// result is how a test ended.
type result struct {
	action string // "pass", "fail" or "skip"; empty if the test did not end
	output string
	try    int // counted from 1
}

// inventory has the tests of a package, with true for those that were run and false for those that were left
// out.
type inventory map[string]bool

// compare returns the list of tests with the verdicts of this run, and an error for each that is not as listed.
func (s *suite) compare(found inventory, results map[string]result) (rows []test, faults error) {
	rows = slices.Clone(s.tests)
	var errs []error
	fault := func(name, what, output string) {
		errs = append(errs, fmt.Errorf("%s: %s %s\n%s", s.pkg(), name, what, firstLines(output)))
	}
	listed := map[string]bool{}
	for i, t := range rows {
		if listed[t.name] {
			fault(t.name, "is listed twice", "")
		}
		listed[t.name] = true
		run, ok := found[t.name]
		r := results[t.name]
		switch {
		case !ok:
			rows[i].verdict = "not found"
		case !run:
			rows[i].verdict = leftOut
		case r.action == "pass":
			rows[i].verdict = passes
		case r.action == "fail":
			rows[i].verdict = fails
		default:
			rows[i].verdict = "did not end"
		}
		if got := rows[i].verdict; got != t.verdict {
			fault(t.name, fmt.Sprintf("is listed with %q: %s", t.verdict, got), r.output)
		}
		if (t.verdict == passes) != (t.why == "") {
			fault(t.name, "needs a reason if it does not pass, and none if it does", "")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(found)) {
		if !listed[name] && !isBenchmark(name) {
			fault(name, "is not listed", "")
		}
	}
	return rows, errors.Join(errs...)
}

// firstLines returns the first lines of a test's output.
func firstLines(output string) string {
	const enough = 12
	lines := strings.SplitAfterN(output, "\n", enough+1)
	if len(lines) > enough {
		lines = append(lines[:enough], "…\n")
	}
	return strings.Join(lines, "")
}
