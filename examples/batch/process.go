package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/events/terminal"
	"example.com/fairlead/scheduler"
)

// process answers every line of the input that is not yet answered in the output. When
// soft is done it reads no more and drains what was accepted; when after that hard is
// done, it stops at once.
func process(soft, hard context.Context, cfg config, log io.Writer) (summary, error) {
	b, err := newBatch(soft, cfg)
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
	tally   tally
	used    atomic.Int64 // tokens, as the answers say
	failure error        // what made the input end before its end

	unfinished []scheduler.Unfinished // what a drain has left
	unanswered map[string]outcome     // by name of the call: what has no result for the next run to find
}

// outcome is what the scheduler says of a line.
type outcome = scheduler.Result[*line, *response]

// newBatch finds out what there is to do, and does none of it yet. It gives up when ctx is done.
func newBatch(ctx context.Context, cfg config) (_ *batch, err error) {
	b := &batch{cfg: cfg, started: time.Now(), unanswered: map[string]outcome{}}
	defer func() {
		if err != nil {
			b.withdraw()
			b.close()
		}
	}()
	if err = b.openFiles(ctx); err != nil {
		return nil, err
	}
	if b.s, err = scheduler.New(cfg.scheduler(b.out)); err != nil {
		return nil, err
	}
	attempts, kill := context.WithCancel(context.Background())
	b.send, b.kill = newSender(cfg, attempts), kill
	b.ear = newEar(&b.cfg, b.s)
	return b, nil
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
	drawn := b.draw()
	b.view = terminal.Watch(b.s, terminal.Config{Out: log, Title: "batch", Total: int64(b.in.total), Done: b.tally.done})
	b.ear.say = b.say
	b.sayWhatFailed()
	err := b.run(soft, hard)
	if err == nil {
		err = b.out.file.Sync() // some file systems tell only now that there was no room
	}
	b.view.Stop()
	if err := errors.Join(err, drawn()); err != nil {
		return summary{}, err
	}
	sum, err := audit(b.in, b.out)
	sum.refused, sum.retries = b.send.refused.Load(), b.s.Snapshot().Totals.Retries
	sum.used = b.used.Load()
	sum.elapsed, sum.perRequest, sum.left = time.Since(b.started), b.tally.mean(), b.left()
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

func newSender(cfg config, attempts context.Context) *sender {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = cfg.inFlight
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse // following it would be a request that has not paid
	}}
	return &sender{client: client, headers: cfg.headers, timeout: cfg.timeout, attempts: attempts}
}

// run streams the lines through the scheduler and writes each result as it comes.
func (b *batch) run(soft, hard context.Context) error {
	defer b.send.client.CloseIdleConnections()
	drained := make(chan struct{})
	notDraining := context.AfterFunc(soft, func() {
		defer close(drained)
		b.drain(hard)
	})
	defer func() {
		if !notDraining() {
			<-drained
		}
	}()
	for res := range scheduler.Stream(context.Background(), b.s, b.lines(soft), b.attempt, scheduler.OptionsFor(b.callOptions)) {
		if errors.Is(res.Err, scheduler.ErrClosed) || errors.Is(res.Err, context.Canceled) {
			b.unanswered[res.Input.name()] = res // interrupted: the next run answers it
			continue
		}
		if tooLong := new(bucket.CostError); errors.As(res.Err, &tooLong) {
			res.Err = b.cfg.tooLong(res.Input, tooLong)
		}
		if err := b.out.write(resultOf(res.Input, res.Value, res.Err)); err != nil {
			b.kill() // what is under way can't be written either
			return fmt.Errorf("writing a result: %w: the same command goes on once that is mended", err)
		}
		b.tally.count(res)
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

// attempt makes one attempt at a line. The context that it is given ends with the drain:
// an attempt that has begun may finish all the same, for it has been paid for.
func (b *batch) attempt(ctx context.Context, l *line) (*response, error) {
	if l.err != nil {
		return nil, l.err
	}
	b.out.touch()
	asked := b.ear.ask()
	answer, seen, err := b.send.send(l)
	if answer != nil {
		b.settle(ctx, answer)
	}
	b.ear.hear(asked, l, seen, err == nil)
	if err != nil && !errors.Is(err, context.Canceled) { // one that was cut off has no say
		l.last = err
	}
	return answer, err
}

// settle pays what an answer says that it has used.
func (b *batch) settle(ctx context.Context, answer *response) {
	used, ok := consumed(answer.Body)
	if !ok {
		return
	}
	b.used.Add(used)
	if b.cfg.tokens.on() {
		_ = scheduler.Settle(ctx, tokenBudget, used) // after a drain there is nobody left to pay
	}
}

// lines yields the lines that are not answered yet, until soft is done.
func (b *batch) lines(soft context.Context) iter.Seq[*line] {
	return func(yield func(*line) bool) {
		for l := range readLines(b.in.reader(), &b.failure) {
			if soft.Err() != nil {
				return
			}
			done, err := b.out.has(l)
			if err != nil {
				b.failure = fmt.Errorf("%s: %w", b.cfg.in, err)
				return
			}
			if done {
				b.tally.resumed.Add(1)
				continue
			}
			if l.parse(b.cfg.in, b.cfg.url); !yield(l) {
				return
			}
		}
	}
}
