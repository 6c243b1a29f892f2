package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/term"

	"example.com/fairlead/events"
	"example.com/fairlead/scheduler"
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

// progress tells how a run is doing: on one line that changes where the log is a
// terminal, and elsewhere on a new line from time to time.
type progress struct {
	b     *batch
	live  bool
	quit  chan struct{}
	ended chan struct{}

	mu  sync.Mutex // held while something is printed
	log io.Writer
}

func startProgress(log io.Writer, b *batch) *progress {
	p := &progress{log: log, b: b, quit: make(chan struct{}), ended: make(chan struct{})}
	every := 2 * time.Second
	if f, ok := log.(*os.File); ok && term.IsTerminal(int(f.Fd())) && os.Getenv("CI") == "" {
		p.live, every = true, 100*time.Millisecond
	}
	go p.run(every)
	return p
}

func (p *progress) run(every time.Duration) {
	defer close(p.ended)
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			p.show()
		case <-p.quit:
			p.show()
			if p.live {
				fmt.Fprintln(p.log)
			}
			return
		}
	}
}

// show prints the line. \x1b[K clears what a longer one has left behind.
func (p *progress) show() {
	line := p.String()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.live {
		fmt.Fprintf(p.log, "\r%s\x1b[K", line)
	} else {
		fmt.Fprintln(p.log, line)
	}
}

// say prints a message in the place of the line, which comes again below it.
func (p *progress) say(message string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.live {
		fmt.Fprint(p.log, "\r\x1b[K")
	}
	fmt.Fprintf(p.log, "batch: %s\n", message)
}

func (p *progress) stop() {
	close(p.quit)
	<-p.ended
}

// String is the line.
func (p *progress) String() string {
	t, snap := &p.b.tally, p.b.s.Snapshot()
	done := t.resumed.Load() + t.answered.Load() + t.failed.Load()
	s := fmt.Sprintf("batch: %d of %d done", done, p.b.total)
	if failed := t.failed.Load(); failed > 0 {
		s += fmt.Sprintf(" (%d failed)", failed)
	}
	s += fmt.Sprintf(", %d running, %d backing off, %d queued, %s left, %d retries", p.b.send.running.Load(), snap.BackingOff, snap.Queued, left(snap), snap.Totals.Retries)
	if wait := time.Until(snap.HeldUntil); wait > 0 {
		s += fmt.Sprintf(", held by the server for %v", wait.Round(100*time.Millisecond))
	}
	return s
}

// left is what is left of the budgets.
func left(snap scheduler.Snapshot) string {
	s := fmt.Sprintf("%d %s", snap.Available, snap.Name)
	for _, more := range snap.Budgets[min(1, len(snap.Budgets)):] { // the first is the one above
		s += fmt.Sprintf(" and %d %s", more.Available, more.Name)
	}
	return s
}
