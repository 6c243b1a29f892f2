package scheduler

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
)

// StoppedError ends the calls of a [Stream] with [StopOnError] when another of its calls has failed. It
// matches [context.Canceled], and errors.Is and errors.As find the error of that call in it.
type StoppedError struct {
	Index int   // of the input whose call has failed
	Err   error // that call's error
}

func (e *StoppedError) Error() string {
	return fmt.Sprintf("scheduler: the stream was stopped by the error of input %d: %v", e.Index, e.Err)
}

// Is reports whether target is [context.Canceled].
func (e *StoppedError) Is(target error) bool { return target == context.Canceled }

// Unwrap returns the error that has stopped the stream.
func (e *StoppedError) Unwrap() error { return e.Err }

// Permanent returns true: a call that was stopped is not retried.
func (e *StoppedError) Permanent() bool { return true }

// stopper stops a loop over a Stream at its first error.
type stopper struct {
	first    sync.Once
	reason   atomic.Pointer[StoppedError] // nil until then
	canceled sync.WaitGroup               // the goroutine that cancels the calls
}

// failed calls deliver, which does not wait, and cancels the calls if this is the first error. So the
// first error is delivered before those of the calls that it ends. The owner may call failed, so the
// cancellation, which may call methods of a user's context, has a goroutine of its own.
func (st *stopper) failed(index int, err error, cancel context.CancelCauseFunc, deliver func()) {
	isFirst := false
	st.first.Do(func() {
		isFirst = true
		reason := &StoppedError{Index: index, Err: err}
		st.reason.Store(reason)
		st.canceled.Add(1)
		deliver()
		go func() {
			defer st.canceled.Done()
			cancel(reason)
		}()
	})
	if !isFirst {
		deliver()
	}
}

// explained returns the error of a call, with the reason of the stop if the call ended with the error of
// its context. The result that has stopped the stream keeps its own error.
func (st *stopper) explained(ctx context.Context, index int, err error, attempts int) error {
	reason := st.reason.Load()
	if reason == nil || err == nil || index == reason.Index || context.Cause(ctx) != error(reason) {
		return err
	}
	if !isA(err, context.Canceled) || isA(err, reason) {
		return err
	}
	return &endedError{reason: reason, attempts: attempts, last: err}
}
