package main

import (
	"fmt"
	"strings"
	"time"
)

// result has what was counted in the end, most of it by the API.
type result struct {
	done, lost int
	twice      int // jobs that the API answered more than once, since their worker was killed meanwhile
	refused    int
	requests   int // accepted ones
	over       int // how far the largest burst was beyond what the API allows
	burst      int // the largest
	allowed    int // burst
	tolerance  int // in allowed
	exchanges  int
	shared     bool
	took       time.Duration
	quota      int     // requests a second
	rate       float64 // of requests, from the first to the last
}

// result returns the result of a run that has ended.
func (f *fleet) result() result {
	a := f.api
	a.mu.Lock()
	defer a.mu.Unlock()
	r := result{
		done: f.finished, refused: a.refused, burst: int(a.largest), allowed: f.plan.burst + f.plan.tolerance(), tolerance: f.plan.tolerance(),
		quota: f.plan.rate, exchanges: f.exchanges, shared: f.plan.shared, took: time.Since(f.picture.began),
	}
	for job, answers := range a.answers {
		if r.requests += answers; answers > 1 {
			r.twice++
		}
		if answers == 0 || !f.done[job] {
			r.lost++
		}
	}
	r.over = max(0, r.burst-r.allowed)
	if span := a.last.Sub(a.from); span > 0 {
		r.rate = float64(r.requests) / span.Seconds()
	}
	return r
}

// String returns the result in lines.
func (r result) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "jobs done:                   %d in %.1fs\n", r.done, r.took.Seconds())
	fmt.Fprintf(&b, "requests a second:           %.0f of %d, from the first to the last\n", r.rate, r.quota)
	fmt.Fprintf(&b, "jobs lost:                   %d\n", r.lost)
	fmt.Fprintf(&b, "answered twice:              %d (their process was killed before it could say so)\n", r.twice)
	fmt.Fprintf(&b, "refused with 429:            %d\n", r.refused)
	fmt.Fprintf(&b, "requests over the quota:     %d (the largest burst was %d; the API allows %d, %d of them for delays)\n", r.over, r.burst, r.allowed, r.tolerance)
	if r.shared {
		fmt.Fprintf(&b, "exchanges per 1000 requests: %.1f\n", 1000*float64(r.exchanges)/float64(max(1, r.requests)))
	}
	return b.String()
}
