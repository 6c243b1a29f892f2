package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// fleet owns the jobs and the workers. Only the goroutine that calls work uses it.
type fleet struct {
	plan    plan
	api     *api
	redis   *redisServer
	picture *picture
	workers []*worker
	reports chan report
	later   chan func() error // steps that are due
	closed  chan struct{}

	pending   []int  // jobs that no worker has
	done      []bool // by job
	finished  int    // jobs that are done
	steps     []step
	repairing bool // what a step has killed is not started anew yet
	exchanges int
}

// step is something that happens to the fleet once a share of the jobs is done.
type step struct {
	share float64
	do    func(*fleet) error
}

// steps kill two workers and Redis.
var steps = []step{{0.25, (*fleet).killTwo}, {0.6, (*fleet).killRedis}}

func newFleet(p plan, a *api, r *redisServer, pic *picture) *fleet {
	f := &fleet{
		plan: p, api: a, redis: r, picture: pic, steps: steps,
		workers: make([]*worker, p.workers), reports: make(chan report, 1000), later: make(chan func() error, len(steps)), closed: make(chan struct{}),
		pending: make([]int, p.jobs), done: make([]bool, p.jobs),
	}
	for job := range f.pending {
		f.pending[job] = job
	}
	return f
}

// work runs all jobs.
func (f *fleet) work(ctx context.Context) error {
	for n := range f.workers {
		if err := f.start(n); err != nil {
			return err
		}
	}
	second := time.NewTicker(time.Second)
	defer second.Stop()
	for f.finished < f.plan.jobs {
		var err error
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case r := <-f.reports:
			err = f.handle(r)
		case do := <-f.later:
			f.repairing = false
			err = do()
		case <-second.C:
			f.picture.row(f)
		}
		if err != nil {
			return err
		}
	}
	f.picture.row(f)
	return nil
}

// start starts worker n, and gives it jobs for about two seconds.
func (f *fleet) start(n int) (err error) {
	if f.workers[n], err = startWorker(n, f); err != nil {
		return err
	}
	for range max(10, 2*f.plan.rate/f.plan.workers) {
		if err := f.give(f.workers[n]); err != nil {
			return err
		}
	}
	return nil
}

// give gives a worker the next job, if there is one to give.
func (f *fleet) give(w *worker) error {
	if len(f.pending) <= f.kept() {
		return nil
	}
	job := f.pending[0]
	f.pending = f.pending[1:]
	w.jobs[job] = true
	_, err := fmt.Fprintln(w.in, job)
	if w.killed || w.ended { // its jobs go back when its end is reported
		err = nil
	}
	return err
}

// kept returns how many jobs no worker gets yet, so that all steps happen before the end, however long a machine takes to
// start workers.
func (f *fleet) kept() int {
	if len(f.steps) == 0 {
		return 0
	}
	return int((1 - f.steps[len(f.steps)-1].share) / 2 * float64(f.plan.jobs))
}

// giveMore gives jobs to workers that have run out of them.
func (f *fleet) giveMore() error {
	for _, w := range f.workers {
		for !w.killed && len(w.jobs) < 10 && len(f.pending) > f.kept() {
			if err := f.give(w); err != nil {
				return err
			}
		}
	}
	return nil
}

// step does the next step, if its share of the jobs is done and everything is in order.
func (f *fleet) step() error {
	if len(f.steps) == 0 || f.repairing || !f.connected() || float64(f.finished) < f.steps[0].share*float64(f.plan.jobs) {
		return nil
	}
	do := f.steps[0].do
	f.steps = f.steps[1:]
	return errors.Join(do(f), f.giveMore())
}

// handle takes a report of a worker.
func (f *fleet) handle(r report) error {
	kind, text, _ := strings.Cut(r.line, " ")
	switch kind {
	case "done":
		job, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("worker %d reports the job %q", r.from.n+1, text)
		}
		delete(r.from.jobs, job)
		if !f.done[job] {
			f.done[job] = true
			f.finished++
		}
		return errors.Join(f.step(), f.give(r.from))
	case "store":
		if r.from.store = text; text != storeAway {
			f.exchanges++
		}
		return f.step()
	case "ended":
		return f.ended(r.from, text)
	}
	return fmt.Errorf("worker %d says %q", r.from.n+1, r.line)
}

// connected reports whether all workers have reached Redis.
func (f *fleet) connected() bool {
	return !f.plan.shared || !slices.ContainsFunc(f.workers, func(w *worker) bool { return w.store == "" })
}

// ended takes back the jobs of a worker that has ended.
func (f *fleet) ended(w *worker, how string) error {
	w.ended = true
	if !w.killed {
		return fmt.Errorf("worker %d ended: %s", w.n+1, how)
	}
	back := make([]int, 0, len(w.jobs)+len(f.pending))
	for job := range w.jobs {
		back = append(back, job)
	}
	clear(w.jobs)
	f.pending = append(back, f.pending...)
	return f.giveMore()
}

// killTwo kills two workers, and starts them anew after two seconds.
func (f *fleet) killTwo() error {
	for _, n := range []int{2, 5} {
		if err := f.workers[n].kill(); err != nil {
			return err
		}
	}
	f.picture.note("3 and 6 were killed")
	f.afterwards(2*time.Second, func() error {
		f.picture.note("3 and 6 start anew")
		return errors.Join(f.start(2), f.start(5))
	})
	return nil
}

// killRedis kills Redis, and starts it with nothing in it after a second.
func (f *fleet) killRedis() error {
	f.picture.note("Redis was killed")
	f.afterwards(time.Second, func() error {
		f.picture.note("Redis starts with nothing in it")
		return f.redis.start(context.Background())
	})
	return f.redis.kill()
}

// afterwards lets the fleet do something later.
func (f *fleet) afterwards(wait time.Duration, do func() error) {
	f.repairing = true
	time.AfterFunc(wait, func() { f.later <- do }) // there is room for all steps
}

// close ends all workers.
func (f *fleet) close() {
	close(f.closed)
	var all sync.WaitGroup
	for _, w := range f.workers {
		if w != nil {
			all.Go(w.close)
		}
	}
	all.Wait()
}
