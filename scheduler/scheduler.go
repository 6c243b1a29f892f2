package scheduler

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/clock"
	"example.com/fairlead/events"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler/internal/core"
)

// Scheduler runs calls as early as a token bucket allows, FIFO, and retries those that fail. Make
// one with [New] and close it when done. The methods of a zero Scheduler panic. All methods may be called from any goroutine at any
// time, also from inside a call, a callback or a loop over events.
type Scheduler struct {
	clock       clock.Clock
	origin      time.Time                    // the owner's instants are durations since origin
	read        func() time.Duration         // returns the time since origin
	limits      atomic.Pointer[[]namedLimit] // a copy of the owner's, to check costs against
	keyLimits   []namedLimit                 // of the budgets of each key, as configured
	bounded     atomic.Bool                  // there is a MaxQueued, so Submit waits until its call is admitted
	keyBounded  bool                         // there is one of each key
	placed      atomic.Bool                  // there was a Stream with places: see Parallel
	retry       retry.Policy
	classify    retry.Classifier
	eventBuffer int

	step           time.Duration // how much earlier a call counts as having arrived for each point of priority
	attemptTimeout time.Duration // of calls without their own; 0: none
	timesFirst     bool          // the retry policy has MaxElapsed, so each call has to know when it began
	systemClock    bool          // the clock is that of package time

	fast      fastPath
	fastSlots fastSlots
	successes successes
	newCalls  newCalls
	hub       events.Hub
	inbox     chan message // never closed
	workers   workers
	exchanges sync.WaitGroup // goroutines that exchange with stores
	shared    bool           // there are some
	calls     sync.Pool      // of *call, for Do

	// gate is held for reading while a message is sent to the inbox, and for writing to set
	// closed. After that no message is sent. So every message that was sent is handled, and its
	// sender can rely on a reply.
	gate   sync.RWMutex
	closed bool

	logger *slog.Logger // for panics of OnEnd; may be nil

	closedCh chan struct{} // always closed: Done returns it for handles whose call has ended

	done        chan struct{} // closed when the owner has ended; guards what follows
	final       Snapshot
	unfinished  []Unfinished
	lastChanges []Changes // that Changes has not returned; guarded by gate, too
	toInterrupt []*Handle // running submitted work, whose contexts Close cancels
}

// inboxSize is how many messages to the owner can be pending before their senders have to wait
// for it.
const inboxSize = 256

// New starts a scheduler. If the configuration is invalid, it returns an error that joins all
// faults.
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
		keyBounded:  cfg.PerKey.MaxQueued > 0,
		eventBuffer: cfg.EventBuffer,
		logger:      cfg.Logger,

		step:           cmp.Or(cfg.PriorityStep, core.DefaultPriorityStep),
		attemptTimeout: cfg.AttemptTimeout,
		timesFirst:     cfg.Retry.MaxElapsed > 0,
		systemClock:    cfg.Clock == clock.System() || cfg.Clock == clock.Plain(),

		inbox:    make(chan message, inboxSize),
		closedCh: make(chan struct{}),
		done:     make(chan struct{}),
	}
	close(s.closedCh)
	s.bounded.Store(cfg.MaxQueued > 0 || s.keyBounded)
	s.calls.New = func() any { return newCall() }
	k, err := core.New(cfg.core(s.origin))
	if err != nil {
		return nil, err
	}
	s.read = reader(s.clock, s.origin)
	s.limits.Store(limitsOf(k.Budgets))
	s.keyLimits = *limitsOf(k.KeyBudgets())
	if cfg.Logger != nil {
		go logEvents(cfg.Logger, s.hub.Subscribe(kindsFor(cfg.Logger), cfg.EventBuffer))
	}
	timer := s.clock.NewTimer(time.Hour)
	timer.Stop()
	o := &owner{s: s, core: k, timer: timer, armed: bucket.Forever}
	if s.origin != s.origin.Round(0) { // it has a monotonic reading: this is a real clock
		o.slack = crowdSlack
	}
	o.openStores(cfg.stores())
	go o.run()
	return s, nil
}

// mustBeMade panics if New did not make the scheduler. Otherwise a call of a zero Scheduler would wait for
// an owner that it does not have.
func (s *Scheduler) mustBeMade() {
	if s.inbox == nil {
		panic("scheduler: a zero Scheduler does nothing: make one with New")
	}
}

// ask returns the owner's answer to a question. It reports false if the scheduler is closed.
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

// askAfter returns the owner's answer to a question, after the owner has handled all messages
// that were sent before and all that is due. It reports false if the scheduler is closed.
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
func (s *Scheduler) Clock() clock.Clock {
	s.mustBeMade()
	return s.clock
}

