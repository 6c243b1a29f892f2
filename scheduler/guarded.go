package scheduler

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"
)

// guarded wraps a user's context, so that its methods don't panic and its Err is not nil once
// it is done. Package context calls them on goroutines of its own, where a panic would end the
// process. It also panics if Err is nil then. A context whose Done or Err panics counts as
// done, with the panic as its error.
type guarded struct{ context.Context }

// errDoneWithoutErr is the error of a context that is done while its Err is nil.
var errDoneWithoutErr = errors.New("scheduler: the context is done, but its Err is nil: fix its Done or its Err")

// alreadyDone is the Done channel of a context that panics.
var alreadyDone = func() chan struct{} {
	done := make(chan struct{})
	close(done)
	return done
}()

func (g guarded) Done() <-chan struct{} {
	done, _ := g.done()
	return done
}

// done returns the context's channel, or the panic of its Done.
func (g guarded) done() (done <-chan struct{}, err error) {
	done = alreadyDone
	defer panicOfContext(&err)
	return g.Context.Done(), nil
}

func (g guarded) Err() error {
	if err := errOf(g.Context); err != nil {
		return err
	}
	done, err := g.done()
	select {
	case <-done:
		if err == nil {
			err = errDoneWithoutErr
		}
	default:
	}
	return err
}

func (g guarded) Deadline() (deadline time.Time, ok bool) {
	defer func() { _ = recover() }() // no deadline
	return g.Context.Deadline()
}

func (g guarded) Value(key any) (value any) {
	defer func() { _ = recover() }() // no value
	return g.Context.Value(key)
}

// guardContext returns a context that is safe to hand to package context.
func guardContext(ctx context.Context) context.Context {
	if own, ok := ctx.(afterFuncer); ok {
		return guardedAfterFunc{guarded{ctx}, own}
	}
	return guarded{ctx}
}

// afterFuncer is a context with an AfterFunc of its own, which package context uses.
type afterFuncer interface {
	AfterFunc(f func()) (stop func() bool)
}

type guardedAfterFunc struct {
	guarded
	own afterFuncer
}

// AfterFunc calls the context's own AfterFunc, and makes sure that f is not called before the
// context is done. If the own one panics, it uses context.AfterFunc.
func (g guardedAfterFunc) AfterFunc(f func()) (stop func() bool) {
	defer func() {
		if recover() != nil {
			stop = context.AfterFunc(g.guarded, f)
		}
	}()
	own := g.own.AfterFunc(func() {
		if g.Err() != nil {
			f()
		}
	})
	return func() (stopped bool) {
		defer func() { _ = recover() }() // f is not stopped
		return own()
	}
}

// errOf returns the context's error, or the panic of its Err.
func errOf(ctx context.Context) (err error) {
	defer panicOfContext(&err)
	return ctx.Err()
}

// causeOf returns why a context is done: its error and, if there is another, the cause. If
// asking for them panics, it returns the panic.
func causeOf(ctx context.Context) (reason error) {
	defer panicOfContext(&reason)
	err := guarded{ctx}.Err()
	if err == nil {
		return errDoneWithoutErr
	}
	cause := context.Cause(ctx)
	if errors.Is(cause, err) {
		return cause
	}
	return fmt.Errorf("%w: %w", err, cause)
}

// panicOfContext stores a panic in err. Defer it around a call of a user's context.
func panicOfContext(err *error) {
	if p := recover(); p != nil {
		*err = &PanicError{In: "context", Value: p, Stack: debug.Stack()}
	}
}
