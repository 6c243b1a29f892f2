package main

import (
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/term"
)

// tally counts results as they are written.
type tally struct {
	resumed, answered, failed atomic.Int64
}

func (t *tally) count(err error) {
	if err == nil {
		t.answered.Add(1)
	} else {
		t.failed.Add(1)
	}
}

// progress tells how a run is doing: on one line that changes where the log is a
// terminal, and elsewhere on a new line from time to time.
type progress struct {
	log   io.Writer
	b     *batch
	total int
	live  bool
	quit  chan struct{}
	ended chan struct{}
}

func startProgress(log io.Writer, b *batch, total int) *progress {
	p := &progress{log: log, b: b, total: total, quit: make(chan struct{}), ended: make(chan struct{})}
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
	if p.live {
		fmt.Fprintf(p.log, "\r%s\x1b[K", p)
	} else {
		fmt.Fprintln(p.log, p)
	}
}

func (p *progress) stop() {
	close(p.quit)
	<-p.ended
}

// String is the line.
func (p *progress) String() string {
	t, snap := &p.b.tally, p.b.s.Snapshot()
	done := t.resumed.Load() + t.answered.Load() + t.failed.Load()
	s := fmt.Sprintf("batch: %d of %d done", done, p.total)
	if failed := t.failed.Load(); failed > 0 {
		s += fmt.Sprintf(" (%d failed)", failed)
	}
	s += fmt.Sprintf(", %d running, %d backing off, %d queued, %d tokens, %d retries", snap.Running, snap.BackingOff, snap.Queued, snap.Available, snap.Totals.Retries)
	if wait := time.Until(snap.HeldUntil); wait > 0 {
		s += fmt.Sprintf(", held by the server for %v", wait.Round(100*time.Millisecond))
	}
	return s
}
