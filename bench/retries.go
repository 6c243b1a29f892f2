package main

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/client-go/util/workqueue"

	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

// Workload E: many jobs that fail three times and then succeed.

// errTransient is an error that Fairlead is told to retry.
var errTransient = retry.Transient(errFlaky)

// flaky is N jobs and how often each has failed.
type flaky struct {
	failed []uint8
	times  int // how often each is to fail
	over   sync.WaitGroup
	first  atomic.Int64 // how many have failed for the first time
}

func newFlaky(n, times int) *flaky {
	f := &flaky{failed: make([]uint8, n), times: times}
	f.over.Add(n)
	return f
}

// attempt makes one attempt of a job and reports whether it succeeded.
func (f *flaky) attempt(i int) bool {
	if int(f.failed[i]) == f.times {
		f.over.Done()
		return true
	}
	if f.failed[i]++; f.failed[i] == 1 {
		f.first.Add(1)
	}
	return false
}

// start hands all jobs to the contestant.
func (f *flaky) start(who string, initial time.Duration) {
	switch who {
	case fairlead:
		f.startFairlead(initial)
	case workqueueK8s:
		f.startWorkqueue(initial)
	case floorJob:
		f.startFloor(initial)
	default:
		do := retrierNamed(who).open(initial, nil)
		for i := range f.failed {
			go func() {
				_ = do(context.Background(), func(context.Context) error {
					if f.attempt(i) {
						return nil
					}
					return errFlaky
				})
			}()
		}
	}
}

func (f *flaky) startFairlead(initial time.Duration) {
	s := newUnfelt(scheduler.Config{
		Retry: retry.Policy{MaxRetries: maxRetries, Initial: initial, Max: maxWait, Jitter: retry.None},
	})
	for i := range f.failed {
		must(s.Submit(context.Background(), func(context.Context) error {
			if f.attempt(i) {
				return nil
			}
			return errTransient
		}))
	}
}

func (f *flaky) startFloor(initial time.Duration) {
	list := make([]*backingOff, len(f.failed))
	for i := range list {
		list[i] = &backingOff{ctx: context.Background(), fn: func(context.Context) error {
			if f.attempt(i) {
				return nil
			}
			return errTransient
		}}
	}
	go runBackoffs(list, initial)
}

// startWorkqueue runs the loop of every Kubernetes controller, with a worker per processor.
func (f *flaky) startWorkqueue(initial time.Duration) {
	q := workqueue.NewTypedRateLimitingQueue(
		workqueue.NewTypedItemExponentialFailureRateLimiter[int](initial, maxWait))
	for range runtime.GOMAXPROCS(0) {
		go func() {
			for {
				i, shutdown := q.Get()
				if shutdown {
					return
				}
				if f.attempt(i) {
					q.Forget(i)
				} else {
					q.AddRateLimited(i)
				}
				q.Done(i)
			}
		}()
	}
	for i := range f.failed {
		q.Add(i)
	}
}

// measureRetries measures N jobs that fail three times, with 10, 20 and 40 ms between.
func measureRetries(j job) numbers {
	f := newFlaky(j.N, maxRetries)
	runtime.GC()
	before, _ := usage()
	begin := time.Now()
	f.start(j.Who, 10*time.Millisecond)
	f.over.Wait()
	wall := time.Since(begin)
	after, _ := usage()
	return numbers{"wall ms": float64(wall) / 1e6, "cpu us per job": float64(after-before) / 1e3 / float64(j.N)}
}

// measureRetryBytes measures what a job costs while it waits for its retry, which does
// not come while we look.
func measureRetryBytes(j job) numbers {
	f := newFlaky(j.N, 1)
	before := memory()
	f.start(j.Who, time.Hour)
	for f.first.Load() < int64(j.N) {
		time.Sleep(time.Millisecond)
	}
	settle()
	return numbers{"bytes": (memory() - before) / float64(j.N)}
}
