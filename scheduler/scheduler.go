package scheduler

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/clock"
	"example.com/fairlead/events"
	"example.com/fairlead/retry"
)

// Scheduler lets calls through as early as a budget of tokens allows, in the order
// in which they came, and retries those that fail. Make one with [New] and close it
// when done. All methods may be called from any goroutine at any time, also from
// inside a call, a callback or a loop over events.
type Scheduler struct {
	clock       clock.Clock
	origin      time.Time                    // the owner's instants count from here
	limits      atomic.Pointer[[]namedLimit] // the owner's latest, to check costs against
	bounded     atomic.Bool                  // there is a MaxQueued: Submit waits to hear that it is in
	retry       retry.Policy
	classify    retry.Classifier
	eventBuffer int

	fast      fastPath
	fastSlots fastSlots
	successes successes
	hub       events.Hub
	inbox     chan message // never closed
	workers   workers
	calls     sync.Pool // of *call, for Do

	// gate is held for reading while something is sent to the inbox. Whoever has
	// held it for writing, to set closed, knows that nothing more will be sent: so
	// every message that was sent is handled, and a reply can be relied upon.
	gate   sync.RWMutex
	closed bool

	closedCh chan struct{} // closed from the start: what Done of a handle is whose call has ended

	done        chan struct{} // closed when the owner has ended; guards what follows
	final       Snapshot
	unfinished  []Unfinished
	toInterrupt []*Handle // submitted work that runs, to be told by whoever closes
}

// inboxSize is how many messages can be on their way to the owner before their
// senders have to wait for it.
const inboxSize = 256

// New starts a scheduler. It fails, with every fault joined in one error, if the
// configuration is invalid.
func New(cfg Config) (*Scheduler, error) {
	cfg, err := cfg.normal()
	if err != nil {
		return nil, err
	}
	s := &Scheduler{
		clock:       cfg.Clock,
		origin:      cfg.Clock.Now(),
		retry:       cfg.Retry,
		classify:    cfg.Classify,
		eventBuffer: cfg.EventBuffer,
		inbox:       make(chan message, inboxSize),
		closedCh:    make(chan struct{}),
		done:        make(chan struct{}),
	}
	close(s.closedCh)
	s.bounded.Store(cfg.MaxQueued > 0)
	s.calls.New = func() any {
		return &call{deadline: bucket.Forever, callDetail: &callDetail{reply: make(chan reply, maxReplies), options: noOptions}}
	}
	core, err := newCore(cfg, s.origin)
	if err != nil {
		return nil, err
	}
	s.limits.Store(core.budgets.limits())
	if cfg.Logger != nil {
		go logEvents(cfg.Logger, s.hub.Subscribe(logged, cfg.EventBuffer))
	}
	timer := s.clock.NewTimer(time.Hour)
	timer.Stop()
	o := &owner{s: s, core: core, read: reader(s.clock, s.origin), timer: timer, armed: bucket.Forever}
	go o.run()
	return s, nil
}

// post sends a message to the owner. It reports false, and the message is not sent,
// if the scheduler is closed. It waits only for the owner, which waits for nobody.
func (s *Scheduler) post(m message) bool {
	s.gate.RLock()
	defer s.gate.RUnlock()
	if s.closed {
		return false
	}
	s.inbox <- m
	return true
}

// ask has the owner answer a question, or reports false if the scheduler is closed.
func ask[T any](s *Scheduler, question func(*owner, time.Duration) T) (T, bool) {
	answer := make(chan T, 1)
	ok := s.post(message{op: opAsk, do: func(o *owner, now time.Duration) {
		answer <- question(o, now)
	}})
	if !ok {
		<-s.done
		var zero T
		return zero, false
	}
	return <-answer, true
}

// askAfter asks the owner a question, which it answers when it has handled all that was sent before and
// all that is due. It reports false if the scheduler is closed.
func askAfter[T any](s *Scheduler, question func(*owner) T) (T, bool) {
	answer := make(chan T, 1)
	if !s.post(message{op: opAsk, do: func(o *owner, _ time.Duration) {
		o.after = append(o.after, func() { answer <- question(o) })
	}}) {
		<-s.done
		var zero T
		return zero, false
	}
	return <-answer, true
}

