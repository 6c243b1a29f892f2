package scheduler_test

import (
	"context"
	"sync/atomic"
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

// A clock that is set back adds no tokens and takes none. Calls wait until it has caught up (B6,
// clock jumps; H42).
func TestH42_ClockSetBackUnderWaiting(t *testing.T) {
	clocktest.Run(t, func(t *testing.T, mock *clocktest.Mock) {
		s := open(t, scheduler.Config{Clock: mock, Limit: oneEach, Level: empty})
		waits := submit(t, s, nothing, scheduler.Cost(2))
		mock.Add(1500 * time.Millisecond)
		before := s.Snapshot()
		mock.Rewind(time.Hour)
		require.Equal(t, before, s.Snapshot(), "for the scheduler no time has passed")
		behind := submit(t, s, nothing)
		mock.Add(time.Hour + 500*time.Millisecond - 1)
		require.ErrorIs(t, waits.Err(), scheduler.ErrPending)
		mock.Add(1)
		require.NoError(t, settled(waits))
		mock.Add(time.Second)
		require.NoError(t, settled(behind))
		require.Equal(t, bucket.Ledger{Refilled: 3, Spent: 3}, s.Snapshot().Ledger)
	})
}

func TestNow(t *testing.T) {
	clocktest.Run(t, func(t *testing.T, mock *clocktest.Mock) {
		s := open(t, scheduler.Config{Clock: mock})
		mock.Add(time.Hour)
		require.Equal(t, mock.Now(), s.Now())
	})
}

// Calls that waited for a server's wait do not all start at its end, though the budget was full
// before (B13, pause; H43).
func TestH43_HeldCallsComeBackSpread(t *testing.T) {
	bubble(t, scheduler.Config{Limit: bucket.PerSecond(10), Retry: exact}, func(t *testing.T, s *scheduler.Scheduler) {
		require.Error(t, s.Do(t.Context(), failing(retry.After(errBusy, time.Minute)).run, scheduler.Retry(retry.Policy{MaxRetries: retry.None})))
		free := s.Snapshot().HeldUntil
		started := make(chan time.Duration, 20)
		for range cap(started) {
			submit(t, s, func(context.Context) error {
				started <- time.Since(free)
				return nil
			})
		}
		for i := range cap(started) {
			require.Equal(t, time.Duration(i+1)*100*time.Millisecond, <-started)
		}
	})
}

// jumpy is a clock that can jump, like that of a suspended machine.
type jumpy struct {
	clock.Clock
	ahead atomic.Int64
}

func (c *jumpy) Now() time.Time { return c.Clock.Now().Add(time.Duration(c.ahead.Load())) }

// After a stall, queued calls come at the rate of the refill. At once come at most a full budget
// and the refill of maxLate, with a strict limit only a full budget (B6; B7, late owner; H43).
func TestH43_ClockJumpsOverWaiting(t *testing.T) {
	for _, c := range []struct {
		limit  bucket.Limit
		jump   time.Duration
		atOnce int64
	}{
		{bucket.PerSecond(1).Burst(10), time.Hour, 10},
		{bucket.PerSecond(1).Burst(10), 5 * time.Second, 5},
		{bucket.PerSecond(100).Burst(1), time.Hour, 3},
		{bucket.PerSecond(100).Burst(1), 900 * time.Millisecond, 3},
		{bucket.Window(100, time.Second, 1), 900 * time.Millisecond, 1},
		{bucket.PerMinute(60).Burst(1000), time.Hour, 1000},
	} {
		synctest.Test(t, func(t *testing.T) {
			jumps := &jumpy{Clock: clock.System()}
			s := open(t, scheduler.Config{Clock: jumps, Limit: c.limit, Level: empty})
			var started atomic.Int64
			for range 2000 {
				submit(t, s, func(context.Context) error { started.Add(1); return nil })
			}
			each := c.limit.Per / time.Duration(c.limit.Refill)
			time.Sleep(each/2 + 1)
			jumps.ahead.Store(int64(c.jump))
			synctest.Wait()
			time.Sleep(each / 2)
			synctest.Wait()
			require.InDelta(t, c.atOnce, started.Load(), 2)
			before := started.Load()
			time.Sleep(20 * each)
			synctest.Wait()
			require.Equal(t, before+20, started.Load(), "from then on at the rate of the refill")
		})
	}
}

// shifted is a clock that is far ahead of another one.
type shifted struct {
	clock.Clock
	from, to time.Time
}

func (c shifted) Now() time.Time { return c.to.Add(c.Clock.Now().Sub(c.from)) }

// Years that nanoseconds since 1970 can't express work, as the time of day and as a deadline (H44).
func TestH44_YearsBeyondNanoseconds(t *testing.T) {
	lastYear := time.Date(9999, time.January, 1, 0, 0, 0, 0, time.UTC)
	synctest.Test(t, func(t *testing.T) {
		for _, now := range []time.Time{time.Now(), lastYear, time.Date(1, time.January, 1, 0, 0, 0, 0, time.UTC)} {
			s := open(t, scheduler.Config{Clock: shifted{clock.System(), time.Now(), now}, Limit: oneEach, Level: empty, Retry: exact})
			started := time.Now()
			f := &flaky{failures: 2}
			require.NoError(t, s.Do(t.Context(), f.run))
			require.Equal(t, 4*time.Second, time.Since(started), "at 1 s, 2 s and 4 s")
			snap := s.Snapshot()
			require.Equal(t, now.Add(4*time.Second), snap.At)
			require.NoError(t, s.PauseUntil(snap.At.Add(time.Minute)))
			require.NoError(t, s.Do(t.Context(), nothing))
			require.Equal(t, now.Add(time.Minute+4*time.Second), s.Snapshot().At, "its token was there before the pause")
		}

		s := open(t, scheduler.Config{Limit: oneEach, Level: empty})
		ctx, cancel := context.WithDeadline(t.Context(), lastYear)
		defer cancel()
		started := time.Now()
		require.NoError(t, s.Do(ctx, nothing, scheduler.Cost(10)), "the deadline is late enough")
		require.Equal(t, 10*time.Second, time.Since(started))
		require.NoError(t, s.PauseUntil(lastYear))
		require.True(t, s.Snapshot().Paused)
		require.NoError(t, s.PauseUntil(time.Time{}), "an instant in the past")
		require.False(t, s.Snapshot().Paused)
	})
}
