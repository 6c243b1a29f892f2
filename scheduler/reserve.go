package scheduler

import (
	"context"
	"errors"
	"time"

	"example.com/fairlead/retry"
)

// Reservation is a call without a function: its holder waits for the grant in a way
// of its own and does the work itself. It is made by [Scheduler.Reserve]. Its methods
// may be called from any goroutine.
type Reservation struct {
	h *Handle
}

var errWatchedReserve = errors.New("scheduler: OnProgress is not for Reserve: ask the Reservation for its Estimate")

// Reserve takes a place in the queue for work that the caller will do itself, and
// returns at once (see [Scheduler.Submit] for the one exception). The place is lost
// when ctx is done before it is granted. A reservation must be ended, by Done when
// the work is over or by Cancel if there is none: until then it keeps its tokens and
// its slot.
//
//	r, err := s.Reserve(ctx, scheduler.Cost(20))
//	defer r.Cancel() // does nothing after Done
//	select {
//	case <-r.Ready():
//	case <-somethingBetter:
//		return nil
//	}
//	if err := r.Err(); err != nil {
//		return err
//	}
//	r.Done(work())
func (s *Scheduler) Reserve(ctx context.Context, opts ...Option) (*Reservation, error) {
	h := &Handle{s: s, hooks: &hooks{ready: make(chan struct{})}}
	c := h.init()
	if err := s.prepare(c, ctx, notRun, opts); err != nil {
		return nil, err
	}
	if c.watched {
		return nil, errWatchedReserve
	}
	once := *c.policy
	once.MaxRetries = retry.None // whoever does the work itself retries it, too
	c.policy = &once
	h, err := h.send()
	if err != nil {
		return nil, err
	}
	return &Reservation{h}, nil
}

// notRun stands where other calls have a function.
func notRun(context.Context) error { panic("scheduler: a reservation was run") }

// Ready returns a channel that is closed when the reservation is granted, or when it
// never will be: see Err.
func (r *Reservation) Ready() <-chan struct{} { return r.h.ready }

// Err is nil if the reservation was granted, [ErrPending] while it waits, and otherwise
// why it will not be: as [Scheduler.Do] would have it.
func (r *Reservation) Err() error {
	select {
	case <-r.h.ready:
	default:
		return ErrPending
	}
	if r.h.granted {
		return nil
	}
	return r.h.Err()
}

// Estimate returns the place in the queue and when the grant is expected. It is zero
// when nothing is waited for any more.
func (r *Reservation) Estimate() Estimate { return r.h.Estimate() }

// Done says that the work is over and how it went, and frees the slot. What err says
// of the server, judged as for other calls, counts for all: a server's wait holds
// everybody. There being no retry, an error that is worth one counts as
// exhausted. Before the grant, Done is Cancel; a second time it does nothing.
func (r *Reservation) Done(err error) {
	if r.Err() != nil {
		r.Cancel()
		return
	}
	var v retry.Verdict
	if err != nil {
		v, err = r.h.s.judge(&r.h.call, err)
	}
	r.h.tell(func(o *owner, now time.Duration) { o.core.finish(now, &r.h.call, err, v) })
}

// Cancel gives back the place or, if it was granted and is not done, the slot and all
// the tokens that the bucket has room for by then. It does nothing to a reservation that
// has ended.
func (r *Reservation) Cancel() {
	r.h.tell(func(o *owner, now time.Duration) { o.core.withdraw(now, &r.h.call, ErrCancelled) })
}

// tell has the owner do something, if there is one.
func (h *Handle) tell(do func(*owner, time.Duration)) {
	h.s.post(message{op: opAsk, do: do})
}
