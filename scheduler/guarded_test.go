package scheduler_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

// broken is a context with one method that panics from its from-th call on.
type broken struct {
	context.Context
	method string
	from   int64
	calls  atomic.Int64
}

func (c *broken) called(method string) {
	if method == c.method && c.calls.Add(1) >= c.from {
		panic(method + " panics")
	}
}

func (c *broken) Done() <-chan struct{}       { c.called("Done"); return c.Context.Done() }
func (c *broken) Err() error                  { c.called("Err"); return c.Context.Err() }
func (c *broken) Value(key any) any           { c.called("Value"); return c.Context.Value(key) }
func (c *broken) Deadline() (time.Time, bool) { c.called("Deadline"); return c.Context.Deadline() }

// waysOfCalls has every way to make a call. Each function returns when its call is over.
var waysOfCalls = map[string]func(context.Context, *scheduler.Scheduler, func(context.Context) error) error{
	"Do": func(ctx context.Context, s *scheduler.Scheduler, fn func(context.Context) error) error {
		return s.Do(ctx, fn)
	},
	"Do with a cost": func(ctx context.Context, s *scheduler.Scheduler, fn func(context.Context) error) error {
		return s.Do(ctx, fn, scheduler.Cost(1))
	},
	"Submit": func(ctx context.Context, s *scheduler.Scheduler, fn func(context.Context) error) error {
		h, err := s.Submit(ctx, fn)
		if err != nil {
			return err
		}
		return settled(h)
	},
	"Submit, watched": func(ctx context.Context, s *scheduler.Scheduler, fn func(context.Context) error) error {
		h, err := s.Submit(ctx, fn, scheduler.OnProgress(func(scheduler.Progress) {}))
		if err != nil {
			return err
		}
		return settled(h)
	},
	"Stream": func(ctx context.Context, s *scheduler.Scheduler, fn func(context.Context) error) error {
		err := errors.New("no result: nothing is read when the context is done")
		call := func(ctx context.Context, _ int) (int, error) { return 0, fn(ctx) }
		for res := range scheduler.Stream(ctx, s, slices.Values([]int{1}), call) {
			err = res.Err
		}
		return err
	},
	"Reserve": func(ctx context.Context, s *scheduler.Scheduler, fn func(context.Context) error) error {
		r, err := s.Reserve(ctx)
		if err != nil {
			return err
		}
		<-r.Ready()
		if err := r.Err(); err != nil {
			return err
		}
		err = fn(ctx)
		r.Done(err)
		return err
	},
}

// A context whose methods panic costs at most its own call (C3, panics; H61). The panic may reach
// the caller, but no slot is lost and the scheduler goes on.
func TestH61_ContextsThatPanic(t *testing.T) {
	for name, way := range waysOfCalls {
		for _, method := range []string{"Done", "Err", "Value", "Deadline"} {
			for from := int64(1); from <= 8; from++ {
				t.Run(fmt.Sprint(name, ", ", method, ", ", from), func(t *testing.T) {
					cfg := scheduler.Config{MaxInFlight: 1, Limit: bucket.PerSecond(1), Level: empty, Retry: exact}
					bubble(t, cfg, func(t *testing.T, s *scheduler.Scheduler) {
						parent, cancel := context.WithTimeout(t.Context(), 100*time.Second)
						defer cancel()
						ctx := &broken{Context: parent, method: method, from: from}
						over := make(chan struct{})
						go func() {
							defer close(over)
							defer func() { _ = recover() }()
							f := &flaky{failures: 1, err: retry.Transient(errBusy)}
							_ = way(ctx, s, func(ctx context.Context) error {
								if err := f.run(ctx); err != nil {
									return err
								}
								<-ctx.Done() // like a function that waits for its context
								return nil
							})
						}()
						<-over // in a bubble, a hang fails the test
						require.NoError(t, s.Do(t.Context(), nothing), "another call")
						snap := s.Snapshot()
						require.Zero(t, snap.Running+snap.Queued+snap.BackingOff)
						require.Equal(t, snap.Totals.Accepted, snap.Totals.Ended())
					})
				})
			}
		}
	}
}

// A context that panics between the fast path and a retry costs at most its own call (H61).
func TestH61_ContextsThatPanicOnTheFastPath(t *testing.T) {
	for _, method := range []string{"Done", "Deadline"} {
		bubble(t, scheduler.Config{MaxInFlight: 1, Retry: exact}, func(t *testing.T, s *scheduler.Scheduler) {
			for range 10 { // opens the fast path
				require.NoError(t, s.Do(t.Context(), nothing))
			}
			for i := range 3 {
				f := &flaky{failures: 1, err: retry.Transient(errBusy)}
				func() {
					defer func() { _ = recover() }()
					_ = s.Do(&broken{Context: t.Context(), method: method, from: 1}, f.run)
				}()
				require.Zero(t, s.Snapshot().Running, "call %d", i)
			}
			require.NoError(t, s.Do(t.Context(), nothing), "another call")
		})
	}
}

// exits is a context whose Err calls runtime.Goexit.
type exits struct {
	context.Context
	calls atomic.Int64
}

func (c *exits) Err() error {
	if c.calls.Add(1) > 2 {
		runtime.Goexit()
	}
	return nil
}

