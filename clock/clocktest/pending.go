package clocktest

import (
	"sync"
	"time"
)

// pending is the set of timers of a Mock that are set. A nil pending keeps no account.
type pending struct {
	mu  sync.Mutex
	due map[*timer]time.Time
}

func newPending() *pending { return &pending{due: map[*timer]time.Time{}} }

func (p *pending) add(t *timer, due time.Time) {
	if p != nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.due[t] = due
	}
}

func (p *pending) remove(t *timer) {
	if p != nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.due, t)
	}
}

// after counts the timers that are due after now, and returns when the first of them is due. It leaves out a timer
// that is due already. That one has ticked or is about to, so its goroutine goes on.
func (p *pending) after(now time.Time) (n int, first time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, due := range p.due {
		if !due.After(now) {
			continue
		}
		if n++; n == 1 || due.Before(first) {
			first = due
		}
	}
	return n, first
}
