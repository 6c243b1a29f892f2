package scheduler_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

var (
	errBusy   = errors.New("server is busy")
	errBroken = errors.New("request is malformed")

	// exact is the default policy without jitter: 1 s, 2 s, 4 s, 8 s, 16 s.
	exact = retry.Policy{Jitter: retry.None}

	// oneEach is one token a second, ten at most.
	oneEach = bucket.PerSecond(1).Burst(10)

	// empty is the level of an empty budget.
	empty = &bucket.State{}
)

// bubble runs a test on a scheduler in a synctest bubble, where time passes only when every
// goroutine waits. In the end it closes the scheduler and audits it.
func bubble(t *testing.T, cfg scheduler.Config, f func(t *testing.T, s *scheduler.Scheduler)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(t, open(t, cfg)) })
}

func open(t testing.TB, cfg scheduler.Config) *scheduler.Scheduler {
	t.Helper()
	s, err := scheduler.New(cfg)
	require.NoError(t, err)
	t.Cleanup(func() {
		s.Close()
		audit(t, s.Snapshot())
	})
	return s
}

// audit checks B5, ledger, and C1, one end.
func audit(t testing.TB, snap scheduler.Snapshot) {
	t.Helper()
	l, n := snap.Ledger, snap.Totals
	require.Equal(t, l.Initial+l.Refilled+l.Refunded+l.Adjusted, l.Spent+snap.Available, "ledger: %+v", snap)
	pending := uint64(snap.Queued + snap.Running + snap.BackingOff + snap.Later)
	require.Equal(t, n.Accepted, n.Ended()+pending, "calls: %+v", snap)
}

// nothing is a function that succeeds at once.
func nothing(context.Context) error { return nil }

// untilDone waits until its context is done and returns the cause.
func untilDone(ctx context.Context) error {
	<-ctx.Done()
	return context.Cause(ctx)
}

// flaky is a function that fails a number of times before it succeeds.
type flaky struct {
	failures int64
	err      error // nil stands for a rate-limited errBusy
	made     atomic.Int64
}

func (f *flaky) run(context.Context) error {
	if f.made.Add(1) > f.failures {
		return nil
	}
	if f.err != nil {
		return f.err
	}
	return retry.RateLimited(errBusy)
}

func (f *flaky) attempts() int { return int(f.made.Load()) }

// failing returns a function that always fails.
func failing(err error) *flaky { return &flaky{failures: 1 << 60, err: err} }

// outcome is the result of a Do on another goroutine.
type outcome struct {
	err  error
	took time.Duration
}

// goDo starts a Do on another goroutine and waits until that is blocked.
func goDo(ctx context.Context, s *scheduler.Scheduler, fn func(context.Context) error, opts ...scheduler.Option) <-chan outcome {
	done := make(chan outcome, 1)
	started := time.Now()
	go func() {
		err := s.Do(ctx, fn, opts...)
		done <- outcome{err, time.Since(started)}
	}()
	synctest.Wait()
	return done
}

// submit calls Submit, which must not fail.
func submit(t testing.TB, s *scheduler.Scheduler, fn func(context.Context) error, opts ...scheduler.Option) *scheduler.Handle {
	t.Helper()
	h, err := s.Submit(context.Background(), fn, opts...)
	require.NoError(t, err)
	return h
}

// settled waits for a handle and returns its call's error.
func settled(h *scheduler.Handle) error {
	<-h.Done()
	return h.Err()
}

// inGoroutine runs f on another goroutine, since f may call runtime.Goexit. It reports whether f
// returned.
func inGoroutine(f func()) (returned bool) {
	over := make(chan struct{})
	go func() {
		defer close(over)
		f()
		returned = true
	}()
	<-over
	return returned
}
