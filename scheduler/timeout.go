package scheduler

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.com/fairlead/clock"
	"example.com/fairlead/retry"
)

// AttemptTimeoutError is the error of an attempt that failed after its [AttemptTimeout] had passed, and
// the cause of the attempt's context. It matches [context.DeadlineExceeded] and the function's own
// error. Unless that is marked as permanent, the attempt is transient.
type AttemptTimeoutError struct {
	After time.Duration // the timeout
	Err   error         // the error that the function returned; nil in the cause of a context
}

func (e *AttemptTimeoutError) Error() string {
	text := fmt.Sprintf("scheduler: attempt timed out after %v", e.After)
	if e.Err == nil || e.Err == context.DeadlineExceeded || e.Err == context.Canceled {
		return text
	}
	return text + ": " + e.Err.Error()
}

// Is reports whether target is [context.DeadlineExceeded].
func (e *AttemptTimeoutError) Is(target error) bool { return target == context.DeadlineExceeded }

// Unwrap returns the error that the function returned, or nil.
func (e *AttemptTimeoutError) Unwrap() error { return e.Err }

// Timeout returns true, as a [net.Error] does for a timeout.
func (e *AttemptTimeoutError) Timeout() bool { return true }

// AttemptTimeout ends the context of each attempt d after its function was called. The time in the
// queue, in holds and in backoff does not count. Zero or less stands for no timeout, even if
// [Config.AttemptTimeout] is set.
//
// An error that the function returns after that becomes an [AttemptTimeoutError] and is transient,
// unless it is marked as permanent. A success stays a success. A function that ignores its context
// is waited for, and the call keeps its slot.
func AttemptTimeout(d time.Duration) Option {
	return func(o *options) {
		if o.timeout = d; d <= 0 {
			o.timeout = noTimeout
		}
	}
}

// noTimeout replaces the scheduler's timeout by none. Zero stands for the scheduler's.
const noTimeout = -1

// timeoutOf returns how long an attempt of a call may take, or zero or less for no timeout.
func (s *Scheduler) timeoutOf(c *call) time.Duration {
	if c.runner != nil && c.runner.options != nil && c.runner.options.timeout != 0 {
		return c.runner.options.timeout
	}
	return s.attemptTimeout
}

// inTime runs an attempt with a timeout.
func (s *Scheduler) inTime(ctx context.Context, d time.Duration, run func(context.Context) error) error {
	cause := &AttemptTimeoutError{After: d}
	ctx, cancel := s.withTimeout(guardContext(ctx), d, cause)
	defer cancel()
	err := run(ctx)
	if _, panicked := err.(*PanicError); err == nil || panicked || context.Cause(ctx) != error(cause) {
		return err
	}
	if !isA(err, cause) { // the function did not return the cause
		err = &AttemptTimeoutError{After: d, Err: err}
	}
	return retry.Transient(err)
}

// isA works like [errors.Is], also if a method of err panics, as that of a nil pointer may.
func isA(err, target error) (found bool) {
	defer func() { _ = recover() }()
	return errors.Is(err, target)
}

// withTimeout works like [context.WithTimeoutCause] on the scheduler's clock.
func (s *Scheduler) withTimeout(parent context.Context, d time.Duration, cause error) (context.Context, context.CancelFunc) {
	if s.systemClock {
		return context.WithTimeoutCause(parent, d, cause)
	}
	ended, cancel := context.WithCancelCause(parent)
	c := &clockContext{Context: ended, cause: cause, done: make(chan struct{})}
	stop := clock.AfterFunc(s.clock, d, func() { cancel(cause) })
	context.AfterFunc(ended, func() {
		stop()
		close(c.done)
	})
	return c, func() { cancel(nil) }
}

// clockContext is a context with a timeout on a clock other than the system's. Its Deadline is the
// parent's, since the reader of a deadline, such as package net, compares it with the system clock.
//
// Its channel is its own. With that of the context inside, package context would end derived contexts
// with Canceled instead of DeadlineExceeded.
type clockContext struct {
	context.Context // ends with the cause
	cause           error
	done            chan struct{}
}

func (c *clockContext) Done() <-chan struct{} { return c.done }

// AfterFunc is found by package context, so that a derived context needs no goroutine.
func (c *clockContext) AfterFunc(f func()) (stop func() bool) {
	return context.AfterFunc(c.Context, func() {
		<-c.done // follows at once
		f()
	})
}

func (c *clockContext) Err() error {
	select {
	case <-c.done:
	default:
		return nil
	}
	if context.Cause(c.Context) == c.cause {
		return context.DeadlineExceeded
	}
	return c.Context.Err()
}
