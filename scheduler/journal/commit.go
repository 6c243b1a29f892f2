package journal

import (
	"fmt"
	"slices"
	"sync"
)

// committer commits for many goroutines. All batches that are there when a commit ends share the next one. After a
// commit that failed, it commits nothing more.
type committer struct {
	commit func(batch) error
	path   string

	mu      sync.Mutex
	waiting []*put
	failed  error         // of the commit that failed
	closed  bool          // no more is taken
	wake    chan struct{} // of capacity 1: something has come, or closed is set
	done    chan struct{} // closed when the goroutine has ended
}

// put is a batch and the goroutine that waits for its commit.
type put struct {
	batch
	committed chan error
}

// maxShared is how many batches share a commit at most, so that no goroutine waits long for its transaction.
const maxShared = 4096

// commitError is the error of a batch that was not acknowledged.
type commitError struct {
	path    string
	inDoubt bool // the batch was in the commit that failed: it may be on disk or not
	err     error
}

func (e *commitError) Error() string {
	if e.inDoubt {
		return fmt.Sprintf("journal %s: a commit failed, and what it wrote may be on disk or not: %v", e.path, e.err)
	}
	return fmt.Sprintf("journal %s: not committed, since an earlier commit failed; open the journal again: %v", e.path, e.err)
}

func (e *commitError) Unwrap() error { return e.err }

// startCommitter starts the goroutine that commits with file.commit, until stop.
func startCommitter(path string, commit func(batch) error) *committer {
	c := &committer{commit: commit, path: path, wake: make(chan struct{}, 1), done: make(chan struct{})}
	go c.run()
	return c
}

// begin queues a batch to be committed, and does not wait. Batches are committed in the order of begin. It copies the
// records, and not the bytes of payloads.
func (c *committer) begin(b batch) *put {
	p := &put{batch: b, committed: make(chan error, 1)}
	p.changes = slices.Clone(b.changes)
	for i, ch := range p.changes {
		r := *ch.record
		p.changes[i].record = &r
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.failed != nil:
		p.committed <- &commitError{c.path, false, c.failed}
	case c.closed:
		p.committed <- ErrClosed
	default:
		c.waiting = append(c.waiting, p)
		c.signal()
	}
	return p
}

func (c *committer) signal() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// stop commits what has come, and ends the goroutine.
func (c *committer) stop() {
	c.mu.Lock()
	c.closed = true
	c.signal()
	c.mu.Unlock()
	<-c.done
}

func (c *committer) run() {
	defer close(c.done)
	for range c.wake {
		for {
			puts, closed := c.take()
			if len(puts) == 0 {
				if closed {
					return
				}
				break
			}
			c.share(puts)
		}
	}
}

// take returns the batches of the next commit.
func (c *committer) take() (puts []*put, closed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := min(len(c.waiting), maxShared)
	puts = c.waiting[:n:n]
	c.waiting = c.waiting[n:]
	return puts, c.closed
}

// share commits the batches of puts together, and tells the goroutines that wait.
func (c *committer) share(puts []*put) {
	var all batch
	for _, p := range puts {
		all.changes = append(all.changes, p.changes...)
		if p.levels != nil {
			all.levels = p.levels
		}
	}
	err := c.commit(all)
	var late []*put
	if err != nil {
		c.mu.Lock()
		c.failed = err
		late, c.waiting = c.waiting, nil
		c.mu.Unlock()
		err = &commitError{c.path, true, err}
	}
	for _, p := range puts {
		p.committed <- err
	}
	for _, p := range late {
		p.committed <- &commitError{c.path, false, c.failed}
	}
}
