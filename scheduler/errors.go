package scheduler

import (
	"context"
	"errors"
	"fmt"
	"time"
)

var (
	// ErrClosed is what a call ends with that the scheduler, once closed or
	// shutting down, did not accept or could not finish. In the latter case the
	// error also is, for errors.Is and errors.As, that of the last attempt.
	ErrClosed = errors.New("scheduler is closed")

	// ErrQueueFull is what every [QueueFullError] is, for errors.Is.
	ErrQueueFull = errors.New("queue is full")

	// ErrWouldWait is what every [WouldWaitError] is, for errors.Is.
	ErrWouldWait = errors.New("call would have to wait")

	// ErrCancelled is the cause of a call ended by [Handle.Cancel].
	ErrCancelled = fmt.Errorf("cancelled through its handle: %w", context.Canceled)

	// ErrPending is what [Handle.Err] returns while the call has not ended.
	ErrPending = errors.New("call has not ended yet: receive from Done first")

	// ErrNoBudget is in the error for a budget that is named and does not exist.
	ErrNoBudget = errors.New("scheduler: no budget")

	// ErrGoexit ends submitted work whose function called runtime.Goexit, as
	// t.FailNow does. It is not retried.
	ErrGoexit = errors.New("function called runtime.Goexit instead of returning")

	// errNoReturn is what events say of a Do whose function unwound its caller.
	errNoReturn = errors.New("function panicked or called runtime.Goexit")
)

// DeadlineError ends a call whose context would be done before the call's turn came: waiting
// would have been in vain. It is [context.DeadlineExceeded] and, if attempts were
// made, also the last one's error.
type DeadlineError struct {
	Wait time.Duration // how long the call would have had to wait, as estimated
	Left time.Duration // how long it could have waited: what was left until its deadline
	Err  error         // the last attempt's error; nil if there was none
}

func (e *DeadlineError) Error() string {
	s := fmt.Sprintf("would have to wait %v, but the context's deadline is in %v: allow more time or call later", e.Wait, e.Left)
	if e.Err != nil {
		s += fmt.Sprintf(" (last attempt: %v)", e.Err)
	}
	return s
}

// Is says that e is [context.DeadlineExceeded].
func (e *DeadlineError) Is(target error) bool { return target == context.DeadlineExceeded }

// Unwrap returns the last attempt's error, or nil.
func (e *DeadlineError) Unwrap() error { return e.Err }

// QueueFullError ends a call for which the queue had no room: see [Config.MaxQueued].
type QueueFullError struct {
	Queued int           // how many calls were waiting, retries included
	Max    int           // how many may
	Wait   time.Duration // how much longer the call would have had to wait, as estimated
}

func (e *QueueFullError) Error() string {
	return fmt.Sprintf("queue is full: %d calls wait, MaxQueued is %d, and this one would have had to wait about %v: call later or give it a higher priority", e.Queued, e.Max, readable(e.Wait))
}

// Is says that e is [ErrQueueFull].
func (e *QueueFullError) Is(target error) bool { return target == ErrQueueFull }

// WouldWaitError refuses a call with [NoWait] that could not start at once.
type WouldWaitError struct {
	For  string        // what it would have to wait for first: "hold", "queue", "tokens" or "slot", as in [events.Times]
	Wait time.Duration // the estimated wait for its tokens
}

func (e *WouldWaitError) Error() string {
	what := e.For
	switch e.For {
	case "hold":
		what = "the end of a hold or pause"
	case "queue":
		what = "the calls ahead of it"
	case "slot":
		what = "a slot: MaxInFlight calls run"
	}
	return fmt.Sprintf("call would have to wait for %s; its tokens will be there in about %v", what, readable(e.Wait))
}

// Is says that e is [ErrWouldWait].
func (e *WouldWaitError) Is(target error) bool { return target == ErrWouldWait }

// PanicError is a panic in a function that the scheduler ran on a goroutine of
// its own. It is not retried.
type PanicError struct {
	In    string // what panicked: "function", "classifier", "context"; in Stream also "input", "OptionsFor"
	Value any    // what it panicked with
	Stack []byte // the stack of the panic, as of runtime/debug.Stack
}

// Error has the value and the stack, as the panic would have printed.
func (e *PanicError) Error() string {
	return fmt.Sprintf("panic in %s: %v\n\n%s", e.In, e.Value, e.Stack)
}

// Unwrap returns the value, if it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// endedError joins the reason why a call ended early with what its last attempt
// had failed with, so that errors.Is and errors.As find both.
type endedError struct {
	reason   error
	attempts int
	last     error
}

// endedBy returns the reason itself for a call that had no failed attempt.
func endedBy(reason error, c *call) error {
	last := c.lastErr()
	if last == nil {
		return reason
	}
	return &endedError{reason: reason, attempts: len(c.earlier) + 1, last: last}
}

func (e *endedError) Error() string {
	return fmt.Sprintf("%v (attempts made: %d, the last failed with: %v)", e.reason, e.attempts, e.last)
}

func (e *endedError) Unwrap() []error { return []error{e.reason, e.last} }

// Timeout is what a [net/url.Error] around it asks for. The last attempt's error does not count.
func (e *endedError) Timeout() bool {
	var t interface{ Timeout() bool }
	return errors.As(e.reason, &t) && t.Timeout()
}
