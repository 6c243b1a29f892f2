package scheduler_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/clock"
	"example.com/fairlead/clock/clocktest"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

// evening is when the tests of quotas begin.
var evening = time.Date(2030, 3, 9, 20, 0, 0, 0, time.UTC)

// TestQuotaOfADay checks that calls wait for midnight in a time zone, also on a day of 23 hours, that
// estimates say so, and that a deadline before it ends a call at once (B15, resets).
func TestQuotaOfADay(t *testing.T) {
	clocktest.Run(t, func(t *testing.T, mock *clocktest.Mock) {
		la, err := time.LoadLocation("America/Los_Angeles")
		require.NoError(t, err)
		mock.Set(evening.In(la).Add(8 * time.Hour)) // 20:00 there
		s, err := scheduler.New(scheduler.Config{Clock: mock, Limit: bucket.Daily(10, "America/Los_Angeles")})
		require.NoError(t, err)
		defer s.Close()
		var ran [32]atomic.Int32
		var handles []*scheduler.Handle
		for range 25 {
			h, err := s.Submit(t.Context(), func(context.Context) error {
				ran[mock.Now().In(la).Day()].Add(1)
				return nil
			})
			require.NoError(t, err)
			handles = append(handles, h)
		}
		require.Equal(t, scheduler.Estimate{Position: 1, Wait: 4 * time.Hour, AtLeast: 4 * time.Hour, At: mock.Now().Add(4 * time.Hour)}, handles[10].Estimate())
		require.Equal(t, 27*time.Hour, handles[20].Estimate().Wait, "the clocks are put forward")
		soon, cancel := mock.WithTimeout(t.Context(), 27*time.Hour-1)
		defer cancel()
		var late *scheduler.DeadlineError
		require.ErrorAs(t, s.Do(soon, nothing, scheduler.Priority(-1)), &late)
		require.Equal(t, 27*time.Hour, late.Wait)
		mock.Add(4*time.Hour - 1)
		require.EqualValues(t, 10, ran[9].Load())
		mock.Add(1)
		require.EqualValues(t, 10, ran[10].Load())
		require.True(t, s.Snapshot().NextGrant.Equal(time.Date(2030, 3, 11, 0, 0, 0, 0, la)))
		mock.Add(23 * time.Hour)
		require.EqualValues(t, 5, ran[11].Load())
		require.EqualValues(t, 5, s.Snapshot().Available)
	})
}

// TestQuotaBesideAMinute checks that a wait for the minute's budget does not end the day, and that the
// minute's budget spreads the calls at midnight (B15, resets; B13, pause).
func TestQuotaBesideAMinute(t *testing.T) {
	clocktest.Run(t, func(t *testing.T, mock *clocktest.Mock) {
		mock.Set(evening)
		s, err := scheduler.New(scheduler.Config{
			Clock: mock, Retry: retry.Policy{Jitter: retry.None},
			Limits: bucket.Limits{"day": bucket.Daily(1000, ""), "minute": bucket.PerMinute(60).Burst(1)},
		})
		require.NoError(t, err)
		defer s.Close()
		var ran, refused atomic.Int32
		for range 1500 {
			_, err := s.Submit(t.Context(), func(context.Context) error {
				if refused.Add(1) == 1 {
					return retry.After(errors.New("429"), time.Minute)
				}
				ran.Add(1)
				return nil
			})
			require.NoError(t, err)
		}
		mock.Add(2 * time.Minute)
		require.Less(t, ran.Load(), int32(61))
		mock.Add(3 * time.Hour)
		require.EqualValues(t, 999, ran.Load(), "and one that was refused")
		require.Equal(t, evening.Add(4*time.Hour), s.Snapshot().NextGrant.UTC())
		require.NoError(t, s.PauseUntil(evening.Add(5*time.Hour)))
		mock.Add(118*time.Minute - 1)
		require.EqualValues(t, 999, ran.Load())
		mock.Add(10*time.Second + 1)
		require.EqualValues(t, 999+11, ran.Load(), "the day began in the pause, and no thundering herd follows")
		mock.Add(time.Hour)
		require.EqualValues(t, 1500, ran.Load())
	})
}

// TestFastPathKeepsDaysApart checks that what the fast path took before midnight is not taken from the
// day after (B15, resets).
func TestFastPathKeepsDaysApart(t *testing.T) {
	clocktest.Run(t, func(t *testing.T, mock *clocktest.Mock) {
		mock.Set(evening.Add(4*time.Hour - time.Minute))
		s, err := scheduler.New(scheduler.Config{Clock: mock, Limit: bucket.Daily(1000, "")})
		require.NoError(t, err)
		defer s.Close()
		for range 31 { // until midnight, and then too
			for range 20 {
				require.NoError(t, s.Do(t.Context(), nothing))
			}
			mock.Add(2 * time.Second)
		}
		require.EqualValues(t, 1000-20, s.Snapshot().Available)
		require.EqualValues(t, 31*20, s.Snapshot().Ledger.Spent)
	})
}

// sleeper is the clock of a machine that can sleep: its wall clock then goes on, and its timers and its
// monotonic clock don't.
type sleeper struct {
	*clocktest.Mock
	slept atomic.Int64
}

// monotonic has a monotonic reading, which times in a bubble don't have.
var monotonic = clock.System().Now()

func (c *sleeper) elapsed() time.Duration { return c.Mock.Now().Sub(evening) }

