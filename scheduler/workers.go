package scheduler

import "sync"

// workers run submitted calls, each on a goroutine that no other call is running on at
// the time. A worker whose call is over takes the next: so many short calls need few
// goroutines, and no call waits for the end of another. For as long as calls are ready,
// some worker is free, which means on its way to take one: it has just been started, or
// is back from a function and only has the owner to tell.
type workers struct {
	mu    sync.Mutex // held for short, never while anybody waits
	ready []*call    // granted, and not taken; in order
	free  int
}

// add has a granted call run. It is the owner's.
func (w *workers) add(s *Scheduler, c *call) {
	w.mu.Lock()
	w.ready = append(w.ready, c)
	start := w.wanting()
	w.mu.Unlock()
	if start {
		go s.worker()
	}
}

// wanting reports whether a worker is to be started, and counts it as free already.
func (w *workers) wanting() bool {
	if len(w.ready) == 0 || w.free > 0 {
		return false
	}
	w.free++
	return true
}

// take returns the next call, for a worker that is not free from then on; nil if there is
// none. It reports whether another worker is to be started.
func (w *workers) take() (c *call, start bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.free--
	if len(w.ready) == 0 {
		w.ready = nil // a burst's memory
		return nil, false
	}
	c = w.ready[0]
	w.ready[0] = nil
	w.ready = w.ready[1:]
	return c, w.wanting()
}

// back says that a worker has come back from a function.
func (w *workers) back() {
	w.mu.Lock()
	w.free++
	w.mu.Unlock()
}

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
