package scheduler_test

import (
	"bytes"
	"context"
	"errors"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/events"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

// ends counts the ends of calls.
type ends struct{ count atomic.Int64 }

func (e *ends) option() scheduler.Option {
	return scheduler.OnEnd(func(*scheduler.Handle) { e.count.Add(1) })
}

// Whatever ends a call, its function of OnEnd is called once, after Done is closed, with the handle that
// Submit returned (C10).
func TestOnEnd(t *testing.T) {
	canceled := func(h *scheduler.Handle) { h.Cancel() }
	closed := func(s *scheduler.Scheduler) func(*scheduler.Handle) { return func(*scheduler.Handle) { s.Close() } }
	for name, c := range map[string]struct {
		fn    func(context.Context) error
		opts  []scheduler.Option
		act   func(*scheduler.Scheduler) func(*scheduler.Handle)
		is    error
		level *bucket.State
	}{
		"success":           {fn: nothing},
		"failure":           {fn: failing(errBroken).run, is: errBroken},
		"exhausted":         {fn: failing(nil).run, is: retry.ErrExhausted},
		"panic":             {fn: func(context.Context) error { panic(errBroken) }, is: errBroken},
		"Goexit":            {fn: func(context.Context) error { runtime.Goexit(); return nil }, is: scheduler.ErrGoexit},
		"with progress":     {fn: nothing, opts: []scheduler.Option{scheduler.OnProgress(func(scheduler.Progress) {})}},
		"NoWait":            {fn: nothing, opts: []scheduler.Option{scheduler.NoWait()}},
		"canceled, waiting": {fn: nothing, level: empty, is: context.Canceled, act: func(*scheduler.Scheduler) func(*scheduler.Handle) { return canceled }},
		"canceled, running": {fn: untilDone, is: context.Canceled, act: func(*scheduler.Scheduler) func(*scheduler.Handle) { return canceled }},
		"closed, waiting":   {fn: nothing, level: empty, is: scheduler.ErrClosed, act: closed},
		"closed, running":   {fn: untilDone, is: scheduler.ErrClosed, act: closed},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, scheduler.Config{Level: c.level, Retry: exact}, func(t *testing.T, s *scheduler.Scheduler) {
				var told []*scheduler.Handle
				h := submit(t, s, c.fn, append(c.opts, scheduler.OnEnd(func(h *scheduler.Handle) {
					require.NotErrorIs(t, h.Err(), scheduler.ErrPending)
					told = append(told, h)
				}))...)
				if synctest.Wait(); c.act != nil {
					c.act(s)(h)
				}
				require.ErrorIs(t, settled(h), c.is)
				synctest.Wait()
				require.Equal(t, []*scheduler.Handle{h}, told)
			})
		})
	}
}

// The last event of a call is published before its function of OnEnd is called (C10).
func TestOnEndAfterTheLastEvent(t *testing.T) {
	bubble(t, scheduler.Config{}, func(t *testing.T, s *scheduler.Scheduler) {
		sub := s.Subscribe(events.Of(events.Succeeded))
		var seen atomic.Int64
		for range 500 {
			submit(t, s, nothing, scheduler.OnEnd(func(h *scheduler.Handle) {
				select {
				case <-sub.C:
					seen.Add(1)
				default:
				}
			}))
		}
		require.NoError(t, s.WaitIdle(t.Context()))
		require.EqualValues(t, 500, seen.Load())
	})
}

// Without a handle there is no end to tell of (C10).
func TestOnEndOfARefusedCall(t *testing.T) {
	var e ends
	bubble(t, scheduler.Config{Level: empty}, func(t *testing.T, s *scheduler.Scheduler) {
		_, err := s.Submit(t.Context(), nothing, e.option(), scheduler.NoWait())
		require.ErrorIs(t, err, scheduler.ErrWouldWait)
		_, err = s.Submit(t.Context(), nothing, e.option(), scheduler.Cost(-1))
		require.Error(t, err)
		s.Close()
		_, err = s.Submit(t.Context(), nothing, e.option())
		require.ErrorIs(t, err, scheduler.ErrClosed)
		synctest.Wait()
		require.Zero(t, e.count.Load())
	})
}

func TestOnEndIsNotForDo(t *testing.T) {
	var e ends
	bubble(t, scheduler.Config{}, func(t *testing.T, s *scheduler.Scheduler) {
		require.ErrorContains(t, s.Do(t.Context(), nothing, e.option()), "OnEnd is for Submit and Stream")
		require.NoError(t, s.Do(t.Context(), nothing, scheduler.Cost(1)), "the call is used again without it")
		_, err := s.Reserve(t.Context(), e.option())
		require.ErrorContains(t, err, "OnEnd is for Submit and Stream")
		require.False(t, retry.Any(err).Retryable())
		require.NoError(t, settled(submit(t, s, nothing, e.option(), scheduler.OnEnd(nil))))
		synctest.Wait()
		require.Zero(t, e.count.Load(), "nil stands for none")
	})
}

