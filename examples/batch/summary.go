package main

import (
	"fmt"
	"os"
	"strings"
	"time"
)

// summary is how a run ended. What became of the lines is counted in the files.
type summary struct {
	answered   int // lines with a result that is a success
	failed     int // lines with a result that is an error
	lost       int // lines without a result
	duplicated int // results beyond the first of their line
	refused    int64
	retries    uint64
	elapsed    time.Duration
}

// audit counts the results of a file of so many lines.
func audit(path string, lines int) (summary, error) {
	var sum summary
	f, err := os.Open(path)
	if err != nil {
		return sum, err
	}
	defer f.Close()
	seen := make(map[int]struct{}, lines)
	err = readResults(f, path, func(r *result, _ int, number int, _ uint32) {
		if _, again := seen[number]; again {
			sum.duplicated++
			return
		}
		seen[number] = struct{}{}
		if r.Error == nil {
			sum.answered++
		} else {
			sum.failed++
		}
	})
	sum.lost = lines - len(seen)
	return sum, err
}

// String is the summary in lines, each with its label.
func (s summary) String() string {
	var b strings.Builder
	for _, row := range []struct {
		label string
		value any
	}{
		{"answered", s.answered}, {"failed", s.failed}, {"lost", s.lost}, {"duplicated", s.duplicated},
		{"429s seen", s.refused}, {"retries", s.retries}, {"elapsed", s.elapsed.Round(10 * time.Millisecond)},
	} {
		fmt.Fprintf(&b, "%-11s %v\n", row.label+":", row.value)
	}
	return b.String()
}