// Now returns the time by the scheduler's clock.
func (s *Scheduler) Now() time.Time { return s.Clock().Now() }

// Snapshot returns the state at this instant, after everything that this goroutine has done so
// far. After Close it returns the final state.
func (s *Scheduler) Snapshot() Snapshot {
	snap, ok := ask(s, func(o *owner, now time.Duration) Snapshot { return o.snapshot(now) })
	if !ok {
		snap = s.final
	}
	snap.Seed = s.retry.Seed
	return snap
}

// Sync waits until the owner has handled all messages that were sent to it, and returns when the
// owner will wake next. ok is false if the owner waits only for new calls and outcomes, or is
// closed. Sync is for tests on a mock clock: see clocktest.Advance.
func (s *Scheduler) Sync() (next time.Time, ok bool) {
	wake, ok := askAfter(s, func(o *owner) time.Duration { return o.core.Wake() })
	if !ok || wake == bucket.Forever {
		return time.Time{}, false
	}
	return s.origin.Add(wake), true
}

// Running returns how many functions, those of [OnEnd] included, have been started, or are about to
// be, and have not returned. It also returns how many timers the scheduler has set for itself. Reservations have
// no function. Both are 0 once the scheduler is closed, even if functions still run. Running is
// for tests on a mock clock: see clocktest.Advance.
func (s *Scheduler) Running() (functions, timers int) {
	n, _ := askAfter(s, func(o *owner) [2]int {
		functions := o.core.Functions() + int(s.workers.ending.Load()) + o.exchanging
		if o.armed != bucket.Forever {
			return [2]int{functions, 1}
		}
		return [2]int{functions, 0}
	})
	return n[0], n[1]
}

// Subscribe returns a stream of the events of a set of kinds, such as [events.All], [events.Ends] or
// events.Of(events.Held). The stream misses none of them from now on, unless its reader falls far
// behind: see package events. Events of other kinds take no room in its buffer and are not counted as
// missed. A set with Queued, Granted, Started or Succeeded, such as events.Ends, closes the fast path: a
// call that need not wait then takes a microsecond or two instead of some 30 nanoseconds. Subscribe
// panics if the set is empty.
//
// A scheduler with a [Config.Store] asks it as soon as New has made it. What the store's first events have told
// before there was a subscription is in a Snapshot that is taken after it.
func (s *Scheduler) Subscribe(kinds events.Kinds) *events.Subscription {
	s.mustBeMade()
	sub := s.hub.Subscribe(kinds, s.eventBuffer)
	ask(s, func(o *owner, now time.Duration) struct{} {
		o.want(now) // the turn that is under way does not know of it yet
		return struct{}{}
	})
	return sub
}

// Close stops taking calls, ends waiting calls with [ErrClosed], cancels the contexts of running
// submitted work, and returns when the owner has ended. It does not wait for running functions.
// It may be called more than once, also concurrently and from inside a call.
func (s *Scheduler) Close() {
	s.mustBeMade()
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
			h.interrupt(stoppedByClose) // not on the owner, since a context may run user code
		}
		s.toInterrupt = nil
	}
}

// Shutdown stops taking calls, waits until all accepted calls and functions of [OnEnd] have ended or ctx is done, and
// closes the scheduler. It returns the calls that did not end, in the order in which they would
// have been served, to be saved as JSON and taken up again by another scheduler: see [Resumed]. If there are any, the error wraps [ErrClosed] (not ctx.Err()). Otherwise it
// is nil. Calls that have not arrived ([NotBefore], [Delay]) end with [ErrClosed] and are returned. If
// Shutdown is called from inside a call it waits for that call, too, and during a pause it waits for the
// end of the pause, so give it a context that ends.
func (s *Scheduler) Shutdown(ctx context.Context) ([]Unfinished, error) {
	if ctx == nil {
		return nil, errNilContext
	}
	drained := make(chan struct{})
	if s.post(message{op: opAsk, do: func(o *owner, now time.Duration) {
		o.drain(now)
		o.drains = append(o.drains, drained)
	}}) {
		select {
		case <-drained:
		case <-ctx.Done():
		case <-s.done:
		}
	}
	s.Close()
	if s.shared {
		s.waitForStores(ctx)
	}
	left := slices.Clone(s.unfinished)
	for i := range left {
		s.fillIn(&left[i])
	}
	if len(left) > 0 {
		return left, fmt.Errorf("%w; calls not finished: %d", ErrClosed, len(left))
	}
	return nil, nil
}