// If a context ends its goroutine at the grant, the grant is given back (H61, H02).
func TestH61_ContextsThatExit(t *testing.T) {
	for name, way := range waysOfCalls {
		t.Run(name, func(t *testing.T) {
			bubble(t, scheduler.Config{MaxInFlight: 1, Limit: bucket.PerSecond(1), Level: empty}, func(t *testing.T, s *scheduler.Scheduler) {
				over := make(chan struct{})
				go func() {
					defer close(over)
					_ = way(&exits{Context: t.Context()}, s, nothing)
				}()
				<-over
				require.NoError(t, s.Do(t.Context(), nothing), "another call")
				require.Zero(t, s.Snapshot().Running)
			})
		})
	}
}

// foreign is a context of a type unknown to package context, and its Err panics.
type foreign struct {
	context.Context
	done chan struct{}
}

func (c foreign) Done() <-chan struct{} { return c.done }
func (c foreign) Value(any) any         { return nil }
func (c foreign) Err() error {
	select {
	case <-c.done:
		panic("Err panics")
	default:
		return nil
	}
}

// Package context calls Err of a context of an unknown type on another goroutine, where a panic
// would end the process (H61).
func TestH61_ForeignContexts(t *testing.T) {
	for name, way := range waysOfCalls {
		t.Run(name, func(t *testing.T) {
			for _, level := range []*bucket.State{empty, nil} { // the call is queued when the context ends, or it runs
				bubble(t, scheduler.Config{Limit: bucket.PerMinute(1), Level: level}, func(t *testing.T, s *scheduler.Scheduler) {
					ctx := foreign{t.Context(), make(chan struct{})}
					time.AfterFunc(time.Second, func() { close(ctx.done) })
					over := make(chan struct{})
					go func() {
						defer close(over)
						defer func() { _ = recover() }()
						_ = way(ctx, s, func(ctx context.Context) error { <-ctx.Done(); return nil })
					}()
					<-over
					require.NoError(t, s.Do(t.Context(), nothing), "another call")
				})
			}
		})
	}
}

// scheduled is a context whose own AfterFunc panics, calls f too early, or returns a stop that
// panics.
type scheduled struct {
	foreign
	fault string
}

func (c scheduled) AfterFunc(f func()) func() bool {
	switch c.fault {
	case "panics":
		panic("AfterFunc panics")
	case "calls too early":
		go f()
	}
	return func() bool { panic("stop panics") }
}

// The AfterFunc of a context may panic without harm (H61).
func TestH61_AfterFuncsThatPanic(t *testing.T) {
	for name, way := range waysOfCalls {
		t.Run(name, func(t *testing.T) {
			for _, fault := range []string{"panics", "calls too early", "stop panics"} {
				bubble(t, scheduler.Config{Limit: bucket.PerMinute(1), Level: empty}, func(t *testing.T, s *scheduler.Scheduler) {
					ctx := scheduled{foreign{t.Context(), make(chan struct{})}, fault}
					over := make(chan struct{})
					go func() {
						defer close(over)
						_ = way(ctx, s, nothing)
					}()
					<-over
					require.NoError(t, s.Do(t.Context(), nothing), "another call")
				})
			}
		})
	}
}

// lying is a context that is done while its Err is nil.
type lying struct{ context.Context }

func (lying) Done() <-chan struct{} {
	done := make(chan struct{})
	close(done)
	return done
}

// If a context is done while its Err is nil, a call whose function did not run does not succeed
// (H61).
func TestH61_DoneWithoutAnError(t *testing.T) {
	for name, way := range waysOfCalls {
		t.Run(name, func(t *testing.T) {
			bubble(t, scheduler.Config{Limit: bucket.PerMinute(1), Level: empty}, func(t *testing.T, s *scheduler.Scheduler) {
				ran := false
				err := way(lying{t.Context()}, s, func(context.Context) error { ran = true; return nil })
				require.Equal(t, ran, err == nil, "%v", err)
				require.NoError(t, s.Do(t.Context(), nothing), "another call")
			})
		})
	}
}

// hostile is an error whose methods panic.
type hostile struct{}

func (hostile) Error() string   { panic("Error panics") }
func (hostile) Is(error) bool   { panic("Is panics") }
func (hostile) Unwrap() error   { panic("Unwrap panics") }
func (hostile) As(any) bool     { panic("As panics") }
func (hostile) Timeout() bool   { panic("Timeout panics") }
func (hostile) Temporary() bool { panic("Temporary panics") }

// A cause whose methods panic does no harm (H61).
func TestH61_CausesThatPanic(t *testing.T) {
	for name, way := range waysOfCalls {
		t.Run(name, func(t *testing.T) {
			bubble(t, scheduler.Config{Limit: bucket.PerMinute(1), Level: empty}, func(t *testing.T, s *scheduler.Scheduler) {
				ctx, cancel := context.WithCancelCause(t.Context())
				time.AfterFunc(time.Second, func() { cancel(hostile{}) })
				over := make(chan error, 1)
				go func() { over <- way(ctx, s, nothing) }()
				var panicked *scheduler.PanicError
				err := <-over
				require.True(t, errors.As(err, &panicked), "%T", err)
				require.Equal(t, "context", panicked.In)
				require.NoError(t, s.Do(t.Context(), nothing), "another call")
			})
		})
	}
}
