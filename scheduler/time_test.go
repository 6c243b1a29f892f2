package scheduler_test

import (
	"context"
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

// H42, B6: a clock that is set back brings no tokens, takes none and holds nobody up for
// longer than it takes to catch up.
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

// H43: what a server's wait has held up is not let go at once when the wait is over, though
// the budget was full before it and could have been full again.
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

// shifted is a clock that is far ahead of another.
type shifted struct {
	clock.Clock
	from, to time.Time
}

func (c shifted) Now() time.Time { return c.to.Add(c.Clock.Now().Sub(c.from)) }

// H44: years that nanoseconds since 1970 don't reach, as the time of day or for a deadline.
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
			require.NoError(t, s.HoldUntil(snap.At.Add(time.Minute)))
			require.NoError(t, s.Do(t.Context(), nothing))
			require.Equal(t, now.Add(time.Minute+4*time.Second), s.Snapshot().At, "the token that it needs has been there")
		}

		s := open(t, scheduler.Config{Limit: oneEach, Level: empty})
		ctx, cancel := context.WithDeadline(t.Context(), lastYear)
		defer cancel()
		started := time.Now()
		require.NoError(t, s.Do(ctx, nothing, scheduler.Cost(10)), "there is time enough")
		require.Equal(t, 10*time.Second, time.Since(started))
		require.NoError(t, s.HoldUntil(lastYear))
		require.True(t, s.Snapshot().Paused)
		require.NoError(t, s.HoldUntil(time.Time{}), "an instant that has long passed")
		require.False(t, s.Snapshot().Paused)
	})
}
