package scheduler_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/scheduler"
)

// bounded returns the configuration of an empty scheduler in which two calls may wait.
func bounded(o scheduler.Overflow) scheduler.Config {
	return scheduler.Config{Limit: oneEach, Level: empty, MaxQueued: 2, Overflow: o}
}

// With WaitForRoom, Submit returns when its call has room in the queue (O6, MaxQueued). The order
// is that of arrival, and Do waits no longer for it.
func TestWaitForRoom(t *testing.T) {
	bubble(t, bounded(scheduler.WaitForRoom), func(t *testing.T, s *scheduler.Scheduler) {
		started := time.Now()
		var in, done []time.Duration
		for range 5 {
			h := submit(t, s, func(context.Context) error {
				done = append(done, time.Since(started))
				return nil
			})
			in = append(in, time.Since(started))
			require.LessOrEqual(t, h.Estimate().Position, 2)
		}
		last := <-goDo(t.Context(), s, nothing)
		require.NoError(t, last.err)
		require.Equal(t, 3*time.Second, last.took)
		require.Equal(t, seconds(0, 0, 1, 2, 3), in)
		require.Equal(t, seconds(1, 2, 3, 4, 5), done)
	})
}

func seconds(list ...int) (all []time.Duration) {
	for _, n := range list {
		all = append(all, time.Duration(n)*time.Second)
	}
	return all
}

