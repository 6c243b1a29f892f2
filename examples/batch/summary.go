package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"example.com/fairlead/events"
)

// summary is how a run ended.
type summary struct {
	counts
	used       int64 // tokens, as the answers of this run say
	elapsed    time.Duration
	perRequest events.Times // what a request of this run has spent its time on; a mean
	left       leftovers    // of a drain
	stopped    error        // why the run has stopped by itself, or nil
	reasons    reasons      // why lines have failed
	misplaced  int          // failed lines for which the server has nothing at their URL
}

// counts says what became of the lines, which is counted in the files, and what this run saw.
type counts struct {
	answered   int   // lines with a result that is a success
	failed     int   // lines with a result that is an error
	todo       int   // lines without a result: the next run has them
	duplicated int   // results beyond the first of their line
	refused    int64 // 429s
	retries    uint64
}

// audit counts what became of the lines of an input, in the files and nowhere else.
func audit(in *input, out *output) (summary, error) {
	var sum summary
	ctx := context.Background() // who stops a run wants to know how it ended
	_, last, err := in.count(ctx)
	if err != nil {
		return sum, err
	}
	results := make([]uint32, last+1) // by line number: the hash of a result
	_, err = readResults(fromStart(out.file), func(e *entry) {
		switch {
		case e.number > last: // the input has no such line
		case results[e.number] != 0:
			sum.duplicated++
		case e.Error == nil:
			results[e.number] = e.hash
			sum.answered++
		default:
			results[e.number] = e.hash
			sum.failed++
			var r result
			_ = json.Unmarshal(e.text, &r) // was read once before
			sum.reasons.add(r.reason())
			if r.Response != nil && (&statusError{response: *r.Response}).about() == theURL {
				sum.misplaced++
			}
		}
	})
	if err != nil {
		return sum, err
	}
	return sum, in.each(ctx, func(l *line) error {
		if results[l.number] != l.hash { // none, or of what the line once was
			sum.todo++
		}
		return nil
	})
}

// lookAtURL is advice for a run that has no failures but 404, 405 and redirects.
const lookAtURL = "look at -url, and at the url of these lines: if one is wrong, mend it and run these lines again with -again"

// String is the summary in lines, each with its label.
func (s summary) String() string {
	type row struct {
		label string
		value any
	}
	rows := []row{
		{"answered", s.answered}, {"failed", s.failed}, {"left to do", s.todo}, {"duplicated", s.duplicated},
		{"429s seen", s.refused}, {"retries", s.retries}, {"elapsed", s.elapsed.Round(10 * time.Millisecond)},
	}
	if s.used > 0 {
		rows = append(rows, row{"tokens used", s.used})
	}
	if s.perRequest != (events.Times{}) {
		rows = append(rows, row{"time per request", s.perRequest})
	}
	var b strings.Builder
	for _, row := range rows {
		fmt.Fprintf(&b, "%-17s %v\n", row.label+":", row.value)
		if row.label == "failed" {
			for _, reason := range s.reasons.lines() {
				fmt.Fprintf(&b, "  %s\n", reason)
			}
			if s.failed > 0 && s.misplaced == s.failed {
				b.WriteString("  " + lookAtURL + "\n")
			}
		}
	}
	return b.String()
}
