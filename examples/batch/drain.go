package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// drain ends the run early. It is called when no more lines are read. Accepted requests have -drain to finish.
// Then queued ones are left to the next run, and only running attempts may finish. If the server can't be
// reached, the drain ends at once. When hard is done, everything ends at once.
func (b *batch) drain(hard context.Context) {
	why, timeout, stop := "no more lines are read", b.cfg.drain, "Ctrl-C again stops"
	switch {
	case b.stopReason() != nil:
		why, timeout, stop = "stopping, since "+b.stopReason().brief, 0, "Ctrl-C twice stops"
	case b.outage.isAway():
		timeout = 0
	case timeout > 0:
		b.say(b.drainText())
		why = "time is up"
	}
	ctx, cancel := context.WithTimeout(b.draining, timeout)
	defer cancel()
	b.unfinished, _ = b.s.Shutdown(ctx)       // the error says no more than the list
	context.AfterFunc(hard, b.cancelAttempts) // only now, so that the list shows canceled attempts as running
	switch {
	case b.outage.isAway():
		why = "the server can't be reached"
	case timeout > 0 && errors.Is(ctx.Err(), context.Canceled):
		why = "the drain has ended"
	}

	running := 0
	for _, u := range b.unfinished {
		if u.State == "running" {
			running++
		}
	}
	if running > 0 && hard.Err() == nil {
		b.say(fmt.Sprintf("%s; queued requests are left to the next run, running ones (%d) may finish; %s at once", why, running, stop))
	}
}

// drainText says how many requests are drained, and for how long.
func (b *batch) drainText() string {
	snap := b.s.Snapshot()
	accepted := snap.Running + snap.BackingOff + snap.Queued
	s := fmt.Sprintf("no more lines are read; %d accepted requests have %v to finish", accepted, b.cfg.drain)
	if est, err := b.s.Estimate(); err == nil && est.Wait > b.cfg.drain {
		s += fmt.Sprintf(" (the budget needs about %v)", est.Wait.Truncate(time.Second)+time.Second)
	}
	return s + "; Ctrl-C again stops at once"
}

// leftovers lists the accepted requests without a result, in the order in which they would have been served.
type leftovers []leftover

type leftover struct {
	name     string
	state    string // when the drain ended
	attempts int
	due      time.Time // if it was backing off
	last     error     // of the latest attempt
}

// leftovers returns the requests that were not finished. It leaves out those that got their result after the
// drain had ended.
func (b *batch) leftovers() leftovers {
	var all leftovers
	for _, u := range b.unfinished {
		if res, ok := b.leftover[u.Name]; ok {
			all = append(all, leftover{u.Name, u.State, res.Attempts, u.Due, res.Input.last})
		}
	}
	return all
}

// maxLeftovers bounds how many leftovers are listed one by one.
const maxLeftovers = 10

// String returns a report of several lines.
func (all leftovers) String() string {
	if len(all) == 0 {
		return "batch: everything that was accepted has finished\n"
	}
	count := map[string]int{}
	for _, l := range all {
		count[l.state]++
	}
	var b strings.Builder
	fmt.Fprintf(&b, "batch: not finished: %d (when the drain ended: %d queued, %d backing off, %d running)\n",
		len(all), count["queued"], count["backing off"], count["running"])
	for _, l := range all[:min(len(all), maxLeftovers)] {
		fmt.Fprintf(&b, "  %v\n", l)
	}
	if more := len(all) - maxLeftovers; more > 0 {
		fmt.Fprintf(&b, "  and %d more\n", more)
	}
	return b.String()
}

// String returns one line of the report.
func (l leftover) String() string {
	s := l.name + ": " + l.state
	if !l.due.IsZero() {
		s += " until " + l.due.Format(time.TimeOnly)
	}
	s += fmt.Sprintf(", attempts made: %d", l.attempts)
	if l.last != nil {
		s += ", last error: " + short(l.last.Error())
	}
	return s
}

// short returns the beginning of a text on one line.
func short(text string) string { return oneLine(text, 80) }

// oneLine returns a text on one line, cut to n characters.
func oneLine(text string, n int) string {
	line := []rune(strings.Join(strings.Fields(text), " "))
	if len(line) > n {
		return string(line[:n-1]) + "…"
	}
	return string(line)
}