// Clock returns the scheduler's clock: see [Config.Clock].
func (s *Scheduler) Clock() clock.Clock { return s.clock }

// Now returns the time by the scheduler's clock.
func (s *Scheduler) Now() time.Time { return s.clock.Now() }

// Snapshot returns the state at this instant, after everything that this goroutine
// has done so far. After Close it is the final state.
func (s *Scheduler) Snapshot() Snapshot {
	snap, ok := ask(s, func(o *owner, now time.Duration) Snapshot { return o.core.snapshot(now) })
	if !ok {
		snap = s.final
	}
	snap.Seed = s.retry.Seed
	return snap
}

// Sync returns when the owner has handled all that was sent to it, and says when it
// wants to be woken next; ok is false if it waits for nothing but new calls and
// outcomes, or is closed. It is for tests on a mock clock: see clocktest.Advance.
func (s *Scheduler) Sync() (next time.Time, ok bool) {
	wake, ok := askAfter(s, func(o *owner) time.Duration { return o.core.wake() })
	if !ok || wake == bucket.Forever {
		return time.Time{}, false
	}
	return s.origin.Add(wake), true
}

// Running returns how many functions have been started, or are about to be, and have not returned. It also
// returns how many timers the scheduler has set for itself. Reservations have no function. Both are 0 once
// the scheduler is closed, even if functions still run. Running is for tests on a mock clock: see
// clocktest.Advance.
func (s *Scheduler) Running() (functions, timers int) {
	n, _ := askAfter(s, func(o *owner) [2]int {
		if o.armed != bucket.Forever {
			return [2]int{o.core.functions(), 1}
		}
		return [2]int{o.core.functions(), 0}
	})
	return n[0], n[1]
}

// Subscribe returns a stream of the events of the kinds given; without any, of all.
// It is complete from now on, unless its reader falls far behind: see package events. It
// panics if none of the kinds exists.
func (s *Scheduler) Subscribe(kinds ...events.Kind) *events.Subscription {
	set := events.Of(kinds...)
	if len(kinds) == 0 {
		set = events.All
	}
	sub := s.hub.Subscribe(set, s.eventBuffer)
	ask(s, func(o *owner, now time.Duration) struct{} {
		o.want(now) // the turn that is under way does not know of it yet
		return struct{}{}
	})
	return sub
}

// Close stops taking calls, ends those that wait with [ErrClosed], cancels the
// contexts of submitted work that runs, and returns when the owner has ended. It
// does not wait for functions that run. It may be called more than once, also at
// the same time and from inside a call.
func (s *Scheduler) Close() {
	s.gate.Lock()
	first := !s.closed
	s.closed = true
	s.gate.Unlock()
	if first {
		s.inbox <- message{op: opAsk, do: (*owner).close}
	}
	<-s.done
	if first {
		for _, h := range s.toInterrupt {
			h.interrupt(stoppedByClose) // not the owner's to do: a context may be a user's own
		}
		s.toInterrupt = nil
	}
}

// Shutdown stops taking calls, waits until all that were accepted have ended or ctx
// is done, and closes the scheduler. It returns what had not ended by then, in the
// order in which it would have been served, and an error if that is anything at all,
// which is [ErrClosed] and not that of ctx. Called from inside a call it waits for that
// call too, and during a pause for its end: so give it a context that ends.
func (s *Scheduler) Shutdown(ctx context.Context) ([]Unfinished, error) {
	if ctx == nil {
		return nil, errNilContext
	}
	drained := make(chan struct{})
	if s.post(message{op: opAsk, do: func(o *owner, now time.Duration) {
		o.core.drain(now)
		o.drains = append(o.drains, drained)
	}}) {
		select {
		case <-drained:
		case <-ctx.Done():
		case <-s.done:
		}
	}
	s.Close()
	left := slices.Clone(s.unfinished)
	for i := range left {
		left[i].fillIn(s.final.Budgets)
	}
	if len(left) > 0 {
		return left, fmt.Errorf("%w; calls not finished: %d", ErrClosed, len(left))
	}
	return nil, nil
}
