package clocktest_test

import (
	"context"
	"errors"
	"fmt"
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

func newScheduler(t *testing.T, mock *clocktest.Mock, cfg scheduler.Config) *scheduler.Scheduler {
	cfg.Clock = mock
	cfg.Retry.Jitter = retry.None
	s, err := scheduler.New(cfg)
	require.NoError(t, err)
	t.Cleanup(s.Close)
	return s
}

func submit(t *testing.T, s *scheduler.Scheduler, fn func(context.Context) error) *scheduler.Handle {
	h, err := s.Submit(t.Context(), fn)
	require.NoError(t, err)
	return h
}

// work takes real time, which the mock does not see. In a bubble it takes none.
func work() { time.Sleep(5 * time.Second) }

// TestH84_TheObviousTest checks that time does not move before a running function has returned.
func TestH84_TheObviousTest(t *testing.T) {
	for range 200 {
		mock := clocktest.NewMock()
		s := newScheduler(t, mock, scheduler.Config{})
		attempts := 0
		h := submit(t, s, func(context.Context) error {
			if attempts++; attempts <= 2 {
				return retry.Transient(errors.New("flaky"))
			}
			return nil
		})
		clocktest.Advance(s, mock, 4*time.Second)
		require.NoError(t, h.Err())
		require.Equal(t, 3*time.Second, h.Times().Total())
		s.Close()
	}
}

// TestAdvanceMeetsEachInstantOfASleepingFunction checks that Advance does not wait for a function
// while it sleeps on the mock, and waits for it again after that.
func TestAdvanceMeetsEachInstantOfASleepingFunction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mock := clocktest.NewMock()
		s := newScheduler(t, mock, scheduler.Config{Limit: bucket.PerMinute(1).Burst(2)})
		var woken []time.Duration
		sleepy := submit(t, s, func(context.Context) error {
			for range 3 {
				mock.Sleep(7 * time.Second)
				work()
				woken = append(woken, mock.Now().Sub(epoch))
			}
			return nil
		})
		failed := 0
		flaky := submit(t, s, func(context.Context) error {
			work()
			if failed++; failed < 3 { // while the other function sleeps
				return retry.Transient(errors.New("flaky"))
			}
			return nil
		})
		clocktest.Advance(s, mock, 2*time.Minute)
		require.Equal(t, []time.Duration{7 * time.Second, 14 * time.Second, 21 * time.Second}, woken)
		require.NoError(t, sleepy.Err())
		require.NoError(t, flaky.Err())
		require.Equal(t, 2*time.Minute, flaky.Times().Total(), "two more attempts, at a token a minute")
		require.Equal(t, epoch.Add(2*time.Minute), mock.Now())
	})
}

// TestAdvanceWaitsForPlainCalls checks that Advance waits for calls that the scheduler's owner does
// not know of.
func TestAdvanceWaitsForPlainCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mock := clocktest.NewMock()
		s := newScheduler(t, mock, scheduler.Config{})
		for range 20 {
			require.NoError(t, s.Do(t.Context(), func(context.Context) error { return nil }))
		}
		runs, over := make(chan struct{}), make(chan error, 1)
		var returned atomic.Bool
		go func() {
			over <- s.Do(t.Context(), func(context.Context) error {
				close(runs)
				work()
				returned.Store(true)
				return nil
			})
		}()
		<-runs
		clocktest.Advance(s, mock, time.Second)
		require.True(t, returned.Load())
		require.NoError(t, <-over)
	})
}