// Each call of a Stream has its own end, and the results are as without (C10).
func TestOnEndOfAStream(t *testing.T) {
	var e ends
	bubble(t, scheduler.Config{}, func(t *testing.T, s *scheduler.Scheduler) {
		sum := 0
		for r := range scheduler.Stream(t.Context(), s, upTo(100), double, e.option()) {
			require.NoError(t, r.Err)
			sum += r.Value
		}
		synctest.Wait()
		require.Equal(t, 9900, sum)
		require.EqualValues(t, 100, e.count.Load())
	})
}

// A panic or Goexit in one function of OnEnd leaves the others, the calls and the end of the scheduler as they
// are (C10, H87).
func TestH87_OnEndPanics(t *testing.T) {
	var log bytes.Buffer
	bubble(t, scheduler.Config{Logger: textLogger(&log)}, func(t *testing.T, s *scheduler.Scheduler) {
		var e ends
		for range 20 {
			submit(t, s, nothing, scheduler.OnEnd(func(*scheduler.Handle) { runtime.Goexit() }))
			submit(t, s, nothing, e.option())
		}
		h := submit(t, s, nothing, scheduler.OnEnd(func(*scheduler.Handle) { panic(errBroken) }))
		require.NoError(t, s.WaitIdle(t.Context()))
		require.NoError(t, h.Err())
		require.EqualValues(t, 20, e.count.Load())
		left, err := s.Shutdown(t.Context())
		require.NoError(t, err)
		require.Empty(t, left)
		synctest.Wait()
		require.Regexp(t, `level=ERROR msg="OnEnd panicked" call=41 panic="scheduler: panic in OnEnd: request is malformed`, log.String())
	})
}

// A blocked function of OnEnd keeps Shutdown and WaitIdle, and neither Close nor other calls (C10).
func TestOnEndBlocks(t *testing.T) {
	bubble(t, scheduler.Config{}, func(t *testing.T, s *scheduler.Scheduler) {
		submit(t, s, nothing, scheduler.OnEnd(func(*scheduler.Handle) { time.Sleep(time.Minute) }))
		started := time.Now()
		for range 10 {
			require.NoError(t, settled(submit(t, s, nothing)))
		}
		require.Zero(t, time.Since(started))
		require.NoError(t, s.WaitIdle(t.Context()))
		require.Equal(t, time.Minute, time.Since(started))
		submit(t, s, nothing, scheduler.OnEnd(func(*scheduler.Handle) { time.Sleep(time.Minute) }))
		synctest.Wait()
		functions, _ := s.Running()
		require.Equal(t, 1, functions)
		_, err := s.Shutdown(t.Context())
		require.NoError(t, err)
		require.Equal(t, 2*time.Minute, time.Since(started))
	})
	bubble(t, scheduler.Config{}, func(t *testing.T, s *scheduler.Scheduler) {
		submit(t, s, nothing, scheduler.OnEnd(func(*scheduler.Handle) { time.Sleep(time.Minute) }))
		synctest.Wait()
		started := time.Now()
		s.Close()
		require.Zero(t, time.Since(started))
		require.ErrorIs(t, s.WaitIdle(t.Context()), scheduler.ErrClosed)
		time.Sleep(time.Minute)
		synctest.Wait()
		require.NoError(t, s.WaitIdle(t.Context()))
	})
}

// A call with OnEnd has no goroutine while it waits (C10).
func TestOnEndTakesNoGoroutine(t *testing.T) {
	var e ends
	bubble(t, scheduler.Config{Limit: oneEach, Level: empty}, func(t *testing.T, s *scheduler.Scheduler) {
		before := runtime.NumGoroutine()
		for range 1000 {
			submit(t, s, nothing, e.option())
		}
		synctest.Wait()
		require.Less(t, runtime.NumGoroutine()-before, 100, "other tests' goroutines may come and go")
		require.NoError(t, s.WaitIdle(t.Context()))
		require.EqualValues(t, 1000, e.count.Load())
	})
}

func TestHandleWait(t *testing.T) {
	bubble(t, scheduler.Config{Limit: oneEach, Level: empty}, func(t *testing.T, s *scheduler.Scheduler) {
		h := submit(t, s, failing(errBroken).run, scheduler.Cost(2))
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, errors.New("too slow"))
		defer cancel()
		err := h.Wait(ctx)
		require.ErrorIs(t, err, scheduler.ErrPending)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.EqualError(t, err, "scheduler: the call has not ended yet: context deadline exceeded: too slow")
		require.Equal(t, errBroken, h.Wait(t.Context()), "the call went on")
		for range 20 {
			require.Equal(t, errBroken, h.Wait(ctx), "the outcome goes before a context that is done")
		}
		var none context.Context
		require.ErrorContains(t, h.Wait(none), "nil context")
	})
}
