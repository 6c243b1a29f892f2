package scheduler

import (
	"context"
	"sync/atomic"
)

// attemptContext is the context of one attempt of submitted work. It derives from the user's
// context and can be canceled for the attempt alone. Most functions return before any goroutine
// asks for its Done, so the derived context is made only then, or when it is canceled.
type attemptContext struct {
	context.Context // the user's
	attempt         attempt
	made            atomic.Pointer[cancellable]
}

// cancellable is a context derived from the user's, with its cancel function.
type cancellable struct {
	context.Context
	cancel context.CancelCauseFunc
}

// attemptOver stands for a derived context that was not asked for before its attempt ended.
var attemptOver = new(cancellable)

// context returns the derived context, and makes it if there is none.
func (a *attemptContext) context() *cancellable {
	for {
		old := a.made.Load()
		if old != nil && old != attemptOver {
			return old
		}
		ctx, cancel := context.WithCancelCause(guardContext(a.Context))
		if old == attemptOver {
			cancel(nil)
		}
		if a.made.CompareAndSwap(old, &cancellable{ctx, cancel}) {
			continue
		}
		cancel(nil) // another goroutine was faster
	}
}

func (a *attemptContext) cancel(cause error) { a.context().cancel(cause) }

// end cancels the context when the function has returned.
func (a *attemptContext) end() {
	a.attempt.end()
	if !a.made.CompareAndSwap(nil, attemptOver) {
		a.cancel(nil)
	}
}

func (a *attemptContext) Done() <-chan struct{} { return a.context().Done() }

func (a *attemptContext) Err() error {
	if a.made.Load() == nil {
		return a.Context.Err()
	}
	return a.context().Err()
}

// Value returns the attempt for the scheduler's keys. Package context finds the cause through it.
func (a *attemptContext) Value(key any) any {
	if a.attempt.matches(key) {
		return &a.attempt
	}
	if a.made.Load() == nil {
		return a.Context.Value(key)
	}
	return a.context().Value(key)
}
