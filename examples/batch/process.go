package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"example.com/fairlead/scheduler"
	"example.com/fairlead/scheduler/terminal"
)

// process answers every line of the input that has no answer in the output yet. When soft is done, it reads no
// more lines and drains the accepted ones. When hard is done, too, it stops at once.
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
	cfg            config
	started        time.Time
	in             *input
	out            *output
	report         *os.File // or nil
	trace          *os.File // or nil
	created        []string // files that this run has created
	s              *scheduler.Scheduler
	view           *terminal.View
	send           *sender
	serverLimits   *serverLimits
	cancelAttempts context.CancelFunc // cancels running attempts
	soft           context.Context    // when it is done, no more lines are read
	cancelSoft     context.CancelCauseFunc
	stores         stores
	away           *storeWatch // or nil
	outage         *outage

	draining context.Context // the drain ends when it is done, early or with hard
	endDrain context.CancelFunc

	lineBytes   *byteLimit // of lines that have no result yet
	answerBytes *byteLimit // of answers that are not written yet
	tally       tally
	tokensUsed  atomic.Int64 // according to the answers
	inputErr    error        // why reading the input ended early, or nil

	refusals refusals

	unfinished []scheduler.Unfinished // set by the drain
	leftover   map[string]outcome     // lines that are left to the next run, by the call's name
}

// outcome is the scheduler's result for a line.
type outcome = scheduler.Result[*line, *response]

// newBatch opens the files and finds out what there is to do. It sends nothing, and gives up when ctx is done.
func newBatch(ctx context.Context, cfg config, log io.Writer) (_ *batch, err error) {
	b := &batch{cfg: cfg, started: time.Now(), leftover: map[string]outcome{}}
	defer func() {
		if err != nil {
			b.removeCreated()
			b.close()
		}
	}()
	if err = b.openFiles(ctx, log); err != nil {
		return nil, err
	}
	if err = b.openStores(ctx); err != nil {
		return nil, err
	}
	config := cfg.scheduler(b.out)
	config.Stores = b.stores.byBudget
	if b.s, err = scheduler.New(config); err != nil {
		return nil, err
	}
	attempts, kill := context.WithCancel(context.Background())
	b.send, b.cancelAttempts = newSender(cfg, attempts), kill
	b.serverLimits = newServerLimits(&b.cfg, b.s)
	b.lineBytes, b.answerBytes = newByteLimit(maxInMemory), newByteLimit(maxInMemory)
	b.outage = &outage{probes: cfg.policy, maxAway: cfg.maxAway, onAway: b.sayAway, onBack: b.sayBack, onGiveUp: b.stop}
	if err = b.checkURLs(ctx); err != nil {
		return nil, err
	}
	err = b.removeFailures() // last, since it changes the output
	return b, err
}

// close releases what newBatch has opened.
func (b *batch) close() {
	if b.s != nil {
		b.s.Close()
	}
	if b.cancelAttempts != nil {
		b.cancelAttempts()
	}
	if b.stores.close != nil {
		if b.s != nil {
			_, _ = b.s.Shutdown(context.Background()) // gives tokens back, which takes a second at most
		}
		b.stores.close()
	}
	b.closeFiles()
}

// process runs the lines, and counts the results.
func (b *batch) process(soft, hard context.Context, log io.Writer) (summary, error) {
	b.soft, b.cancelSoft = context.WithCancelCause(soft)
	defer b.cancelSoft(nil)
	b.draining, b.endDrain = context.WithCancel(hard)
	defer b.endDrain()
	writeTimeline := b.record()
	b.view = terminal.Watch(b.s, terminal.Config{Out: log, Title: b.title(), Total: int64(b.in.total), Done: b.tally.progress})
	b.serverLimits.say = b.say
	defer b.watchStores()()
	b.sayFailures()
	err := b.run(hard)
	if err == nil {
		err = b.out.file.Sync() // some file systems report only now that the disk is full
	}
	b.view.Stop()
	if err := errors.Join(err, writeTimeline()); err != nil {
		return summary{}, err
	}
	sum, err := audit(b.in, b.out)
	sum.rateLimited, sum.retries = b.send.rateLimited.Load(), b.s.Snapshot().Totals.Retries
	sum.tokensUsed = b.tokensUsed.Load()
	sum.elapsed, sum.perRequest, sum.leftovers = time.Since(b.started), b.tally.mean(), b.leftovers()
	sum.stopped, sum.storeAway = b.whyStopped(), b.away.summary()
	if b.cfg.part.of > 0 {
		sum.part = fmt.Sprintf("%v, in %s", &b.cfg.part, b.cfg.out)
	}
	return sum, err
}

// title returns the title of the progress, with the part that the run has.
func (b *batch) title() string { return strings.TrimSpace("batch " + b.cfg.part.String()) }

// say prints a message above the progress.
func (b *batch) say(message string) { fmt.Fprintf(b.view, "batch: %s\n", message) }

// scheduler returns the configuration of the run's scheduler.
func (cfg *config) scheduler(out *output) scheduler.Config {
	return scheduler.Config{
		Limits: cfg.limits(), Levels: cfg.levels(out.lastAttempt), Retry: cfg.policy, MaxInFlight: cfg.inFlight, PerKey: cfg.perKey(),
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
		b.lineBytes.release(res.Input.bytes)
		b.answerBytes.release(res.Input.answerBytes)
		if err := b.handleResult(res); err != nil {
			return err
		}
	}
	if err := b.finishRefusals(); err != nil {
		return err
	}
	return b.inputErr
}

func (b *batch) callOptions(l *line) []scheduler.Option {
	opts := []scheduler.Option{scheduler.Name(l.name()), scheduler.Priority(l.priority), scheduler.Key(l.key)}
	switch {
	case l.err != nil:
		opts = append(opts, scheduler.Cost(0)) // a bad line is not sent
	case b.cfg.tokens.enabled():
		l.tokens = estimate(l.body)
		opts = append(opts, scheduler.CostOf(tokenBudget, l.tokens))
	}
	return opts
}
