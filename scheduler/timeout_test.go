package scheduler_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/clock"
	"example.com/fairlead/clock/clocktest"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

// onBothClocks runs a test on the system clock and on a mock, each in a bubble. pass lets time go by.
func onBothClocks(t *testing.T, f func(t *testing.T, c clock.Clock, pass func(time.Duration))) {
	t.Run("system", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f(t, clock.System(), func(d time.Duration) { time.Sleep(d); synctest.Wait() })
		})
	})
	t.Run("mock", func(t *testing.T) {
		clocktest.Run(t, func(t *testing.T, mock *clocktest.Mock) { f(t, mock, mock.Add) })
	})
}

// Each attempt has its own time, and the waits before it don't count (C12, attempt timeout).
func TestAttemptTimeout(t *testing.T) {
	onBothClocks(t, func(t *testing.T, c clock.Clock, pass func(time.Duration)) {
		s := open(t, scheduler.Config{Clock: c, Limit: bucket.PerMinute(6).Burst(1), Level: empty, AttemptTimeout: 5 * time.Second,
			Retry: retry.Policy{MaxRetries: 2, Jitter: retry.None}})
		start, results := c.Now(), []error{context.DeadlineExceeded, errBroken, nil}
		var ended []time.Duration
		h := submit(t, s, func(ctx context.Context) error {
			child, cancel := context.WithCancel(ctx)
			defer cancel()
			<-child.Done()
			ended = append(ended, c.Now().Sub(start))
			for _, ctx := range []context.Context{ctx, child} {
				require.Equal(t, context.DeadlineExceeded, ctx.Err())
				var cause *scheduler.AttemptTimeoutError
				require.ErrorAs(t, context.Cause(ctx), &cause)
				require.Equal(t, &scheduler.AttemptTimeoutError{After: 5 * time.Second}, cause)
			}
			return results[len(ended)-1]
		})
		pass(time.Minute)
		require.NoError(t, h.Err(), "a success after the timeout is a success")
		require.Equal(t, []time.Duration{15 * time.Second, 25 * time.Second, 35 * time.Second}, ended, "a token comes every 10 s")
	})
}

// An error after the timeout is transient, unless it is permanent (C12, attempt timeout).
func TestAttemptTimeoutError(t *testing.T) {
	final := retry.Permanent(errBroken)
	for _, tt := range []struct {
		name     string
		returned func(context.Context) error
		attempts int
		text     string
		is       error
	}{
		{"error", func(context.Context) error { return errBusy }, 2, "scheduler: attempt timed out after 5s: server is busy", errBusy},
		{"canceled", func(context.Context) error { return context.Canceled }, 2, "scheduler: attempt timed out after 5s", context.Canceled},
		{"context's", context.Context.Err, 2, "scheduler: attempt timed out after 5s", context.DeadlineExceeded},
		{"cause", context.Cause, 2, "scheduler: attempt timed out after 5s", context.DeadlineExceeded},
		{"permanent", func(context.Context) error { return final }, 1, "scheduler: attempt timed out after 5s: request is malformed", final},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, scheduler.Config{Retry: retry.Policy{MaxRetries: 1}, AttemptTimeout: time.Hour}, func(t *testing.T, s *scheduler.Scheduler) {
				attempts := 0
				err := s.Do(t.Context(), func(ctx context.Context) error {
					attempts++
					<-ctx.Done()
					return tt.returned(ctx)
				}, scheduler.AttemptTimeout(5*time.Second))
				require.Equal(t, tt.attempts, attempts)
				var late *scheduler.AttemptTimeoutError
				require.ErrorAs(t, err, &late)
				require.EqualError(t, late, tt.text)
				require.True(t, late.Timeout())
				require.ErrorIs(t, err, context.DeadlineExceeded)
				require.ErrorIs(t, err, tt.is)
			})
		})
	}
}

// Errors before the timeout, the user's own deadline, Cancel and panics are what they are without a
// timeout (C12, attempt timeout).
func TestAttemptTimeoutLeavesTheRest(t *testing.T) {
	onBothClocks(t, func(t *testing.T, c clock.Clock, pass func(time.Duration)) {
		s := open(t, scheduler.Config{Clock: c, AttemptTimeout: time.Minute})
		require.Equal(t, errBroken, s.Do(t.Context(), func(context.Context) error { return errBroken }))
		require.PanicsWithValue(t, "boom", func() { _ = s.Do(t.Context(), func(context.Context) error { panic("boom") }) })
		require.ErrorAs(t, settled(submit(t, s, func(context.Context) error { panic("boom") })), new(*scheduler.PanicError))

		h := submit(t, s, untilDone)
		pass(0)
		h.Cancel()
		require.ErrorIs(t, settled(h), scheduler.ErrCanceled)
		require.Equal(t, 1, h.Attempts())

		ctx, cancel := context.WithCancelCause(t.Context())
		done := make(chan error)
		go func() { done <- s.Do(ctx, untilDone) }()
		pass(0)
		cancel(errBroken)
		require.Equal(t, errBroken, <-done)

		h = submit(t, s, func(ctx context.Context) error {
			<-ctx.Done()
			panic("boom")
		})
		pass(time.Minute)
		require.IsType(t, &scheduler.PanicError{}, settled(h), "after the timeout, too")
	})
}

