package clocktest

import (
	"sync"
	"time"
)

// pending holds the timers of a Mock that have yet to tick. A nil pending records nothing.
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

// after returns how many timers are due after now, and when the first of them is due. A timer that is
// due by now does not count. It has ticked or is about to, so its goroutine goes on.
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
