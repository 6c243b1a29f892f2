package scheduler

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler/internal/core"
)

// Errors that a retry can't help say so, for [retry.Any] in a call around this one: they are marked,
// or have a method Permanent.

var (
	// ErrClosed ends a call that a closed or closing scheduler did not accept or could not
	// finish. If an attempt was made, its error is joined.
	ErrClosed = retry.Permanent(errors.New("scheduler is closed"))

	// ErrQueueFull matches every [QueueFullError] with errors.Is.
	ErrQueueFull = errors.New("scheduler: queue is full")

	// ErrTooManyKeys matches every [TooManyKeysError] with errors.Is.
	ErrTooManyKeys = errors.New("scheduler: too many keys")

	// ErrWouldWait matches every [WouldWaitError] with errors.Is.
	ErrWouldWait = errors.New("scheduler: the call would have to wait")

	// ErrCanceled is the cause of a call ended by [Handle.Cancel].
	ErrCanceled = fmt.Errorf("scheduler: call canceled through its handle: %w", context.Canceled)

	// ErrPending is returned by [Handle.Err] while the call has not ended, and is in the error of
	// [Handle.Wait].
	ErrPending = errors.New("scheduler: the call has not ended yet: receive from Done first")

	// ErrNoBudget is in the error for a budget name that does not exist.
	ErrNoBudget = retry.Permanent(errors.New("scheduler: no budget"))

	// ErrGoexit ends submitted work whose function called runtime.Goexit, as
	// t.FailNow does. It is not retried.
	ErrGoexit = retry.Permanent(errors.New("scheduler: the function called runtime.Goexit instead of returning"))

	// errNoReturn is the error in events of a Do whose function panicked or called
	// runtime.Goexit.
	errNoReturn = retry.Permanent(errors.New("scheduler: the function panicked or called runtime.Goexit"))
)

// later names the state of a call that has not arrived.
const later = "later"

// DeadlineError ends a call at once whose context would be done before the call's turn. It
// matches [context.DeadlineExceeded] and, if attempts were made, the last one's error.
type DeadlineError struct {
	Wait time.Duration // the estimated wait
	Left time.Duration // the time left until the deadline
	Err  error         // the last attempt's error; nil if there was none

	Later bool // the call's own [NotBefore] or [Delay] is after the deadline

	RetryAt time.Time // when its turn would come; zero if that is not known: see [RetryAt]
}

func (e *DeadlineError) Error() string {
	early := core.Early{Reason: core.TooLate, Wait: e.Wait, Left: e.Left, Last: e.Err}
	if e.Later {
		early.First = later
	}
	return early.Error()
}

// Is reports whether target is [context.DeadlineExceeded].
func (e *DeadlineError) Is(target error) bool { return target == context.DeadlineExceeded }

// Unwrap returns the last attempt's error, or nil.
func (e *DeadlineError) Unwrap() error { return e.Err }

// QueueFullError ends a call for which the queue had no room: see [Config.MaxQueued] and [PerKey.MaxQueued].
// It matches [ErrQueueFull] with errors.Is.
type QueueFullError struct {
	Queued int           // how many calls were queued, retries included
	Max    int           // MaxQueued
	Key    string        // the key that reached PerKey.MaxQueued; "" if all calls reached Config.MaxQueued
	Wait   time.Duration // the estimated wait from then on, as in [Estimate]

	RetryAt time.Time // when its turn would come; zero if that is not known: see [RetryAt]
}

func (e *QueueFullError) Error() string {
	return (&core.Early{Reason: core.QueueFull, Queued: e.Queued, Most: e.Max, Key: e.Key, Wait: e.Wait}).Error()
}

// Is reports whether target is [ErrQueueFull].
func (e *QueueFullError) Is(target error) bool { return target == ErrQueueFull }

// TooManyKeysError refuses a call or a setting with a new key while [PerKey.MaxKeys] keys are remembered. It
// matches [ErrTooManyKeys] with errors.Is.
type TooManyKeysError struct {
	Max int // MaxKeys
}

func (e *TooManyKeysError) Error() string {
	return (&core.Early{Reason: core.TooManyKeys, Most: e.Max}).Error()
}