func TestAdvanceSaysWhatToDoAboutAFunctionThatRunsOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // the ten seconds take no real time
		mock := clocktest.NewMock()
		s := newScheduler(t, mock, scheduler.Config{})
		hold := make(chan struct{})
		for range 2 {
			submit(t, s, func(context.Context) error { <-hold; return nil })
		}
		submit(t, s, func(context.Context) error { mock.Sleep(time.Hour); return nil })
		began := time.Now()
		text := func(functions string) string {
			return fmt.Sprintf("clocktest: %s not returned for 10s of real time (mock clock at 2000-01-01T00:00:00Z): release a function that waits for the test "+
				"before Advance; in one that waits for time, use Mock.Sleep or Mock.NewTimer, not a context of the mock; "+
				"while one has to keep running, move the mock by Mock.Add", functions)
		}
		require.PanicsWithValue(t, text("2 functions have"), func() { clocktest.Advance(s, mock, time.Second) })
		require.Less(t, time.Since(began), 11*time.Second)
		hold <- struct{}{}
		require.PanicsWithValue(t, text("1 function has"), func() {
			clocktest.AdvanceUntil(s, mock, func() bool { return false })
		})
		require.Equal(t, epoch, mock.Now())
		close(hold)
		clocktest.Advance(s, mock, time.Hour)
		require.EqualValues(t, 3, s.Snapshot().Totals.Succeeded)
	})
}

// TestAdvanceDoesNotTakeAContextForATimer checks that Advance panics if a function waits for a
// context of the mock.
func TestAdvanceDoesNotTakeAContextForATimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mock := clocktest.NewMock()
		s := newScheduler(t, mock, scheduler.Config{})
		h := submit(t, s, func(ctx context.Context) error {
			ctx, cancel := mock.WithTimeout(ctx, time.Second)
			defer cancel()
			<-ctx.Done()
			return nil
		})
		require.Panics(t, func() { clocktest.Advance(s, mock, time.Minute) })
		mock.Add(time.Second)
		<-h.Done()
	})
}

// TestAdvanceDoesNotWaitForReservations checks that the test itself may hold a reservation.
func TestAdvanceDoesNotWaitForReservations(t *testing.T) {
	mock := clocktest.NewMock()
	s := newScheduler(t, mock, scheduler.Config{})
	r, err := s.Reserve(t.Context())
	require.NoError(t, err)
	<-r.Ready()
	clocktest.Advance(s, mock, time.Hour)
	r.Done(nil)
	require.EqualValues(t, 1, s.Snapshot().Totals.Succeeded)
}

// TestAdvanceNoticesAnotherClock checks that Advance panics if the test forgot Config.Clock.
func TestAdvanceNoticesAnotherClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mock := clocktest.NewMock()
		for _, other := range []clock.Clock{nil, clocktest.NewMock()} {
			s, err := scheduler.New(scheduler.Config{Clock: other, Limit: bucket.PerMinute(1).Burst(1)})
			require.NoError(t, err)
			for range 2 {
				submit(t, s, func(context.Context) error { return nil })
			}
			require.PanicsWithValue(t, "clocktest: the scheduler has set a timer that is not the mock's: pass the mock as Config.Clock",
				func() { clocktest.Advance(s, mock, time.Second) })
			s.Close()
		}
	})
}

// TestAdvanceUntil checks that AdvanceUntil sees what happens on other goroutines, and then stops.
func TestAdvanceUntil(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mock := clocktest.NewMock()
		s := newScheduler(t, mock, scheduler.Config{Limit: bucket.PerMinute(1)})
		begin := make(chan struct{})
		ended := make(chan error, 1)
		go func() {
			<-begin
			work()
			for range 3 {
				r, err := s.Reserve(t.Context())
				if err != nil {
					ended <- err
					return
				}
				<-r.Ready()
				work()
				r.Done(nil)
			}
			ended <- nil
		}()
		asked := 0
		clocktest.AdvanceUntil(s, mock, func() bool {
			if asked++; asked == 3 { // nothing is due before
				close(begin)
			}
			return len(ended) == 1
		})
		require.NoError(t, <-ended)
		require.Equal(t, epoch.Add(2*time.Minute), mock.Now())

		clocktest.AdvanceUntil(s, mock, func() bool { return true })
		require.Equal(t, epoch.Add(2*time.Minute), mock.Now())
	})
}

// TestAdvanceUntilLetsAFunctionGo checks that AdvanceUntil returns while a function runs, so that
// the test can release it.
func TestAdvanceUntilLetsAFunctionGo(t *testing.T) {
	mock := clocktest.NewMock()
	s := newScheduler(t, mock, scheduler.Config{})
	runs, hold := make(chan struct{}, 1), make(chan struct{})
	h := submit(t, s, func(context.Context) error { runs <- struct{}{}; <-hold; return nil })
	clocktest.AdvanceUntil(s, mock, func() bool { return len(runs) == 1 })
	close(hold)
	clocktest.AdvanceUntil(s, mock, func() bool { return h.Err() == nil })
}

