package scheduler_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

// When the head of the queue is canceled, the calls behind it are granted as though it had never
// been there (O4, leaving; H07).
func TestH07_NextIsGrantedAtItsOwnTime(t *testing.T) {
	for name, wait := range map[string]time.Duration{"before its tokens are there": time.Second, "when they are there already": 5 * time.Second} {
		t.Run(name, func(t *testing.T) {
			bubble(t, scheduler.Config{Limit: oneEach, Level: empty}, func(t *testing.T, s *scheduler.Scheduler) {
				ctx, cancel := context.WithCancel(t.Context())
				head := goDo(ctx, s, nothing, scheduler.Cost(10))
				next := goDo(t.Context(), s, nothing, scheduler.Cost(2))
				third := goDo(t.Context(), s, nothing)
				time.Sleep(wait)
				cancel()
				got := <-head
				require.ErrorIs(t, got.err, context.Canceled)
				require.Equal(t, wait, got.took)
				require.Equal(t, max(wait, 2*time.Second), (<-next).took)
				require.Equal(t, max(wait, 3*time.Second), (<-third).took)
			})
		})
	}
}

// When a call in the middle is canceled, those behind it are granted sooner (H07).
func TestH07_CancelInTheMiddle(t *testing.T) {
	bubble(t, scheduler.Config{Limit: oneEach, Level: empty}, func(t *testing.T, s *scheduler.Scheduler) {
		first := goDo(t.Context(), s, nothing, scheduler.Cost(3))
		middle, err := s.Submit(t.Context(), nothing, scheduler.Cost(10))
		require.NoError(t, err)
		last := goDo(t.Context(), s, nothing)
		middle.Cancel()
		require.ErrorIs(t, settled(middle), scheduler.ErrCanceled)
		require.Equal(t, 2, s.Snapshot().Queued)
		require.Equal(t, 3*time.Second, (<-first).took)
		require.Equal(t, 4*time.Second, (<-last).took)
	})
}

// A call that backs off ends at once, without another attempt (H08).
func TestH08_CancelInBackoff(t *testing.T) {
	bubble(t, scheduler.Config{Retry: exact}, func(t *testing.T, s *scheduler.Scheduler) {
		ctx, cancel := context.WithCancel(t.Context())
		f := failing(nil) // at 0, 1, 3 and then 7 s
		done := goDo(ctx, s, f.run)
		time.Sleep(5 * time.Second)
		require.Equal(t, 1, s.Snapshot().BackingOff)
		cancel()
		got := <-done
		require.Equal(t, 5*time.Second, got.took)
		require.ErrorIs(t, got.err, context.Canceled)
		require.Equal(t, 3, f.attempts())
		require.Zero(t, s.Snapshot().BackingOff)
		time.Sleep(time.Hour)
		require.Equal(t, 3, f.attempts())
	})
}

// A canceled function that runs is waited for, and its success counts (H09).
func TestH09_CancelWhileRunning(t *testing.T) {
	ends := func(err error) func(context.Context) error {
		return func(context.Context) error { time.Sleep(time.Minute); return err }
	}
	bubble(t, scheduler.Config{}, func(t *testing.T, s *scheduler.Scheduler) {
		do := func(fn func(context.Context) error) error {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Second, cancel)
			started := time.Now()
			err := s.Do(ctx, fn)
			require.Equal(t, time.Minute, time.Since(started))
			return err
		}
		submitted := func(fn func(context.Context) error) error {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Second, cancel)
			h, err := s.Submit(ctx, fn)
			require.NoError(t, err)
			return settled(h)
		}
		for _, call := range []func(func(context.Context) error) error{do, submitted} {
			require.NoError(t, call(ends(nil)))
			require.Same(t, errBroken, call(ends(errBroken)))
			err := call(ends(retry.RateLimited(errBusy)))
			require.ErrorIs(t, err, context.Canceled, "a canceled call is not retried")
			require.ErrorIs(t, err, errBusy)
		}
		synctest.Wait()
		snap := s.Snapshot()
		require.Zero(t, snap.Ledger.Refunded, "a started attempt is paid for")
		require.EqualValues(t, 6, snap.Totals.Attempts)
	})
}

// A call whose context is done takes no token and no place in the queue (C4, deadlines; H11).
func TestH11_DoneContextTakesNoToken(t *testing.T) {
	bubble(t, scheduler.Config{}, func(t *testing.T, s *scheduler.Scheduler) {
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(errBroken)
		f := &flaky{}
		err := s.Do(ctx, f.run)
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorIs(t, err, errBroken)
		_, err = s.Submit(ctx, f.run)
		require.ErrorIs(t, err, errBroken)
		require.Zero(t, f.attempts())
		require.Zero(t, s.Snapshot().Totals.Accepted)
		require.Zero(t, s.Snapshot().Ledger.Spent)
	})
}

// Canceled waits leave no trace in the budget (H12).
func TestH12_CanceledWaitsCostNothing(t *testing.T) {
	bubble(t, scheduler.Config{Limit: oneEach, Level: empty}, func(t *testing.T, s *scheduler.Scheduler) {
		started := time.Now()
		for range 5 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			waits := goDo(ctx, s, nothing, scheduler.Cost(10))
			cancel()
			require.ErrorIs(t, (<-waits).err, context.Canceled)
		}
		require.NoError(t, s.Do(t.Context(), nothing, scheduler.Cost(10)))
		require.Equal(t, 10*time.Second, time.Since(started))
		require.Equal(t, bucket.Ledger{Refilled: 10, Spent: 10}, s.Snapshot().Ledger)
	})
}

// The context's cause is returned beside its error, wherever the call was.
func TestCauseIsKept(t *testing.T) {
	errStop := errors.New("operator said stop")
	bubble(t, scheduler.Config{Limit: bucket.Per(1, time.Hour), Level: empty}, func(t *testing.T, s *scheduler.Scheduler) {
		ctx, cancel := context.WithCancelCause(t.Context())
		waits := goDo(ctx, s, nothing)
		h, err := s.Submit(ctx, nothing)
		require.NoError(t, err)
		cancel(errStop)
		for _, err := range []error{(<-waits).err, settled(h)} {
			require.ErrorIs(t, err, context.Canceled)
			require.ErrorIs(t, err, errStop)
			require.EqualError(t, err, "context canceled: operator said stop")
		}
	})
}
