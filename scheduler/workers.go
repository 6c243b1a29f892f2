package scheduler

import (
	"slices"
	"sync"
	"sync/atomic"
)

// workers run submitted calls, each on a goroutine that no other call is running on at
// the time. A worker whose call is over takes the next: so many short calls need few
// goroutines, and no call waits for the end of another. For as long as calls are ready,
// some worker is free, which means on its way to take one: it has just been started, or
// is back from a function and only has the owner to tell.
type workers struct {
	mu    sync.Mutex // held for short, never while anybody waits
	ready []*call    // granted; in order
	next  int        // how many of those, from the first
	free  atomic.Int32
}

// add has granted calls run. It is the owner's.
func (w *workers) add(s *Scheduler, calls []*call) {
	w.mu.Lock()
	if w.next > len(w.ready)/2 {
		w.ready = slices.Delete(w.ready, 0, w.next)
		w.next = 0
	}
	w.ready = append(w.ready, calls...)
	start := w.wanting()
	w.mu.Unlock()
	if start {
		go s.worker()
	}
}

// wanting reports whether a worker is to be started, and counts it as free already.
func (w *workers) wanting() bool {
	if w.next == len(w.ready) || w.free.Load() > 0 {
		return false
	}
	w.free.Add(1)
	return true
}

// take returns the next call, for a worker that is not free from then on; nil if there is
// none. It reports whether another worker is to be started.
func (w *workers) take() (c *call, start bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.free.Add(-1)
	if w.next == len(w.ready) {
		return nil, false
	}
	c = w.ready[w.next]
	w.ready[w.next] = nil
	w.next++
	if w.next == len(w.ready) {
		w.ready, w.next = emptied(w.ready), 0
	}
	return c, w.wanting()
}

// back says that a worker has come back from a function.
func (w *workers) back() { w.free.Add(1) }

// worker runs calls until there are none.
func (s *Scheduler) worker() {
	for {
		c, start := s.workers.take()
		if start {
			go s.worker()
		}
		if c == nil {
			return
		}
		s.work(c)
	}
}
