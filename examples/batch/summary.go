package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"example.com/fairlead/events"
)

// summary tells how a run ended.
type summary struct {
	counts
	part       string // with its file, or empty
	tokensUsed int64  // according to the answers of this run
	elapsed    time.Duration
	perRequest events.Times // mean times of a request in this run
	storeAway  string       // how often and how long a shared budget did not answer, or empty
	leftovers  leftovers    // of a drain
	stopped    error        // why the run has stopped by itself, or nil
	reasons    reasons      // why lines have failed
	wrongURL   int          // failed lines that the server has nothing for at their URL
}

// counts has the numbers of lines, counted in the files, and the numbers of 429s and retries in this run.
type counts struct {
	answered    int   // lines with an answer
	failed      int   // lines with an error
	todo        int   // lines without a result
	duplicated  int   // results beyond the first of their line
	rateLimited int64 // 429s
	retries     uint64
}

// audit counts the results of an input's lines, in the files alone.
func audit(in *input, out *output) (summary, error) {
	var sum summary
	ctx := context.Background() // even an interrupted run has a summary
	_, last, err := in.count(ctx)
	if err != nil {
		return sum, err
	}
	results := make([]uint32, last+1) // by line number: the hash of a result
	_, err = readResults(wholeFile(out.file), func(e *entry) {
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
			_ = json.Unmarshal(e.text, &r) // parsed once before
			sum.reasons.add(r.reason())
			if r.Response != nil && (&statusError{response: *r.Response}).blame() == theURL {
				sum.wrongURL++
			}
		}
	})
	if err != nil {
		return sum, err
	}
	return sum, in.each(ctx, func(l *line) error {
		if results[l.number] != l.hash { // no result, or one for an earlier text of the line
			sum.todo++
		}
		return nil
	})
}

// lookAtURL is the advice for a run whose only failures are 404, 405 and redirects.
const lookAtURL = "check -url and the url of these lines; if one is wrong, fix it, and run these lines again with -again"

// String returns the summary in lines, each with its label.
func (s summary) String() string {
	type row struct {
		label string
		value any
	}
	rows := []row{
		{"answered", s.answered}, {"failed", s.failed}, {"left to do", s.todo}, {"duplicated", s.duplicated},
		{"429s seen", s.rateLimited}, {"retries", s.retries}, {"elapsed", s.elapsed.Round(10 * time.Millisecond)},
	}
	if s.tokensUsed > 0 {
		rows = append(rows, row{"tokens used", s.tokensUsed})
	}
	if s.perRequest != (events.Times{}) {
		rows = append(rows, row{"time per request", s.perRequest})
	}
	if s.storeAway != "" {
		rows = append(rows, row{"budget away", s.storeAway})
	}
	if s.part != "" {
		rows = append([]row{{"part", s.part}}, rows...)
	}
	var b strings.Builder
	for _, row := range rows {
		fmt.Fprintf(&b, "%-17s %v\n", row.label+":", row.value)
		if row.label == "failed" {
			for _, reason := range s.reasons.lines() {
				fmt.Fprintf(&b, "  %s\n", reason)
			}
			if s.failed > 0 && s.wrongURL == s.failed {
				b.WriteString("  " + lookAtURL + "\n")
			}
		}
	}
	return b.String()
}
