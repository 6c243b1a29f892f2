package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"

	"example.com/fairlead/events/terminal"
	"example.com/fairlead/scheduler"
)

// process answers every line of the input that is not yet answered in the output. When
// soft is done it reads no more and drains what was accepted; when after that hard is
// done, it stops at once.
func process(soft, hard context.Context, cfg config, log io.Writer) (summary, error) {
	b, err := newBatch(soft, cfg, log)
	if err != nil {
		return summary{}, err
	}
	defer b.close()
	return b.process(soft, hard, log)
}

// batch is one run.
type batch struct {
	cfg     config
	started time.Time
	in      *input
	out     *output
	report  *os.File // or nil
	trace   *os.File // or nil
	created []string // the files that this run has made
	s       *scheduler.Scheduler
	view    *terminal.View
	send    *sender
	ear     *ear
	kill    context.CancelFunc // ends the attempts that run
	soft    context.Context    // when it is done, no more lines are read
	halt    context.CancelCauseFunc
	outage  *outage

	draining context.Context // ends the drain, early or once hard is done
	endDrain context.CancelFunc

	lines   *byteLimit // lines that are read and have no result yet
	answers *byteLimit // answers that are not written yet
	tally   tally
	used    atomic.Int64 // tokens, as the answers say
	failure error        // what made the input end before its end

	refusals refusals

	unfinished []scheduler.Unfinished // what a drain has left
	leftover   map[string]outcome     // by the call's name: lines that are left to the next run
}

// outcome is what the scheduler says of a line.
type outcome = scheduler.Result[*line, *response]

// newBatch finds out what there is to do, and does none of it yet. It gives up when ctx is done.
func newBatch(ctx context.Context, cfg config, log io.Writer) (_ *batch, err error) {
	b := &batch{cfg: cfg, started: time.Now(), leftover: map[string]outcome{}}
	defer func() {
		if err != nil {
			b.withdraw()
			b.close()
		}
	}()
	if err = b.openFiles(ctx, log); err != nil {
		return nil, err
	}
	if b.s, err = scheduler.New(cfg.scheduler(b.out)); err != nil {
		return nil, err
	}
	attempts, kill := context.WithCancel(context.Background())
	b.send, b.kill = newSender(cfg, attempts), kill
	b.ear = newEar(&b.cfg, b.s)
	b.lines, b.answers = newByteLimit(mostInHand), newByteLimit(mostInHand)
	b.outage = &outage{probes: cfg.policy, maxAway: cfg.maxAway, onAway: b.sayAway, onBack: b.sayBack, onGiveUp: b.stop}
	if err = b.checkURLs(ctx); err != nil {
		return nil, err
	}
	err = b.dropFailures() // last, since it changes the output
	return b, err
}

// close gives back whatever newBatch has taken.
func (b *batch) close() {
	if b.s != nil {
		b.s.Close()
	}
	if b.kill != nil {
		b.kill()
	}
	b.closeFiles()
}

// process does what there is to do, and counts what has become of it.
func (b *batch) process(soft, hard context.Context, log io.Writer) (summary, error) {
	b.soft, b.halt = context.WithCancelCause(soft)
	defer b.halt(nil)
	b.draining, b.endDrain = context.WithCancel(hard)
	defer b.endDrain()
	drawn := b.draw()
	b.view = terminal.Watch(b.s, terminal.Config{Out: log, Title: "batch", Total: int64(b.in.total), Done: b.tally.done})
	b.ear.say = b.say
	b.sayWhatFailed()
	err := b.run(hard)
	if err == nil {
		err = b.out.file.Sync() // some file systems report only now that the disk is full
	}
	b.view.Stop()
	if err := errors.Join(err, drawn()); err != nil {
		return summary{}, err
	}
	sum, err := audit(b.in, b.out)
	sum.refused, sum.retries = b.send.refused.Load(), b.s.Snapshot().Totals.Retries
	sum.used = b.used.Load()
	sum.elapsed, sum.perRequest, sum.left = time.Since(b.started), b.tally.mean(), b.left()
	sum.stopped = b.whyStopped()
	return sum, err
}

// say tells the user something.
func (b *batch) say(message string) { fmt.Fprintf(b.view, "batch: %s\n", message) }

// scheduler is the configuration of the run's scheduler.
func (cfg *config) scheduler(out *output) scheduler.Config {
	return scheduler.Config{
		Limits: cfg.limits(), Levels: cfg.levels(out.last), Retry: cfg.policy, MaxInFlight: cfg.inFlight,
	}
}

// run streams the lines through the scheduler and writes each result as it comes.
func (b *batch) run(hard context.Context) error {
	defer b.send.transport.CloseIdleConnections()
	drained := make(chan struct{})
	notDraining := context.AfterFunc(b.soft, func() {
		defer close(drained)
		b.drain(hard)
	})
	defer func() {
		if !notDraining() {
			<-drained
		}
	}()
	for res := range scheduler.Stream(context.Background(), b.s, b.todo(), b.attempt, scheduler.OptionsFor(b.callOptions)) {
		b.lines.give(res.Input.held)
		b.answers.give(res.Input.answer)
		if err := b.take(res); err != nil {
			return err
		}
	}
	if err := b.settleRefusals(); err != nil {
		return err
	}
	return b.failure
}

func (b *batch) callOptions(l *line) []scheduler.Option {
	opts := []scheduler.Option{scheduler.Name(l.name()), scheduler.Priority(l.priority)}
	switch {
	case l.err != nil:
		opts = append(opts, scheduler.Cost(0)) // a bad line is not sent
	case b.cfg.tokens.on():
		l.tokens = estimate(l.body)
		opts = append(opts, scheduler.CostOf(tokenBudget, l.tokens))
	}
	return opts
}
