package clock_test

import (
	"fmt"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/clock"
)

// What a timer promises is tested for all clocks at once, this one included, in
// package clocktest. Here is what only the system clock does.

func TestSystemNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		system := clock.System()
		start := system.Now()
		require.Equal(t, time.Now(), start)
		time.Sleep(time.Hour)
		require.Equal(t, time.Hour, system.Now().Sub(start))
	})
}

func TestSystemTickCarriesItsInstant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		timer := clock.System().NewTimer(time.Minute)
		due := time.Now().Add(time.Minute)
		time.Sleep(time.Hour) // nobody looks at the tick until then
		require.Equal(t, due, <-timer.C())
	})
}

func TestSystemTimerAtTheEdges(t *testing.T) {
	for _, d := range []time.Duration{0, -1, -time.Hour, math.MinInt64} {
		t.Run(d.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				timer := clock.System().NewTimer(d)
				require.Equal(t, start, <-timer.C())
				timer.Reset(d)
				require.Equal(t, start, <-timer.C())
			})
		})
	}
	t.Run("the longest", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			timer := clock.System().NewTimer(math.MaxInt64)
			time.Sleep(100 * 365 * 24 * time.Hour)
			synctest.Wait()
			require.Empty(t, timer.C())
			timer.Stop()
		})
	})
}

func TestSystemIsAValue(t *testing.T) {
	require.Equal(t, clock.System(), clock.System())
	require.Equal(t, "system clock", fmt.Sprint(clock.System()))
}
