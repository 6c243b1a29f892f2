package clock_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/clock"
)

// The promises of clock.Timer are tested in package clocktest, for the system clock too. The tests
// here are for the system clock alone.

// requireQuiet checks that there is no tick. (The length of a Go timer's channel is always zero.)
func requireQuiet(t *testing.T, timer clock.Timer) {
	t.Helper()
	select {
	case tick := <-timer.C():
		require.Fail(t, "a tick", "%v", tick)
	default:
	}
}

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
		time.Sleep(time.Hour) // the tick waits unread
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
			requireQuiet(t, timer)
			timer.Stop()
		})
	})
}

func TestSystemIsAValue(t *testing.T) {
	require.Equal(t, clock.System(), clock.System())
	require.Equal(t, "system clock", fmt.Sprint(clock.System()))
	require.Equal(t, clock.Plain(), clock.Plain())
	require.Equal(t, "plain system clock", fmt.Sprint(clock.Plain()))
}

// The tests below run in real time, because a bubble's timers are not those of a program.

func TestSystemTimerIsNeverEarly(t *testing.T) {
	timer := clock.System().NewTimer(time.Hour)
	for _, d := range []time.Duration{-1, 0, 1, 200 * time.Microsecond, 1300 * time.Microsecond, 5 * time.Millisecond, 110 * time.Millisecond} {
		start := time.Now()
		timer.Reset(d)
		require.GreaterOrEqual(t, (<-timer.C()).Sub(start), d)

		start = time.Now()
		require.GreaterOrEqual(t, (<-clock.System().NewTimer(d).C()).Sub(start), d)
	}
}

func TestSystemTimerHasNoStaleTick(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	someTime := func() time.Duration { return time.Duration(rnd.IntN(300)) * time.Microsecond }

	timer := clock.System().NewTimer(time.Hour)
	due, never := time.Now().Add(time.Hour), false
	check := func(tick time.Time) {
		require.False(t, never, "a tick after Stop, or a second one")
		require.False(t, tick.Before(due), "a tick %v before its time", due.Sub(tick))
		never = true
	}
	for range 1000 {
		switch rnd.IntN(5) {
		case 0:
			timer.Stop()
			never = true
		case 1, 2:
			d := someTime()
			due, never = time.Now().Add(d), false
			timer.Reset(d)
		case 3: // let it tick unread, maybe
			<-time.After(someTime())
		}
		switch rnd.IntN(4) {
		case 0:
			if !never && time.Until(due) < time.Minute {
				check(<-timer.C())
			}
		case 1:
			select {
			case tick := <-timer.C():
				check(tick)
			default:
			}
		case 2:
			select {
			case tick := <-timer.C():
				check(tick)
			case <-time.After(someTime()):
			}
		}
	}
}

func TestSystemTimerFromManyGoroutines(t *testing.T) {
	timer := clock.System().NewTimer(time.Microsecond)
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for j := range 200 {
				timer.Reset(time.Duration(i*j) * time.Microsecond)
				clock.System().NewTimer(time.Duration(j) * time.Microsecond)
				if j%3 == 0 {
					timer.Stop()
				}
				select {
				case <-timer.C():
				default:
				}
			}
		})
	}
	wg.Wait()
	timer.Reset(time.Millisecond)
	<-timer.C()
	requireQuiet(t, timer)
}
