package scheduler_test

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/scheduler"
)

func TestHandleLife(t *testing.T) {
	bubble(t, scheduler.Config{Limit: oneEach, Level: empty, Retry: exact}, func(t *testing.T, s *scheduler.Scheduler) {
		h := submit(t, s, (&flaky{failures: 1}).run)
		pending := func() {
			t.Helper()
			require.Same(t, scheduler.ErrPending, h.Err())
			require.Zero(t, h.Attempts())
			select {
			case <-h.Done():
				t.Fatal("done too early")
			default:
			}
		}
		pending()
		time.Sleep(1500 * time.Millisecond) // one attempt is made, and it backs off
		pending()
		require.Equal(t, 1, s.Snapshot().BackingOff)
		started := time.Now()
		require.NoError(t, settled(h))
		require.Equal(t, 500*time.Millisecond, time.Since(started))
		require.Equal(t, 2, h.Attempts())
		require.NoError(t, h.Err(), "at every call")
	})
}

// The function's context is derived from Submit's.
func TestSubmitContext(t *testing.T) {
	bubble(t, scheduler.Config{}, func(t *testing.T, s *scheduler.Scheduler) {
		type key struct{}
		ctx, cancel := context.WithTimeout(context.WithValue(t.Context(), key{}, "value"), time.Minute)
		defer cancel()
		var seen context.Context
		h, err := s.Submit(ctx, func(ctx context.Context) error {
			require.Equal(t, "value", ctx.Value(key{}))
			require.NoError(t, ctx.Err())
			seen = ctx
			return nil
		})
		require.NoError(t, err)
		require.NoError(t, settled(h))
		require.Error(t, seen.Err(), "the context ends with the attempt")
		require.NoError(t, ctx.Err())

		started := time.Now()
		h, err = s.Submit(ctx, untilDone)
		require.NoError(t, err)
		require.ErrorIs(t, settled(h), context.DeadlineExceeded)
		require.Equal(t, time.Minute, time.Since(started))
	})
}

// Cancel works in every state of a call, with and without a progress function (C8, cancel).
func TestHandleCancel(t *testing.T) {
	for name, opts := range map[string][]scheduler.Option{
		"plain": nil, "watched": {scheduler.OnProgress(func(scheduler.Progress) {})},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := scheduler.Config{Limit: oneEach, Level: empty, Retry: exact}
			bubble(t, cfg, func(t *testing.T, s *scheduler.Scheduler) { cancelAtEveryStage(t, s, opts) })
		})
	}
}

func cancelAtEveryStage(t *testing.T, s *scheduler.Scheduler, opts []scheduler.Option) {
	cancelAfter := func(d time.Duration, fn func(context.Context) error, check func(error), attempts int) {
		t.Helper()
		time.Sleep(10 * time.Second)
		h := submit(t, s, fn, opts...)
		time.Sleep(d)
		h.Cancel()
		before := time.Now()
		check(settled(h))
		require.Equal(t, before, time.Now(), "at once")
		require.Equal(t, attempts, h.Attempts())
		h.Cancel() // a second Cancel does nothing
		time.Sleep(time.Hour)
		check(h.Err())
	}
	canceled := func(err error) {
		t.Helper()
		require.ErrorIs(t, err, scheduler.ErrCanceled)
		require.ErrorIs(t, err, context.Canceled)
	}
	block := submit(t, s, nothing, scheduler.Cost(10))
	cancelAfter(0, nothing, canceled, 0) // queued, or just granted
	<-block.Done()
	f := failing(nil)
	cancelAfter(2*time.Second, f.run, func(err error) { canceled(err); require.ErrorIs(t, err, errBusy) }, 2) // backing off
	require.Equal(t, 2, f.attempts())
	cancelAfter(time.Second, untilDone, func(err error) { require.Same(t, scheduler.ErrCanceled, err) }, 1) // running
	cancelAfter(time.Second, func(ctx context.Context) error { _ = untilDone(ctx); return nil }, func(err error) { require.NoError(t, err) }, 1)
	cancelAfter(time.Second, func(ctx context.Context) error { _ = untilDone(ctx); return failing(nil).run(ctx) },
		func(err error) { canceled(err); require.ErrorIs(t, err, errBusy) }, 1)
	cancelAfter(time.Second, nothing, func(err error) { require.NoError(t, err) }, 1) // ended
}

