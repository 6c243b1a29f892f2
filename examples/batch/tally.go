package main

import (
	"sync/atomic"

	"example.com/fairlead/events"
)

// tally counts results as they are written.
type tally struct {
	skipped, answered, failed atomic.Int64

	// Without bad lines, which are not sent and would lower the mean.
	requests int
	times    events.Times
}

func (t *tally) count(res outcome) {
	if res.Err == nil {
		t.answered.Add(1)
	} else {
		t.failed.Add(1)
	}
	if res.Input.err == nil {
		t.requests++
		t.times = t.times.Plus(res.Times)
	}
}

// mean returns the mean times of a request, or zero if there was none.
func (t *tally) mean() events.Times { return t.times.Over(max(1, t.requests)) }

// progress returns how many lines have results, and how many of those are errors of this run.
func (t *tally) progress() (done, failed int64) {
	failed = t.failed.Load()
	return t.skipped.Load() + t.answered.Load() + failed, failed
}
