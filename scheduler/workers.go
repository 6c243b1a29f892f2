package scheduler

import (
	"slices"
	"sync"
	"sync/atomic"

	"example.com/fairlead/scheduler/internal/core"
)

// workers run submitted calls and functions of OnEnd. A worker whose call has ended takes the next, so many short calls
// need few goroutines. No call waits for another to end. While calls are ready, at least one
// worker is free: it was just started, or its function has returned and it only has to tell the
// owner.
type workers struct {
	mu     sync.Mutex // held for a short time, never while a goroutine waits
	ready  []job      // in order
	next   int        // the index of the next to be taken
	free   atomic.Int32
	ending atomic.Int64 // functions of OnEnd that are ready or run
}

// job is work for a worker: an attempt of a granted call, or the OnEnd of one that has ended.
type job struct {
	call  *call
	onEnd func(*Handle)
}

// add makes granted calls run. Only the owner calls it.
func (w *workers) add(s *Scheduler, calls []*call) {
	w.mu.Lock()
	w.makeRoom()
	for _, c := range calls {
		w.ready = append(w.ready, job{call: c})
	}
	start := w.wanting()
	w.mu.Unlock()
	if start {
		go s.worker()
	}
}

// addEnd makes a function of OnEnd run. The owner calls it, or the call's runner if there is no owner
// any more.
func (w *workers) addEnd(h *Handle, f func(*Handle)) {
	w.ending.Add(1)
	w.mu.Lock()
	w.makeRoom()
	w.ready = append(w.ready, job{call: &h.call, onEnd: f})
	start := w.wanting()
	w.mu.Unlock()
	if start {
		go h.s.worker()
	}
}

// makeRoom removes the jobs that were taken, if they are the greater part.
func (w *workers) makeRoom() {
	if w.next > len(w.ready)/2 {
		w.ready = slices.Delete(w.ready, 0, w.next)
		w.next = 0
	}
}

// wanting reports whether a worker has to be started, and counts it as free already.
func (w *workers) wanting() bool {
	if w.next == len(w.ready) || w.free.Load() > 0 {
		return false
	}
	w.free.Add(1)
	return true
}

// take returns the next job for a worker, which is not free from then on. Its call is nil if there
// is no job. It also reports whether another worker has to be started.
func (w *workers) take() (j job, start bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.free.Add(-1)
	if w.next == len(w.ready) {
		return job{}, false
	}
	j = w.ready[w.next]
	w.ready[w.next] = job{}
	w.next++
	if w.next == len(w.ready) {
		w.ready, w.next = core.Emptied(w.ready), 0
	}
	return j, w.wanting()
}

// back counts a worker as free whose function has returned.
func (w *workers) back() { w.free.Add(1) }

// worker takes jobs until there are none.
func (s *Scheduler) worker() {
	for {
		j, start := s.workers.take()
		if start {
			go s.worker()
		}
		switch {
		case j.call == nil:
			return
		case j.onEnd != nil:
			s.runEnd(j.call.handle(), j.onEnd)
		default:
			s.work(j.call)
		}
	}
}

// work makes one attempt of a submitted call. If it is to be retried, the owner gives it to a
// worker again when it is granted. The worker counts as free when the function has returned.
func (s *Scheduler) work(c *call) {
	returned := false
	defer func() {
		if !returned { // the worker exits, and is not free any more
			s.finished(c, ErrGoexit)
		}
	}()
	if cause := c.unwanted(); cause != nil {
		returned = true
		s.workers.back()
		s.abandon(c, cause)
		return
	}
	s.started(c)
	again, err := s.runAttempt(c)
	returned = true
	s.workers.back()
	if again {
		_ = s.handBack(c, err) // the handle has the error
	} else {
		c.handle().stopWatching()
		s.over(c, err)
	}
}
