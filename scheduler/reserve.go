package scheduler

import (
	"context"
	"errors"
	"time"

	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler/internal/core"
)

// Reservation is an attempt of a call without a function. Its holder waits for the grant and does
// the work itself. [Scheduler.Reserve] makes the first attempt, and [Reservation.Retry] those
// after it. Its methods may be called from any goroutine.
type Reservation struct {
	h       *Handle
	number  int           // of the attempt, from 1
	ready   chan struct{} // closed when it is granted or has ended
	granted bool          // written before ready is closed
}

// reservation returns a new reservation for an attempt, and makes it the handle's.
func (h *Handle) reservation(number int) *Reservation {
	r := &Reservation{h: h, number: number, ready: make(chan struct{})}
	h.extras().reserved = r
	return r
}

var (
	errNoRetry = retry.Permanent(errors.New("scheduler: nothing to retry: the reservation is not granted, or is done"))
	errNilErr  = retry.Permanent(errors.New("scheduler: nothing to retry: the error is nil (use Done for a success)"))
)

var errWatchedReserve = retry.Permanent(errors.New("scheduler: OnProgress is not for reservations, such as requests of ratehttp: ask a Reservation for its Estimate, or Subscribe"))

var errTimedReserve = retry.Permanent(errors.New("scheduler: AttemptTimeout is not for reservations, whose holders do the work: bound the work itself, that of ratehttp by Transport.AttemptTimeout"))

// Reserve takes a place in the queue for work that the caller will do itself, and returns at once
// (except as [Scheduler.Submit] does). If ctx is done before the grant, the place is lost. A
// reservation made with the context of another call counts as waited for by that call: see
// [Config.MaxInFlight].
//
// Every reservation must be ended, since it keeps its tokens and its slot until then. End it with
// Done when the work is over, with Retry when it failed and should be tried again, or with Cancel
// if there is no work.
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
	c.Kind = core.Reserved
	if err := s.prepare(c, ctx, notRun, opts); err != nil {
		return nil, err
	}
	if c.Watched {
		return nil, errWatchedReserve
	}
	if c.runner != nil && c.runner.options.timeout != 0 {
		return nil, errTimedReserve
	}
	r.number += int(c.made) // a resumed call has made attempts before
	s.nest(c, ctx)
	if _, err := h.send(); err != nil {
		return nil, err
	}
	return r, nil
}

// notRun stands in for the function that a reservation does not have.
func notRun(context.Context) error { panic("scheduler: a reservation was run") }

// Ready returns a channel that is closed when the reservation is granted or has failed: see Err.
func (r *Reservation) Ready() <-chan struct{} { return r.ready }

// Err returns nil if the reservation was granted and [ErrPending] while it waits. Otherwise it
// returns the error that [Scheduler.Do] would return.
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

// Call returns the call's number: see [Handle.Call]. All attempts of a call have the same.
func (r *Reservation) Call() uint64 {
	if r.Err() == nil { // the owner has written the number before
		return r.h.call.ID
	}
	return r.h.Call()
}

// Estimate returns the place in the queue and when the grant is expected. It is zero for a
// reservation that does not wait.
func (r *Reservation) Estimate() Estimate { return r.h.Estimate() }

// Done ends the reservation with the outcome of the work, and frees the slot. err is classified
// as for other calls, so that a Retry-After holds all calls. Since Done does not retry, a
// retryable error counts as exhausted. Before the grant Done is Cancel, and a second Done does
// nothing.
func (r *Reservation) Done(err error) {
	if r.Err() != nil {
		r.Cancel()
		return
	}
	v, err := r.judge(err)
	r.runOnOwner(func(o *owner, now time.Duration) {
		o.core.FinishLast(now, &r.h.call.Call, err, v)
	})
}

// Retry reports that the work has failed with err, frees the slot, and returns the reservation
// for the next attempt. The next attempt keeps the first one's place in the queue and waits for
// its backoff delay and its tokens. err is classified as for other calls, so that a Retry-After
// holds all calls.
//
// If there will be no other attempt, because of err, the policy or the context, Retry ends the
// call and returns the error that [Scheduler.Do] would return. Afterwards the methods of r do
// nothing. Retry fails without changing anything if err is nil, or if r is not granted or has
// been ended.
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
		c := &r.h.call.Call
		if r.h.reserved != r || !o.core.IsRunning(c) {
			return errNoRetry
		}
		next = r.h.reservation(r.number + 1)
		o.core.Finish(now, c, err, v)
		return publicError(o.core.EndOf(c))
	})
	switch {
	case !ok:
		return nil, &endedError{reason: ErrClosed, attempts: r.number, last: err}
	case over != nil:
		return nil, over
	}
	return next, nil
}

// Resent reports that the work was sent once more in the same attempt without waiting for a turn,
// as net/http does when a connection is lost. The attempt pays its cost once more, and may take a
// budget into debt by at most its capacity. A later Settle sets the total. Before the grant and
// after the end, Resent does nothing.
func (r *Reservation) Resent() {
	if r.Err() == nil {
		r.runOnOwner(func(o *owner, now time.Duration) { o.core.Resent(now, &r.h.call.Call, r.number) })
	}
}

// judge classifies the error of the work, if any.
func (r *Reservation) judge(err error) (retry.Verdict, error) {
	if err == nil {
		return retry.Verdict{}, nil
	}
	return r.h.s.judge(&r.h.call, err)
}

// Cancel ends the reservation, gives up its place or slot, and refunds its tokens as far as the
// bucket has room. It does nothing to a reservation that has ended.
func (r *Reservation) Cancel() {
	r.runOnOwner(func(o *owner, now time.Duration) { o.core.CancelReservation(now, &r.h.call.Call, ErrCanceled) })
}

// runOnOwner runs do on the owner, unless another attempt has taken the place of r.
func (r *Reservation) runOnOwner(do func(*owner, time.Duration)) {
	r.h.s.post(message{op: opAsk, do: func(o *owner, now time.Duration) {
		if r.h.reserved == r {
			do(o, now)
		}
	}})
}
