package scheduler

import (
	"context"
	"errors"
	"time"

	"example.com/fairlead/retry"
)

// Reservation is an attempt of a call without a function: its holder waits for the grant in a
// way of its own and does the work itself. The first is made by [Scheduler.Reserve], those
// after it by [Reservation.Retry]. Its methods may be called from any goroutine.
type Reservation struct {
	h       *Handle
	number  int           // the attempt's, from 1
	ready   chan struct{} // closed when it is granted or has ended
	granted bool          // written before ready is closed
}

// reservation is what the owner knows as the handle's from now on.
func (h *Handle) reservation(number int) *Reservation {
	r := &Reservation{h: h, number: number, ready: make(chan struct{})}
	h.extras().reserved = r
	return r
}

var (
	errNoRetry = errors.New("scheduler: nothing to retry: the reservation is not granted, or is done")
	errNilErr  = errors.New("scheduler: nothing to retry: the error is nil, and Done takes a success")
)

var errWatchedReserve = errors.New("scheduler: OnProgress is not for reservations, such as requests of ratehttp: ask a Reservation for its Estimate, or Subscribe")

// Reserve takes a place in the queue for work that the caller will do itself, and
// returns at once (see [Scheduler.Submit] for the one exception). Inside another call, one made with
// that call's context counts as waited for: see [Config.MaxInFlight]. The place is lost
// when ctx is done before it is granted. A reservation must be ended, by Done when
// the work is over, by Retry when it failed and should be tried again, or by Cancel if
// there is none: until then it keeps its tokens and its slot.
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
	h := &Handle{s: s}
	r, c := h.reservation(1), h.init()
	if err := s.prepare(c, ctx, notRun, opts); err != nil {
		return nil, err
	}
	if c.watched {
		return nil, errWatchedReserve
	}
	s.nest(c, ctx)
	if _, err := h.send(); err != nil {
		return nil, err
	}
	return r, nil
}

// notRun stands where other calls have a function.
func notRun(context.Context) error { panic("scheduler: a reservation was run") }

// Ready returns a channel that is closed when the reservation is granted, or when it
// never will be: see Err.
func (r *Reservation) Ready() <-chan struct{} { return r.ready }

// Err is nil if the reservation was granted, [ErrPending] while it waits, and otherwise
// why it will not be: as [Scheduler.Do] would have it.
func (r *Reservation) Err() error {
	select {
	case <-r.ready:
	default:
		return ErrPending
	}
	if r.granted {
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
	v, err := r.judge(err)
	r.runOnOwner(func(o *owner, now time.Duration) {
		c := &r.h.call
		if v.Retryable() {
			once := *c.policy
			once.MaxRetries = retry.None
			c.policy = &once
		}
		o.core.finish(now, c, err, v)
	})
}

// Retry says that the work has failed with err, frees the slot, and returns the reservation
// for the next attempt, which keeps the place in the queue that the first had and
// waits for its backoff and its tokens. If there will be no other attempt, because err
// is not judged to be worth it or the policy or the context leaves no more, it returns
// why, as [Scheduler.Do] would; the call is over then. What err says of the server counts for
// all, as in Done. From then on r is done, and its methods do nothing. A nil err, and a
// reservation that is not granted or is done, is an error, too, and changes nothing.
func (r *Reservation) Retry(err error) (*Reservation, error) {
	switch {
	case r.Err() != nil:
		return nil, errNoRetry
	case err == nil:
		return nil, errNilErr
	}
	v, err := r.judge(err)
	var next *Reservation
	over, ok := ask(r.h.s, func(o *owner, now time.Duration) error {
		c := &r.h.call
		if r.h.reserved != r || c.state != running {
			return errNoRetry
		}
		next = r.h.reservation(r.number + 1)
		o.core.finish(now, c, err, v)
		if c.state == ended {
			return c.err
		}
		return nil
	})
	switch {
	case !ok:
		return nil, &endedError{reason: ErrClosed, attempts: r.number, last: err}
	case over != nil:
		return nil, over
	}
	return next, nil
}

// Resent says that the work went out once more in the same attempt without waiting for a turn, as net/http does by itself when a
// connection is lost. The attempt pays its cost once more at once, and may take a budget into debt by at most its capacity. A
// later Settle sets the total. Before the grant, and once the reservation is done, Resent does nothing.
func (r *Reservation) Resent() {
	if r.Err() == nil {
		r.runOnOwner(func(o *owner, now time.Duration) { o.core.resent(now, &r.h.call, r.number) })
	}
}

// judge classifies what the work failed with, if it did.
func (r *Reservation) judge(err error) (retry.Verdict, error) {
	if err == nil {
		return retry.Verdict{}, nil
	}
	return r.h.s.judge(&r.h.call, err)
}

// Cancel gives back the place or, if it was granted and is not done, the slot and all
// the tokens that the bucket has room for by then. It does nothing to a reservation that
// has ended.
func (r *Reservation) Cancel() {
	r.runOnOwner(func(o *owner, now time.Duration) { o.core.cancelReservation(now, &r.h.call, ErrCancelled) })
}

// runOnOwner has the owner do something for the attempt, unless another has taken its place.
func (r *Reservation) runOnOwner(do func(*owner, time.Duration)) {
	r.h.s.post(message{op: opAsk, do: func(o *owner, now time.Duration) {
		if r.h.reserved == r {
			do(o, now)
		}
	}})
}
