package scheduler

import (
	"container/heap"
	"context"
	"sync"
	"time"

	"example.com/fairlead/scheduler/internal/core"
)

// places bounds how many calls of one loop over a Stream are queued or run at once: see [Parallel]. It is
// the gate of these calls in the core. The stream takes a place before it submits a call. The owner frees
// it when the call ends or backs off. A call that comes back needs a place again, and goes ahead of inputs
// that have not been submitted.
type places struct {
	taken chan struct{} // one entry for each place that is taken

	mu      sync.Mutex              // held briefly
	away    map[*core.Call]struct{} // calls that have not ended and have no place
	waiting bySeniority             // of these, the ones that would come back, and some that have ended
}

// bySeniority is a heap whose first call is the senior one.
type bySeniority []*core.Call

func (h bySeniority) Len() int           { return len(h) }
func (h bySeniority) Less(i, j int) bool { return h[i].Before(h[j]) }
func (h bySeniority) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *bySeniority) Push(c any)        { *h = append(*h, c.(*core.Call)) }
func (h *bySeniority) Pop() any {
	last := len(*h) - 1
	c := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return c
}

func newPlaces(n int) *places {
	return &places{taken: make(chan struct{}, n), away: map[*core.Call]struct{}{}}
}

// take waits for a place. It returns false if there is none because the stream or the scheduler has ended,
// so that the call will not be accepted.
func (p *places) take(ctx context.Context, s *Scheduler) bool {
	select {
	case p.taken <- struct{}{}:
		return true
	case <-ctx.Done():
	case <-s.done:
	}
	return false
}

// leave frees the place of a call that goes away. It returns the call that has got the place, or nil.
func (p *places) leave(c *core.Call) *core.Call {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.away[c] = struct{}{}
	return p.free()
}

// comeBack takes a place for a call that was away. It returns the call if there is one, or else nil.
func (p *places) comeBack(c *core.Call) *core.Call {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case p.taken <- struct{}{}:
		delete(p.away, c)
		return c
	default:
		heap.Push(&p.waiting, c)
		return nil
	}
}

// end frees the place of a call that has ended, or of one that was not accepted, which is nil. It returns
// the call that has got the place, or nil.
func (p *places) end(c *core.Call) *core.Call {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, away := p.away[c]; away {
		delete(p.away, c) // free will pass it over
		return nil
	}
	return p.free()
}

// free hands a place to the senior call that waits for one. The caller holds the lock.
func (p *places) free() *core.Call {
	for len(p.waiting) > 0 {
		c := heap.Pop(&p.waiting).(*core.Call)
		if _, away := p.away[c]; away {
			delete(p.away, c)
			return c
		}
	}
	<-p.taken
	return nil
}

// passed counts the effects of a turn for which movePlaces was called.
type passed struct{ away, due, ended int }

// movePlaces frees the places of calls that back off or have ended, and lets others come back. It may be
// called again in the same turn, after the core was used.
func (o *owner) movePlaces(now time.Duration) {
	if !o.s.placed.Load() {
		return
	}
	fx, p := &o.core.Effects, &o.passed
	for p.away < len(fx.Away) || p.due < len(fx.Due) || p.ended < len(fx.Ended) {
		var back []*core.Call
		pass := func(list []*core.Call, next *int, move func(*places, *core.Call) *core.Call) {
			for ; *next < len(list); *next++ {
				c := list[*next]
				if p, ok := c.Gate().(*places); ok {
					if c := move(p, c); c != nil {
						back = append(back, c)
					}
				}
			}
		}
		pass(fx.Away, &p.away, (*places).leave)
		pass(fx.Due, &p.due, (*places).comeBack)
		pass(fx.Ended, &p.ended, (*places).endOf)
		o.comeBack(now, back)
	}
}

// endOf frees the place of a call that has ended. If its Submit has not returned, the stream does that.
func (p *places) endOf(c *core.Call) *core.Call {
	if c.WantsAdmission {
		return nil
	}
	return p.end(c)
}

// comeBack lets calls that have a place again into the queue.
func (o *owner) comeBack(now time.Duration, calls []*core.Call) {
	for _, c := range calls {
		o.revokeLease(now)
		o.core.Return(now, c)
	}
}
