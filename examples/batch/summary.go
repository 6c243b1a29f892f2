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

// audit counts what became of the lines of an input, in the files and nowhere else.
func audit(in, out string) (summary, error) {
	var sum summary
	_, last, err := countLines(in)
	if err != nil {
		return sum, err
	}
	f, err := os.Open(out)
	if err != nil {
		return sum, err
	}
	defer f.Close()
	results := make([]uint32, last+1) // by line number: the hash of a result
	_, err = readResults(f, out, func(r *result, _ int, number int, hash uint32) {
		switch {
		case number > last: // of no line
		case results[number] != 0:
			sum.duplicated++
		case r.Error == nil:
			results[number] = hash
			sum.answered++
		default:
			results[number] = hash
			sum.failed++
		}
	})
	if err != nil {
		return sum, err
	}
	return sum, eachLine(in, func(l *line) error {
		if results[l.number] != l.hash { // none, or of what the line once was
			sum.lost++
		}
		return nil
	})
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
