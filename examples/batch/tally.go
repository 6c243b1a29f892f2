package main

import (
	"sync/atomic"

	"example.com/fairlead/events"
)

// tally counts results as they are written.
type tally struct {
	resumed, answered, failed atomic.Int64

	// Of requests alone: a bad line is none, and its time would make the mean look better.
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

// mean is what a request has spent its time on, part by part; zero if there was none.
func (t *tally) mean() events.Times { return t.times.Over(max(1, t.requests)) }

// done is how many lines have their results, and how many of those are errors of this run.
func (t *tally) done() (done, failed int64) {
	failed = t.failed.Load()
	return t.resumed.Load() + t.answered.Load() + failed, failed
}
