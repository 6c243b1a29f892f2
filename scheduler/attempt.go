package scheduler

import (
	"context"
	"sync/atomic"
)

// attemptContext is what the function of submitted work is given: the user's context,
// which can be cancelled for one attempt. Most functions have returned before anybody
// wants to be told of that. So the context proper is not made before somebody does, or
// it is cancelled.
type attemptContext struct {
	context.Context // the user's
	attempt         attempt
	made            atomic.Pointer[cancellable]
}

// cancellable is a context that can be cancelled. It is derived from the user's.
type cancellable struct {
	context.Context
	cancel context.CancelCauseFunc
}

// attemptOver stands for a context that nobody has asked for before its attempt was over.
var attemptOver = new(cancellable)

// context returns the context proper.
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
		cancel(nil) // somebody was faster
	}
}

func (a *attemptContext) cancel(cause error) { a.context().cancel(cause) }

// end is for when the function has returned.
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

// Value also leads package context to the cause.
func (a *attemptContext) Value(key any) any {
	if a.attempt.matches(key) {
		return &a.attempt
	}
	if a.made.Load() == nil {
		return a.Context.Value(key)
	}
	return a.context().Value(key)
}