// Only the first end of a call counts (C1, one end; H05).
func TestH05_OneEndPerCall(t *testing.T) {
	bubble(t, scheduler.Config{Retry: exact}, func(t *testing.T, s *scheduler.Scheduler) {
		ctx, cancel := context.WithCancel(t.Context())
		var handles []*scheduler.Handle
		for range 100 {
			h, err := s.Submit(ctx, nothing)
			require.NoError(t, err)
			handles = append(handles, h)
		}
		for _, h := range handles {
			<-h.Done()
			h.Cancel()
			require.NoError(t, h.Err())
		}
		cancel()
		synctest.Wait()
		totals := s.Snapshot().Totals
		require.Equal(t, scheduler.Totals{Accepted: 100, Succeeded: 100, Attempts: 100}, totals)
	})
}

// endless is a context that never ends and counts its watchers.
type endless struct {
	context.Context
	done     chan struct{}
	watchers atomic.Int64
}

func (c *endless) Done() <-chan struct{} { return c.done }

func (c *endless) AfterFunc(func()) (stop func() bool) {
	c.watchers.Add(1)
	return sync.OnceValue(func() bool {
		c.watchers.Add(-1)
		return true
	})
}

// A context that outlives its calls keeps nothing of them (H20, H37).
func TestH37_ContextKeepsNothing(t *testing.T) {
	bubble(t, scheduler.Config{Retry: exact}, func(t *testing.T, s *scheduler.Scheduler) {
		ctx := &endless{Context: t.Context(), done: make(chan struct{})}
		for _, fn := range []func(context.Context) error{nothing, (&flaky{failures: 1}).run, failing(errBroken).run, panics("boom"), goexits} {
			h, err := s.Submit(ctx, fn)
			require.NoError(t, err)
			_ = settled(h)
		}
		h, err := s.Submit(ctx, failing(nil).run)
		require.NoError(t, err)
		synctest.Wait()
		require.EqualValues(t, 1, ctx.watchers.Load(), "one backs off")
		h.Cancel()
		require.ErrorIs(t, settled(h), scheduler.ErrCanceled)
		synctest.Wait() // another goroutine stops the watch
		require.Zero(t, ctx.watchers.Load())
		s.Close()
		_, err = s.Submit(ctx, nothing)
		require.Same(t, scheduler.ErrClosed, err)
		require.Zero(t, ctx.watchers.Load())
	})
}

// What a function holds is freed when its call has ended and its handle is dropped (H37).
func TestH37_SchedulerKeepsNothing(t *testing.T) {
	type document [1 << 16]byte
	bubble(t, scheduler.Config{Retry: exact}, func(t *testing.T, s *scheduler.Scheduler) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var kept []weak.Pointer[document]
		call := func(run func(fn func(context.Context) error)) {
			doc := new(document)
			kept = append(kept, weak.Make(doc))
			run(func(context.Context) error { doc[0]++; return nil })
		}
		for range 10 {
			call(func(fn func(context.Context) error) { _ = s.Do(ctx, fn) })
			call(func(fn func(context.Context) error) { h, _ := s.Submit(ctx, fn); <-h.Done() })
			call(func(fn func(context.Context) error) { h, _ := s.Submit(ctx, fn); h.Cancel(); <-h.Done() })
		}
		synctest.Wait()
		s.Snapshot()
		runtime.GC()
		for i, doc := range kept {
			require.Nil(t, doc.Value(), "call %d", i)
		}
	})
}