// Is reports whether target is [ErrTooManyKeys].
func (e *TooManyKeysError) Is(target error) bool { return target == ErrTooManyKeys }

// WouldWaitError ends a call with [NoWait] that could not start at once, or a call with [MaxWait] whose first attempt
// can't start in time. It matches [ErrWouldWait] with errors.Is.
type WouldWaitError struct {
	For  string        // the first thing it would have to wait for: "later", "hold", "queue", "tokens" or "slot", as in [events.Times]
	Wait time.Duration // the estimated wait for its tokens, from then on

	MaxWait time.Duration // the call's MaxWait; 0: it had NoWait
	Left    time.Duration // what was left of MaxWait; with a later arrival also the time until then

	RetryAt time.Time // when its turn would come; zero if that is not known: see [RetryAt]
}

func (e *WouldWaitError) Error() string {
	return (&core.Early{Reason: core.WouldWait, First: e.For, Wait: e.Wait, MaxWait: e.MaxWait, Left: e.Left}).Error()
}

// Is reports whether target is [ErrWouldWait].
func (e *WouldWaitError) Is(target error) bool { return target == ErrWouldWait }

// PanicError is a panic in a function that the scheduler ran. It is not retried.
type PanicError struct {
	In    string // where the panic was: "function", "classifier", "context", "OnEnd"; in Stream also "input", "OptionsFor"; in a journal also "Progress"
	Value any    // the value of the panic
	Stack []byte // the stack of the panic, as runtime/debug.Stack returns it
}

// Error returns the value and the stack, as the panic would have printed them.
func (e *PanicError) Error() string {
	return fmt.Sprintf("scheduler: panic in %s: %v\n\n%s", e.In, e.Value, e.Stack)
}

// Permanent returns true: a panic is not retried.
func (e *PanicError) Permanent() bool { return true }

// Unwrap returns the value, if it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// pendingError is the error of a Wait whose context was done before the call had ended.
type pendingError struct{ cause error }

func (e *pendingError) Error() string {
	return fmt.Sprintf("scheduler: the call has not ended yet: %v", e.cause)
}

func (e *pendingError) Unwrap() []error { return []error{ErrPending, e.cause} }

// endedError joins the reason why a call ended early with its last attempt's error, so that
// errors.Is and errors.As find both.
type endedError struct {
	reason   error
	attempts int
	last     error
}

// publicError returns the error that callers are given for one of the core. It is always the same for
// the same call.
func publicError(err error) error {
	e, ok := err.(*core.Early)
	if !ok {
		return err
	}
	if e.Public == nil {
		e.Public = reasonError(e)
		if e.Last != nil && e.Reason != core.TooLate {
			e.Public = &endedError{reason: e.Public, attempts: e.Attempts, last: e.Last}
		}
	}
	return e.Public
}

// reasonError returns the error for the reason alone.
func reasonError(e *core.Early) error {
	switch e.Reason {
	case core.Closed:
		return ErrClosed
	case core.TooLate:
		return &DeadlineError{Wait: e.Wait, Left: e.Left, Err: e.Last, Later: e.First == later, RetryAt: e.RetryAt}
	case core.QueueFull:
		return &QueueFullError{Queued: e.Queued, Max: e.Most, Key: e.Key, Wait: e.Wait, RetryAt: e.RetryAt}
	case core.TooManyKeys:
		return &TooManyKeysError{Max: e.Most}
	case core.WouldWait:
		return &WouldWaitError{For: e.First, Wait: e.Wait, MaxWait: e.MaxWait, Left: e.Left, RetryAt: e.RetryAt}
	case core.Deadlock:
		return retry.Permanent(&DeadlockError{Outer: e.Outer, MaxInFlight: e.Most, Key: e.Key})
	}
	return e.Cause
}

func (e *endedError) Error() string {
	return fmt.Sprintf("%v (attempts made: %d, the last failed with: %v)", e.reason, e.attempts, e.last)
}

func (e *endedError) Unwrap() []error { return []error{e.reason, e.last} }

// Timeout reports whether the call has ended because of a timeout. A [net/url.Error] around e asks
// this. The error of the last attempt does not count.
func (e *endedError) Timeout() bool {
	var t interface{ Timeout() bool }
	return errors.As(e.reason, &t) && t.Timeout()
}