// An option replaces the scheduler's timeout, also by none.
func TestAttemptTimeoutOption(t *testing.T) {
	bubble(t, scheduler.Config{AttemptTimeout: 10 * time.Second, Retry: retry.Policy{MaxRetries: retry.None}}, func(t *testing.T, s *scheduler.Scheduler) {
		for _, tt := range []struct {
			opts []scheduler.Option
			want time.Duration
		}{
			{nil, 10 * time.Second},
			{[]scheduler.Option{scheduler.Name("a")}, 10 * time.Second},
			{[]scheduler.Option{scheduler.AttemptTimeout(time.Second)}, time.Second},
			{[]scheduler.Option{scheduler.AttemptTimeout(time.Minute), scheduler.Cost(2)}, time.Minute},
			{[]scheduler.Option{scheduler.AttemptTimeout(0)}, time.Hour},
			{[]scheduler.Option{scheduler.AttemptTimeout(-time.Second)}, time.Hour},
		} {
			work := func(ctx context.Context) error {
				select {
				case <-ctx.Done():
					return ctx.Err()
				case <-time.After(time.Hour):
					return nil
				}
			}
			started := time.Now()
			err := s.Do(t.Context(), work, tt.opts...)
			require.Equal(t, tt.want, time.Since(started))
			require.Equal(t, tt.want < time.Hour, errors.Is(err, context.DeadlineExceeded))

			h := submit(t, s, work, tt.opts...)
			require.Equal(t, tt.want < time.Hour, errors.Is(settled(h), context.DeadlineExceeded))
			require.Equal(t, tt.want, h.Times().Run)
		}
		_, err := s.Reserve(t.Context(), scheduler.AttemptTimeout(time.Second))
		require.ErrorContains(t, err, "AttemptTimeout is not for reservations")
		_, err = s.Reserve(t.Context())
		require.NoError(t, err)
	})
	_, err := scheduler.New(scheduler.Config{AttemptTimeout: -1})
	require.EqualError(t, err, "scheduler: Config.AttemptTimeout is -1ns: it must be positive, or 0 for no timeout")
}

// A function that ignores its timeout is waited for, and keeps its slot (H04).
func TestH04_TimeoutIsIgnored(t *testing.T) {
	bubble(t, scheduler.Config{AttemptTimeout: time.Second, MaxInFlight: 1}, func(t *testing.T, s *scheduler.Scheduler) {
		running := 0
		work := func(context.Context) error {
			running++
			defer func() { running-- }()
			require.Equal(t, 1, running)
			time.Sleep(time.Minute)
			return nil
		}
		slow := submit(t, s, work)
		next := submit(t, s, work)
		require.NoError(t, settled(next))
		require.Equal(t, time.Minute, next.Times().Slot)
		require.NoError(t, slow.Err())
		require.Equal(t, 1, slow.Attempts())
	})
}

// Package net compares a context's deadline with the system clock, so that of a mock is not reported.
func TestAttemptTimeoutAndTheNetwork(t *testing.T) {
	srv := httptest.NewServer(http.NotFoundHandler())
	defer srv.Close()
	s := open(t, scheduler.Config{Clock: clocktest.NewMock(), AttemptTimeout: time.Hour})
	require.NoError(t, s.Do(t.Context(), func(ctx context.Context) error {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", srv.Listener.Addr().String())
		if err != nil {
			return err
		}
		return conn.Close()
	}))
}

// On a mock clock, too, contexts derived from an attempt's take no goroutine while they wait, and they end
// as it does. None is left after the attempt (C12).
func TestAttemptTimeoutTakesFewGoroutines(t *testing.T) {
	clocktest.Run(t, func(t *testing.T, mock *clocktest.Mock) {
		s := open(t, scheduler.Config{Clock: mock, AttemptTimeout: time.Minute, Retry: retry.Policy{MaxRetries: retry.None}})
		var before, during int
		var derived context.Context
		h := submit(t, s, func(ctx context.Context) error {
			before = runtime.NumGoroutine()
			for range 100 {
				var cancel context.CancelFunc
				derived, cancel = context.WithCancel(ctx)
				defer cancel()
			}
			during = runtime.NumGoroutine()
			<-derived.Done()
			return derived.Err()
		})
		mock.Add(time.Minute)
		require.ErrorIs(t, settled(h), context.DeadlineExceeded)
		require.Less(t, during, before+50)
		require.Equal(t, context.DeadlineExceeded, derived.Err())
		require.ErrorAs(t, context.Cause(derived), new(*scheduler.AttemptTimeoutError))
		synctest.Wait()
		functions, timers := s.Running()
		require.Zero(t, functions)
		require.Zero(t, timers)
	})
}

// The timer of an attempt is stopped when the attempt ends. Here it would keep a goroutine, and the bubble
// with it (C12).
func TestAttemptTimeoutStopsItsTimer(t *testing.T) {
	clocktest.Run(t, func(t *testing.T, mock *clocktest.Mock) {
		s := open(t, scheduler.Config{Clock: struct{ clock.Clock }{mock}, AttemptTimeout: time.Hour})
		require.NoError(t, s.Do(t.Context(), func(context.Context) error { return nil }))
	})
}

// The error after the timeout may be a nil pointer, whose methods panic (C12, H03).
func TestH03_ErrorAfterTheTimeoutPanics(t *testing.T) {
	bubble(t, scheduler.Config{AttemptTimeout: time.Second, Retry: retry.Policy{MaxRetries: retry.None}}, func(t *testing.T, s *scheduler.Scheduler) {
		h := submit(t, s, func(ctx context.Context) error {
			<-ctx.Done()
			return (*url.Error)(nil)
		})
		var late *scheduler.AttemptTimeoutError
		require.ErrorAs(t, settled(h), &late)
		require.Equal(t, (*url.Error)(nil), late.Err)
	})
}
