package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"os"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/scheduler"
)

// process answers every line of the input that is not yet answered in the output. When
// soft is done it stops what waits, and when hard is done what runs, too.
func process(soft, hard context.Context, cfg config, log io.Writer) (summary, error) {
	started := time.Now()
	total, last, err := countLines(cfg.in)
	if err != nil {
		return summary{}, err
	}
	in, err := os.Open(cfg.in)
	if err != nil {
		return summary{}, err
	}
	defer in.Close()
	if sameFile(cfg.in, cfg.out) {
		return summary{}, fmt.Errorf("-in and -out are both %s: the results need a file of their own", cfg.in)
	}
	out, err := openOutput(cfg.out, last)
	if err != nil {
		return summary{}, err
	}
	defer out.close()
	if err := out.check(cfg.in); err != nil {
		return summary{}, err
	}
	s, err := scheduler.New(cfg.scheduler(out))
	if err != nil {
		return summary{}, err
	}
	defer s.Close()

	b := &batch{cfg: cfg, out: out, send: newSender(cfg, hard), s: s}
	p := startProgress(log, b, total)
	err = b.run(soft, in)
	p.stop()
	if err != nil {
		return summary{}, err
	}
	sum, err := audit(cfg.in, cfg.out)
	sum.refused, sum.retries, sum.elapsed = b.send.refused.Load(), s.Snapshot().Totals.Retries, time.Since(started)
	return sum, err
}

// sameFile reports whether two paths lead to one file.
func sameFile(a, b string) bool {
	infoA, errA := os.Stat(a)
	infoB, errB := os.Stat(b)
	return errA == nil && errB == nil && os.SameFile(infoA, infoB)
}

// scheduler is the configuration of the run's scheduler. A run that goes on does not
// start with a full budget: it has what came in since the last attempt, as if none had
// been left then. So starting over and over never overruns the API's quota.
func (cfg config) scheduler(out *output) scheduler.Config {
	c := scheduler.Config{Limit: cfg.limit, Retry: cfg.policy, MaxInFlight: cfg.inFlight}
	if !out.last.IsZero() {
		c.Level = &bucket.State{At: out.last}
	}
	return c
}

func newSender(cfg config, hard context.Context) *sender {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = cfg.inFlight
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse // following it would be a request that has not paid
	}}
	return &sender{client: client, headers: cfg.headers, timeout: cfg.timeout, hard: hard}
}

// batch is one run.
type batch struct {
	cfg     config
	out     *output
	send    *sender
	s       *scheduler.Scheduler
	tally   tally
	failure error // what made the input end before its end
}

// run streams the lines through the scheduler and writes each result as it comes.
func (b *batch) run(ctx context.Context, in io.Reader) error {
	defer b.send.client.CloseIdleConnections()
	free := func(l *line) []scheduler.Option {
		if l.err != nil {
			return []scheduler.Option{scheduler.Cost(0)} // a bad line is not sent
		}
		return nil
	}
	send := func(ctx context.Context, l *line) (*response, error) {
		if l.err == nil {
			b.out.touch()
		}
		return b.send.send(ctx, l)
	}
	for res := range scheduler.Stream(ctx, b.s, b.open(in), send, scheduler.Each(free)) {
		if errors.Is(res.Err, context.Canceled) {
			continue // interrupted: the next run answers it
		}
		if err := b.out.write(resultOf(res.Input, res.Value, res.Err)); err != nil {
			return fmt.Errorf("writing a result: %w", err)
		}
		b.tally.count(res.Err)
	}
	return b.failure
}

// open yields the lines that are not answered yet.
func (b *batch) open(in io.Reader) iter.Seq[*line] {
	return func(yield func(*line) bool) {
		for l := range readLines(in, &b.failure) {
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