// A call that waits for room ends with its context or the scheduler. It gets room when the bound is
// raised.
func TestWaitForRoomEnds(t *testing.T) {
	bubble(t, bounded(scheduler.WaitForRoom), func(t *testing.T, s *scheduler.Scheduler) {
		in := []*scheduler.Handle{submit(t, s, nothing, scheduler.Cost(10)), submit(t, s, nothing)}
		waitForRoom := func(ctx context.Context, opts ...scheduler.Option) <-chan error {
			result := make(chan error, 1)
			go func() {
				h, err := s.Submit(ctx, nothing, opts...)
				require.Equal(t, err == nil, h != nil)
				result <- err
			}()
			synctest.Wait()
			return result
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		gone := waitForRoom(ctx)
		watched := waitForRoom(ctx, scheduler.OnProgress(func(scheduler.Progress) {}))
		stays, closed := waitForRoom(t.Context()), waitForRoom(t.Context())
		require.Equal(t, 4, s.Snapshot().WaitingForRoom)
		require.Equal(t, 6, s.Snapshot().Queued)

		why := errors.New("no longer needed")
		cancel(why)
		for _, result := range []<-chan error{gone, watched} {
			err := <-result
			require.ErrorIs(t, err, context.Canceled)
			require.ErrorIs(t, err, why)
		}
		require.NoError(t, s.SetMaxQueued(3))
		require.NoError(t, <-stays)
		require.Equal(t, 1, s.Snapshot().WaitingForRoom)
		s.Close()
		require.ErrorIs(t, <-closed, scheduler.ErrClosed)
		for _, h := range in {
			require.ErrorIs(t, settled(h), scheduler.ErrClosed)
		}
	})
}

// A Stream reads no faster than there is room, and the loop can be left while it waits for room.
func TestStreamWaitsForRoom(t *testing.T) {
	bubble(t, bounded(scheduler.WaitForRoom), func(t *testing.T, s *scheduler.Scheduler) {
		var read atomic.Int64
		inputs := func(yield func(int) bool) {
			for yield(int(read.Load())) {
				read.Add(1)
			}
		}
		for r := range scheduler.Stream(t.Context(), s, inputs, double) {
			synctest.Wait()
			require.EqualValues(t, r.Input+3, read.Load(), "two have room, and one waits for it")
			if r.Input == 10 {
				break
			}
		}
		require.Equal(t, uint64(11), s.Snapshot().Totals.Succeeded)
	})
}

// With RefuseNew, the error has the length of the queue and the wait.
func TestRefuseNew(t *testing.T) {
	bubble(t, bounded(scheduler.RefuseNew), func(t *testing.T, s *scheduler.Scheduler) {
		submit(t, s, nothing, scheduler.Cost(5))
		waits := submit(t, s, nothing)
		h, err := s.Submit(t.Context(), nothing)
		require.Nil(t, h)
		for _, err := range []error{err, s.Do(t.Context(), nothing)} {
			var full *scheduler.QueueFullError
			require.ErrorAs(t, err, &full)
			require.ErrorIs(t, err, scheduler.ErrQueueFull)
			require.Equal(t, scheduler.QueueFullError{Queued: 2, Max: 2, Wait: 7 * time.Second, RetryAt: s.Now().Add(7 * time.Second)}, *full)
			require.EqualError(t, err, "scheduler: queue is full: 2 calls wait, MaxQueued is 2, and this one would have had to wait about 7s: call later or give it a higher priority")
		}
		require.EqualValues(t, 2, s.Snapshot().Totals.Refused)
		require.NoError(t, s.Do(t.Context(), nothing, scheduler.Cost(0), scheduler.Priority(1)), "a call that starts at once is not refused")
		require.NoError(t, settled(waits))
	})
}

// In a Stream, a refusal is the result of its input.
func TestStreamWithRefusals(t *testing.T) {
	bubble(t, bounded(scheduler.RefuseNew), func(t *testing.T, s *scheduler.Scheduler) {
		refused := 0
		for r := range scheduler.Stream(t.Context(), s, upTo(10), double) {
			if r.Err != nil {
				require.ErrorIs(t, r.Err, scheduler.ErrQueueFull)
				require.Zero(t, r.Call)
				refused++
			}
		}
		require.Equal(t, 8, refused)
	})
}

// With DropLowest, the call that ranks last is dropped with the same error, and counted.
func TestDropLowest(t *testing.T) {
	bubble(t, bounded(scheduler.DropLowest), func(t *testing.T, s *scheduler.Scheduler) {
		first := submit(t, s, nothing)
		dropped := goDo(t.Context(), s, nothing, scheduler.Priority(-1))
		second := submit(t, s, nothing)
		got := <-dropped
		require.ErrorIs(t, got.err, scheduler.ErrQueueFull)
		require.Zero(t, got.took)
		require.ErrorIs(t, s.Do(t.Context(), nothing), scheduler.ErrQueueFull, "the new call ranks last itself")
		totals := s.Snapshot().Totals
		require.EqualValues(t, 1, totals.Dropped)
		require.EqualValues(t, 1, totals.Refused)
		require.NoError(t, settled(first))
		require.NoError(t, settled(second))
	})
}

func TestSetMaxQueued(t *testing.T) {
	bubble(t, scheduler.Config{Limit: oneEach, Level: empty, Overflow: scheduler.RefuseNew}, func(t *testing.T, s *scheduler.Scheduler) {
		for range 5 {
			submit(t, s, nothing)
		}
		require.NoError(t, s.SetMaxQueued(3))
		require.Equal(t, 3, s.Snapshot().MaxQueued)
		require.Equal(t, 5, s.Snapshot().Queued, "queued calls stay")
		_, err := s.Submit(t.Context(), nothing)
		require.ErrorIs(t, err, scheduler.ErrQueueFull)
		time.Sleep(3 * time.Second)
		submit(t, s, nothing)
		require.ErrorContains(t, s.SetMaxQueued(-1), "SetMaxQueued(-1)")
		require.NoError(t, s.SetMaxQueued(0))
		for range 5 {
			submit(t, s, nothing)
		}
	})
}

// A call with NoWait starts at once or is refused.
func TestNoWait(t *testing.T) {
	cfg := scheduler.Config{Limit: oneEach, MaxInFlight: 1, Retry: exact}
	bubble(t, cfg, func(t *testing.T, s *scheduler.Scheduler) {
		refused := func(what string, wait time.Duration, err error) {
			t.Helper()
			var would *scheduler.WouldWaitError
			require.ErrorAs(t, err, &would)
			require.ErrorIs(t, err, scheduler.ErrWouldWait)
			would.RetryAt = time.Time{}
			require.Equal(t, scheduler.WouldWaitError{For: what, Wait: wait}, *would)
		}
		require.NoError(t, s.Do(t.Context(), nothing, scheduler.Cost(9), scheduler.NoWait()))
		refused("tokens", time.Second, s.Do(t.Context(), nothing, scheduler.Cost(2), scheduler.NoWait()))

		retried := goDo(t.Context(), s, (&flaky{failures: 1}).run, scheduler.NoWait())
		require.NoError(t, (<-retried).err, "a retry waits like any other")

		ctx, cancel := context.WithCancel(t.Context())
		time.Sleep(2 * time.Second)
		runs := goDo(ctx, s, untilDone)
		h, err := s.Submit(t.Context(), nothing, scheduler.NoWait())
		require.Nil(t, h, "Submit returns the error")
		refused("slot", 0, err)
		waits := goDo(t.Context(), s, nothing, scheduler.Cost(3))
		refused("queue", 3*time.Second, s.Do(t.Context(), nothing, scheduler.NoWait()))
		require.NoError(t, s.Pause())
		refused("hold", 3*time.Second, s.Do(t.Context(), nothing, scheduler.NoWait()))
		require.NoError(t, s.Resume())
		cancel()
		<-runs
		require.NoError(t, (<-waits).err)
		require.EqualValues(t, 4, s.Snapshot().Totals.Refused)
	})
}
