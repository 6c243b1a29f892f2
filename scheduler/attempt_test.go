package scheduler_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/scheduler"
)

// The context of submitted work ends for the same reasons and with the same cause, whether or not
// the function called Done before.
func TestSubmitContextEnds(t *testing.T) {
	type key struct{}
	for _, asked := range []bool{false, true} {
		for _, tt := range []struct {
			name       string
			end        func(*scheduler.Scheduler, *scheduler.Handle, context.CancelCauseFunc)
			err, cause error
		}{
			{"by Cancel", func(_ *scheduler.Scheduler, h *scheduler.Handle, _ context.CancelCauseFunc) { h.Cancel() },
				context.Canceled, scheduler.ErrCanceled},
			{"by Close", func(s *scheduler.Scheduler, _ *scheduler.Handle, _ context.CancelCauseFunc) { s.Close() },
				context.Canceled, scheduler.ErrClosed},
			{"by its user", func(_ *scheduler.Scheduler, _ *scheduler.Handle, stop context.CancelCauseFunc) { stop(errBroken) },
				context.Canceled, errBroken},
			{"with its attempt", nil, context.Canceled, nil},
		} {
			name := tt.name + ", not asked before"
			if asked {
				name = tt.name + ", asked before"
			}
			t.Run(name, func(t *testing.T) {
				bubble(t, scheduler.Config{}, func(t *testing.T, s *scheduler.Scheduler) {
					users, stop := context.WithCancelCause(context.WithValue(t.Context(), key{}, "value"))
					defer stop(nil)
					given, returns := make(chan context.Context), make(chan struct{})
					h, err := s.Submit(users, func(ctx context.Context) error {
						given <- ctx
						<-returns
						return nil
					})
					require.NoError(t, err)
					ctx := <-given
					require.NoError(t, ctx.Err())
					require.NoError(t, context.Cause(ctx))
					if asked {
						require.NotNil(t, ctx.Done())
					}
					if tt.end == nil {
						close(returns)
						require.NoError(t, settled(h))
					} else {
						tt.end(s, h, stop)
						defer close(returns)
					}
					for range 2 { // at every call
						require.Equal(t, tt.err, ctx.Err())
						if tt.cause != nil {
							require.Equal(t, tt.cause, context.Cause(ctx))
						} else {
							require.ErrorContains(t, context.Cause(ctx), "has returned")
						}
						<-ctx.Done()
						require.Equal(t, "value", ctx.Value(key{}))
						stop(context.DeadlineExceeded) // too late to change anything
					}
				})
			})
		}
	}
}

// A context derived from that of submitted work ends with it, without a goroutine in between.
func TestSubmitContextDerived(t *testing.T) {
	bubble(t, scheduler.Config{}, func(t *testing.T, s *scheduler.Scheduler) {
		derived := make(chan context.Context)
		h := submit(t, s, func(ctx context.Context) error {
			soon, cancel := context.WithTimeout(ctx, time.Minute)
			defer cancel()
			derived <- soon
			return untilDone(soon)
		})
		soon := <-derived
		synctest.Wait()
		h.Cancel()
		require.Same(t, scheduler.ErrCanceled, context.Cause(soon), "at once, before any goroutine could run")
		require.Same(t, scheduler.ErrCanceled, settled(h))
	})
}

// The context of a Do with a cost is done only when the caller's is, also after the call.
func TestDoContextIsTheCallers(t *testing.T) {
	bubble(t, scheduler.Config{}, func(t *testing.T, s *scheduler.Scheduler) {
		users, stop := context.WithCancel(t.Context())
		var given context.Context
		require.NoError(t, s.Do(users, func(ctx context.Context) error {
			given = ctx
			require.Equal(t, users.Done(), ctx.Done())
			return nil
		}, scheduler.Cost(2)))
		require.NoError(t, given.Err())
		stop()
		require.Equal(t, context.Canceled, given.Err())
	})
}

// crawl submits a page that submits two more, and so on: 15 pages. Each page has a context that next makes of the
// one before, and of that of the crawl. It returns how many pages were read, and the error of one that was not.
func crawl(t *testing.T, s *scheduler.Scheduler, next func(pages, crawls context.Context) context.Context) (read int, err error) {
	var lock sync.Mutex
	note := scheduler.OnEnd(func(h *scheduler.Handle) {
		lock.Lock()
		defer lock.Unlock()
		if h.Err() != nil {
			err = h.Err()
		} else {
			read++
		}
	})
	var visit func(ctx context.Context, depth int) error
	visit = func(ctx context.Context, depth int) error {
		_, err := s.Submit(ctx, func(ctx context.Context) error {
			if depth == 0 {
				return nil
			}
			return errors.Join(visit(next(ctx, t.Context()), depth-1), visit(next(ctx, t.Context()), depth-1))
		}, note)
		return err
	}
	require.NoError(t, visit(t.Context(), 3))
	require.NoError(t, s.WaitIdle(t.Context()))
	return read, err
}

// Work that is submitted inside a call with that call's context is canceled when the call's function returns.
// The error names the remedy, and the remedy helps (C8, cancel; H94).
func TestH94_WorkOutlivesTheCallThatSubmitsIt(t *testing.T) {
	bubble(t, scheduler.Config{Limit: oneEach, Level: empty}, func(t *testing.T, s *scheduler.Scheduler) {
		read, err := crawl(t, s, func(page, _ context.Context) context.Context { return page })
		require.Equal(t, 1, read)
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorContains(t, err, "context.WithoutCancel")
		for _, remedy := range []func(page, crawl context.Context) context.Context{
			func(_, crawl context.Context) context.Context { return crawl },
			func(page, _ context.Context) context.Context { return context.WithoutCancel(page) },
		} {
			read, err := crawl(t, s, remedy)
			require.NoError(t, err)
			require.Equal(t, 15, read)
		}
	})
}
