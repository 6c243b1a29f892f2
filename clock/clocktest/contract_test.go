package clocktest_test

import (
	"math"
	"testing"
	"testing/synctest"
	"time"

	benclock "github.com/benbjohnson/clock"
	"github.com/stretchr/testify/require"

	"example.com/fairlead/clock"
	"example.com/fairlead/clock/clocktest"
)

// testClock is a clock and a function that lets time pass on it.
type testClock struct {
	clock.Clock
	pass func(d time.Duration)
}

// everyClock runs f on each kind of clock, in a bubble, because all have to keep the same promises.
func everyClock(t *testing.T, f func(t *testing.T, c testClock)) {
	bubbleTime := func(d time.Duration) { time.Sleep(d); synctest.Wait() }

	t.Run("system", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { f(t, testClock{clock.System(), bubbleTime}) })
	})
	t.Run("plain", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { f(t, testClock{clock.Plain(), bubbleTime}) })
	})
	t.Run("mock", func(t *testing.T) {
		clocktest.Run(t, func(t *testing.T, mock *clocktest.Mock) { f(t, testClock{mock, mock.Add}) })
	})
	t.Run("from benbjohnson's mock", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			raw := benclock.NewMock()
			f(t, testClock{clocktest.From(raw), func(d time.Duration) { synctest.Wait(); raw.Add(d); synctest.Wait() }})
		})
	})
	t.Run("from benbjohnson's real clock", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { f(t, testClock{clocktest.From(benclock.New()), bubbleTime}) })
	})
}

// requireTick checks that the tick of the given instant can be received.
func requireTick(t *testing.T, timer clock.Timer, at time.Time) {
	t.Helper()
	synctest.Wait()
	select {
	case got := <-timer.C():
		require.True(t, at.Equal(got), "tick of %v instead of %v", got, at)
	default:
		require.Fail(t, "no tick")
	}
}

// requireQuiet checks that no tick can be received.
func requireQuiet(t *testing.T, timer clock.Timer) {
	t.Helper()
	synctest.Wait()
	select {
	case got := <-timer.C():
		require.Fail(t, "unexpected tick", "of %v", got)
	default:
	}
}

func TestTimerTicksOnceAtItsInstant(t *testing.T) {
	everyClock(t, func(t *testing.T, c testClock) {
		start := c.Now()
		timer := c.NewTimer(time.Second)
		c.pass(time.Second - 1)
		requireQuiet(t, timer)
		c.pass(1)
		requireTick(t, timer, start.Add(time.Second))
		c.pass(time.Hour)
		requireQuiet(t, timer)
	})
}

func TestTimerTicksForOneWhoWaits(t *testing.T) {
	everyClock(t, func(t *testing.T, c testClock) {
		start := c.Now()
		timer := c.NewTimer(time.Second)
		var woken time.Time
		go func() {
			<-timer.C()
			woken = c.Now()
		}()
		c.pass(time.Minute)
		require.Equal(t, time.Second, woken.Sub(start))
	})
}

func TestTimerZeroOrLessIsDueAtOnce(t *testing.T) {
	everyClock(t, func(t *testing.T, c testClock) {
		start := c.Now()
		timer := c.NewTimer(math.MinInt64)
		requireTick(t, timer, start)
		for _, d := range []time.Duration{0, -1, -time.Hour, math.MinInt64} {
			timer.Reset(d)
			requireTick(t, timer, start)
			require.Equal(t, start, c.Now(), "%v moved the clock", d)
		}
	})
}

func TestTimerResetAndStop(t *testing.T) {
	const s = time.Second
	cases := []struct {
		name string
		do   func(c testClock, timer clock.Timer) // the timer is due in one second
		want time.Duration                        // the instant of the tick that is there after ten seconds, or 0 if there is none
	}{
		{"later", func(_ testClock, timer clock.Timer) { timer.Reset(5 * s) }, 5 * s},
		{"sooner", func(_ testClock, timer clock.Timer) { timer.Reset(s / 2) }, s / 2},
		{"never", func(_ testClock, timer clock.Timer) { timer.Stop() }, 0},
		{"never, stopped twice", func(_ testClock, timer clock.Timer) { timer.Stop(); timer.Stop() }, 0},
		{"stopped, then set", func(_ testClock, timer clock.Timer) { timer.Stop(); timer.Reset(3 * s) }, 3 * s},
		{"set many times", func(_ testClock, timer clock.Timer) {
			for d := 9 * s; d > 0; d -= s {
				timer.Reset(d)
			}
		}, s},
		{"set over an unread tick", func(c testClock, timer clock.Timer) { c.pass(2 * s); timer.Reset(s) }, 3 * s},
		{"set far over an unread tick", func(c testClock, timer clock.Timer) { c.pass(2 * s); timer.Reset(time.Hour) }, 0},
		{"stopped over an unread tick", func(c testClock, timer clock.Timer) { c.pass(2 * s); timer.Stop() }, 0},
		{"set after a tick", func(c testClock, timer clock.Timer) { c.pass(2 * s); <-timer.C(); timer.Reset(4 * s) }, 6 * s},
		{"stopped after a tick", func(c testClock, timer clock.Timer) { c.pass(2 * s); <-timer.C(); timer.Stop() }, 0},
		{"set to now over an unread tick", func(c testClock, timer clock.Timer) { c.pass(2 * s); timer.Reset(0) }, 2 * s},
		{"stopped over an unread tick of zero", func(_ testClock, timer clock.Timer) { timer.Reset(0); timer.Stop() }, 0},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			everyClock(t, func(t *testing.T, c testClock) {
				start := c.Now()
				timer := c.NewTimer(s)
				channel := timer.C()
				tc.do(c, timer)
				c.pass(10*s - c.Now().Sub(start))
				require.Equal(t, channel, timer.C())
				if tc.want > 0 {
					requireTick(t, timer, start.Add(tc.want))
				}
				requireQuiet(t, timer)
				timer.Stop()
			})
		})
	}
}

// TestTimerRearmedInOneLongStep checks that in one long step each deadline is met at its own instant,
// also those that are set on the way (D3).
func TestTimerRearmedInOneLongStep(t *testing.T) {
	everyClock(t, func(t *testing.T, c testClock) {
		start := c.Now()
		var woken []time.Duration
		go func() {
			timer := c.NewTimer(time.Second)
			defer timer.Stop()
			for range 5 {
				<-timer.C()
				woken = append(woken, c.Now().Sub(start))
				timer.Reset(time.Duration(len(woken)) * time.Second)
			}
		}()
		c.pass(time.Hour)
		require.Equal(t, []time.Duration{1 * time.Second, 2 * time.Second, 4 * time.Second, 7 * time.Second, 11 * time.Second}, woken)
	})
}