// pool is a Runner whose answers the test chooses.
type pool struct {
	mock    *clocktest.Mock
	running func() (functions, timers int)
	next    time.Time
	asked   []time.Duration // when Running was called
}

func (p *pool) Running() (functions, timers int) {
	p.asked = append(p.asked, p.mock.Now().Sub(epoch))
	return p.running()
}

func (p *pool) Sync() (time.Time, bool) { return p.next, p.next.After(p.mock.Now()) }

func TestAdvanceAsksWhatIsDueAfterTheLastFunctionHasReturned(t *testing.T) {
	mock := clocktest.NewMock()
	p := &pool{mock: mock}
	p.running = func() (int, int) {
		p.next = epoch.Add(time.Second) // the function has failed and will be retried
		return 0, 0
	}
	clocktest.Advance(p, mock, time.Minute)
	require.Contains(t, p.asked, time.Second)
}

func TestAdvanceTellsTheTimersApart(t *testing.T) {
	mock := clocktest.NewMock()
	timer := mock.NewTimer(time.Hour)
	looks := 0
	p := &pool{mock: mock, running: func() (int, int) {
		if looks++; looks <= 5 { // a function runs, and the timer is the pool's own
			return 1, 1
		}
		return 0, 1
	}}
	clocktest.Advance(p, mock, time.Second)
	require.Equal(t, []time.Duration{0, 0, 0, 0, 0, 0, time.Second}, p.asked, "time stands still until the function has returned")
	timer.Stop()

	looks = 0
	p = &pool{mock: mock, running: func() (int, int) {
		if looks++; looks == 1 { // a timer is set between the two answers
			timer.Reset(time.Hour)
			return 1, 0
		}
		return min(1, max(0, 4-looks)), 1
	}}
	clocktest.Advance(p, mock, time.Second)
	require.Equal(t, []time.Duration{time.Second, time.Second, time.Second, time.Second, 2 * time.Second}, p.asked)
}

func TestAdvanceStopsAtTimersOfTheMock(t *testing.T) {
	mock := clocktest.NewMock()
	late, soon := mock.NewTimer(3*time.Second), mock.NewTimer(2*time.Second)
	mock.NewTimer(time.Second).Stop()
	p := &pool{mock: mock, next: epoch.Add(4 * time.Second), running: func() (int, int) { return 0, 0 }}
	clocktest.Advance(p, mock, 5*time.Second)
	require.Equal(t, []time.Duration{0, 2 * time.Second, 3 * time.Second, 4 * time.Second, 5 * time.Second}, p.asked)
	require.Equal(t, epoch.Add(3*time.Second), <-late.C())
	require.Equal(t, epoch.Add(2*time.Second), <-soon.C())
}

func TestAdvanceUntilHasBounds(t *testing.T) {
	require.PanicsWithValue(t, "clocktest: AdvanceUntil(nil): pass a function that reports whether to stop",
		func() { clocktest.AdvanceUntil(syncFunc(nil), clocktest.NewMock(), nil) })
	never := func() bool { return false }
	synctest.Test(t, func(t *testing.T) {
		mock := clocktest.NewMock()
		s := newScheduler(t, mock, scheduler.Config{})
		began := time.Now()
		require.PanicsWithValue(t, "clocktest: AdvanceUntil: nothing is due, and done has been false "+
			"for 10s of real time (mock clock at 2000-01-01T00:00:00Z): check that it can become true", func() { clocktest.AdvanceUntil(s, mock, never) })
		require.Less(t, time.Since(began), 11*time.Second)

		restless := syncFunc(func() (time.Time, bool) { return mock.Now().Add(time.Hour), true })
		began = time.Now()
		func() {
			defer func() {
				require.Regexp(t, "^clocktest: AdvanceUntil has moved the mock by [0-9]+h0m0s in 1m0s of real time, and done is still false", recover())
			}()
			clocktest.AdvanceUntil(restless, mock, never)
		}()
		require.Less(t, time.Since(began), 61*time.Second)
	})
}
