package clocktest_test

import (
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/clock"
	"example.com/fairlead/clock/clocktest"
)

// onlyClock hides all methods but those of a Clock.
type onlyClock struct{ clock.Clock }

func TestAfterFunc(t *testing.T) {
	everyClock(t, func(t *testing.T, c testClock) {
		hidden := onlyClock{c.Clock}
		for _, on := range []clock.Clock{c.Clock, hidden} {
			var calls atomic.Int64
			f := func() { calls.Add(1) }

			stop := clock.AfterFunc(on, time.Minute, f)
			c.pass(time.Minute - 1)
			require.Zero(t, calls.Load())
			c.pass(1)
			require.EqualValues(t, 1, calls.Load(), "when it is due")
			require.False(t, stop())

			stop = clock.AfterFunc(on, time.Minute, f)
			c.pass(time.Second)
			require.True(t, stop())
			require.False(t, stop(), "stopped before")
			c.pass(time.Hour)
			require.EqualValues(t, 1, calls.Load(), "stopped")

			for _, d := range []time.Duration{0, -1} {
				stop = clock.AfterFunc(on, d, f)
				synctest.Wait()
				require.False(t, stop())
			}
			require.EqualValues(t, 3, calls.Load(), "at once")

			// On a mock, a goroutine that waits for this would keep the bubble.
			require.True(t, clock.AfterFunc(on, time.Hour, f)())
		}
	})
}

// TestAfterFuncTakesNoGoroutine checks it for the clocks that have a method for it.
func TestAfterFuncTakesNoGoroutine(t *testing.T) {
	for _, c := range []clock.Clock{clock.System(), clock.Plain(), clocktest.NewMock()} {
		before := runtime.NumGoroutine()
		stop := clock.AfterFunc(c, time.Hour, func() {})
		require.LessOrEqual(t, runtime.NumGoroutine(), before)
		require.True(t, stop())
	}
}