func (c *sleeper) Now() time.Time {
	return monotonic.Add(evening.Sub(monotonic)).Add(c.elapsed() + time.Duration(c.slept.Load()))
}

// Since is for the time at which the scheduler was made.
func (c *sleeper) Since(time.Time) time.Duration { return c.elapsed() }

func (c *sleeper) sleep(d time.Duration) { c.slept.Add(int64(d)) }

func newSleeper(mock *clocktest.Mock) *sleeper {
	mock.Set(evening)
	return &sleeper{Mock: mock}
}

// TestH90_MachineSleepsOverMidnight checks that calls that wait for a reset start within a minute after
// the machine has slept over it. If the clock is then set back, the reset does not come twice.
func TestH90_MachineSleepsOverMidnight(t *testing.T) {
	clocktest.Run(t, func(t *testing.T, mock *clocktest.Mock) {
		machine := newSleeper(mock)
		s, err := scheduler.New(scheduler.Config{Clock: machine, Limit: bucket.Daily(10, "")})
		require.NoError(t, err)
		defer s.Close()
		var ran atomic.Int32
		for range 35 {
			_, err := s.Submit(t.Context(), func(context.Context) error { ran.Add(1); return nil })
			require.NoError(t, err)
		}
		mock.Add(time.Hour)
		machine.sleep(8 * time.Hour) // at 21:00
		require.EqualValues(t, 10, ran.Load())
		mock.Add(time.Minute)
		require.EqualValues(t, 20, ran.Load(), "05:01")
		require.Equal(t, evening.Add(9*time.Hour+time.Minute), s.Snapshot().Level.At)
		machine.sleep(-8 * time.Hour) // the clock is set back, to 21:01
		mock.Add(23*time.Hour + 58*time.Minute)
		require.EqualValues(t, 20, ran.Load(), "20:59, and midnight was shown twice")
		mock.Add(3*time.Hour + time.Minute)
		require.EqualValues(t, 30, ran.Load(), "the next midnight, a day later")
	})
}

// TestFastPathAfterSleep checks that calls of the fast path after the machine has slept over midnight pay
// on the new day, and those of the evening on the old one (B15, resets).
func TestFastPathAfterSleep(t *testing.T) {
	clocktest.Run(t, func(t *testing.T, mock *clocktest.Mock) {
		machine := newSleeper(mock)
		s, err := scheduler.New(scheduler.Config{Clock: machine, Limit: bucket.Daily(1000, "")})
		require.NoError(t, err)
		defer s.Close()
		for range 300 {
			require.NoError(t, s.Do(t.Context(), nothing))
		}
		mock.Add(time.Minute) // the owner looks
		machine.sleep(12 * time.Hour)
		for range 200 {
			require.NoError(t, s.Do(t.Context(), nothing))
		}
		require.EqualValues(t, 800, s.Snapshot().Available)
	})
}

// TestSetLimitToAQuota checks that a quota that is set after the machine has slept is not filled by a
// midnight that was before, but by the next one (B14, new limit; B15, resets).
func TestSetLimitToAQuota(t *testing.T) {
	clocktest.Run(t, func(t *testing.T, mock *clocktest.Mock) {
		machine := newSleeper(mock)
		s, err := scheduler.New(scheduler.Config{Clock: machine, Limit: bucket.PerMinute(1).Burst(10), Adaptive: true})
		require.NoError(t, err)
		defer s.Close()
		require.NoError(t, s.Do(t.Context(), nothing, scheduler.Cost(10)))
		machine.sleep(8 * time.Hour)
		require.NoError(t, s.SetLimit(bucket.Daily(20, "")))
		require.Zero(t, s.Snapshot().Available)
		require.Equal(t, bucket.Daily(20, ""), s.Snapshot().Limit)
		est, err := s.Estimate(scheduler.Cost(20))
		require.NoError(t, err)
		require.Equal(t, 20*time.Hour, est.Wait)
		machine.sleep(20 * time.Hour)
		require.EqualValues(t, 20, s.Snapshot().Available)
		require.NoError(t, s.Learn("", bucket.Every(30, time.Hour), 7))
		require.EqualValues(t, 7, s.Snapshot().Available)
		require.NoError(t, s.SetLimit(bucket.PerMinute(60)))
		mock.Add(time.Second)
		require.EqualValues(t, 8, s.Snapshot().Available)
	})
}

// TestQuotaFaults checks that a Reset that can't be kept is an error at once, which says what to do.
func TestQuotaFaults(t *testing.T) {
	const zone = `limit's Reset has Zone "Europe/Atlantis"`
	lost := bucket.Daily(10, "Europe/Atlantis")
	for _, err := range []error{scheduler.Config{Limit: lost}.Validate(), scheduler.Config{Limits: bucket.Limits{"day": lost}}.Validate()} {
		require.ErrorContains(t, err, zone)
		require.ErrorContains(t, err, "time/tzdata")
	}
	s, err := scheduler.New(scheduler.Config{Limit: bucket.Daily(10, "")})
	require.NoError(t, err)
	defer s.Close()
	require.ErrorContains(t, s.SetLimit(lost), zone)
	require.ErrorContains(t, s.Learn("", lost, 5), zone)
	var cost *bucket.CostError
	require.ErrorAs(t, s.Do(t.Context(), nothing, scheduler.Cost(11)), &cost)
	require.Equal(t, bucket.Daily(10, ""), s.Snapshot().Limit)
}
