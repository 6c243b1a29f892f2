package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// drain ends the run early. No more lines are read by now. Those that were accepted have
// a while to be answered; then what waits is left to the next run, and only attempts
// that run may finish. When the server can't be reached, nothing moves, and the drain ends. When hard is done,
// all of that is over at once.
func (b *batch) drain(hard context.Context) {
	why, most, stop := "reading no more", b.cfg.drain, "Ctrl-C again stops"
	switch {
	case b.stopping() != nil:
		why, most, stop = "stopping, since "+b.stopping().brief, 0, "Ctrl-C twice stops"
	case b.outage.isAway():
		most = 0
	case most > 0:
		b.say(b.drainText())
		why = "time is up"
	}
	ctx, cancel := context.WithTimeout(b.draining, most)
	defer cancel()
	b.unfinished, _ = b.s.Shutdown(ctx) // the error says no more than the list
	context.AfterFunc(hard, b.kill)     // not before: what is cut off is in the list, as running
	switch {
	case b.outage.isAway():
		why = "the server is away"
	case most > 0 && errors.Is(ctx.Err(), context.Canceled):
		why = "the drain is over"
	}

	running := 0
	for _, u := range b.unfinished {
		if u.State == "running" {
			running++
		}
	}
	if running > 0 && hard.Err() == nil {
		b.say(fmt.Sprintf("%s; what waits is left to the next run, what runs (%d) may finish; %s at once", why, running, stop))
	}
}

// drainText says what is going to be drained, and for how long.
func (b *batch) drainText() string {
	snap := b.s.Snapshot()
	accepted := snap.Running + snap.BackingOff + snap.Queued
	s := fmt.Sprintf("reading no more; %d accepted requests have %v to finish", accepted, b.cfg.drain)
	if est, err := b.s.Estimate(); err == nil && est.Wait > b.cfg.drain {
		s += fmt.Sprintf(" (the budget needs about %v)", est.Wait.Truncate(time.Second)+time.Second)
	}
	return s + "; Ctrl-C again stops at once"
}

// leftovers are the accepted requests that a drain has left without a result, in the
// order in which they would have been served.
type leftovers []leftover

type leftover struct {
	name     string
	state    string // when the drain ended
	attempts int
	due      time.Time // if it was backing off
	last     error     // of the attempts
}

// left is what has not been finished. What ran when the drain ended and got its result
// after that is not part of it.
func (b *batch) left() leftovers {
	var all leftovers
	for _, u := range b.unfinished {
		if res, ok := b.leftover[u.Name]; ok {
			all = append(all, leftover{u.Name, u.State, res.Attempts, u.Due, res.Input.last})
		}
	}
	return all
}

// mostLeftovers is how many of them are told one by one.
const mostLeftovers = 10

// String is a report, in lines.
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
	for _, l := range all[:min(len(all), mostLeftovers)] {
		fmt.Fprintf(&b, "  %v\n", l)
	}
	if more := len(all) - mostLeftovers; more > 0 {
		fmt.Fprintf(&b, "  and %d more\n", more)
	}
	return b.String()
}

// String is one line.
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

// short is a text on one line, and no more of it than tells what it is about.
func short(text string) string { return oneLine(text, 80) }

// oneLine is a text on one line, of so many characters at most.
func oneLine(text string, most int) string {
	line := []rune(strings.Join(strings.Fields(text), " "))
	if len(line) > most {
		return string(line[:most-1]) + "…"
	}
	return string(line)
}
