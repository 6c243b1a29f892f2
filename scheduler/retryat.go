package scheduler

import (
	"time"

	"example.com/fairlead/retry"
)

// RetryAt returns when a call that ended with err would have its turn, on the scheduler's clock. It is for calls that
// ended because they would have had to wait: with a [WouldWaitError], a [DeadlineError], a [QueueFullError], a
// [retry.WaitTooLongError], or a [retry.ExhaustedError] after a server's wait or because of MaxElapsed. Of several such
// errors in the tree of err the outermost counts. A caller that hands its work back, for example to a job queue, takes it
// up again then.
//
// The instant is an estimate: see [Estimate]. It includes holds, pauses with a known end and the calls ahead. The call
// keeps no place in the queue, so the wait may begin anew. RetryAt reports false for other errors, and if the instant is
// not known, because of a pause without a known end, a store that is away, or calls that keep their slots.
func RetryAt(err error) (at time.Time, known bool) {
	at, _ = retryAt(err)
	return at, !at.IsZero()
}

// retryAt returns the RetryAt of the first error in the tree of err that has one. It reports whether there is such an error.
func retryAt(err error) (at time.Time, found bool) {
	switch e := err.(type) {
	case *WouldWaitError:
		return e.RetryAt, true
	case *DeadlineError:
		return e.RetryAt, true
	case *QueueFullError:
		return e.RetryAt, true
	case *retry.WaitTooLongError:
		return e.RetryAt, true
	case *retry.ExhaustedError:
		return e.RetryAt, true
	case interface{ Unwrap() error }:
		return retryAt(e.Unwrap())
	case interface{ Unwrap() []error }:
		for _, one := range e.Unwrap() {
			if at, found = retryAt(one); found {
				return at, true
			}
		}
	}
	return time.Time{}, false
}
