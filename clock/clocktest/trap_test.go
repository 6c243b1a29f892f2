package clocktest_test

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	benclock "github.com/benbjohnson/clock"
	"github.com/stretchr/testify/require"

	"example.com/fairlead/clock/clocktest"
)

// Each test here is about a fault of benbjohnson/clock 1.3.5 that was met in practice. Where it is
// cheap, the test first shows the fault, so that it fails when the fault is fixed. Then it checks
// that package clocktest does not have it.

func TestTrapResetOnUnreadTick(t *testing.T) {
	t.Run("raw: the next Add holds the lock for ever", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			raw := benclock.NewMock()
			timer := raw.Timer(time.Second)
			raw.Add(time.Second)
			timer.Reset(time.Second)
			added := make(chan struct{})
			go func() { defer close(added); raw.Add(time.Second) }()
			time.Sleep(time.Hour)
			select {
			case <-added:
				require.Fail(t, "the trap is gone")
			default:
				<-timer.C // lets Add and then the bubble end
				<-added
			}
		})
	})
	synctest.Test(t, func(t *testing.T) {
		raw := benclock.NewMock()
		c := clocktest.From(raw)
		start := c.Now()
		timer := c.NewTimer(time.Second)
		raw.Add(time.Second)
		timer.Reset(time.Second)
		raw.Add(time.Second)
		require.Equal(t, start.Add(2*time.Second), c.Now())
		requireTick(t, timer, start.Add(2*time.Second))
		requireQuiet(t, timer)
	})
}

func TestTrapResetToZeroWaitsForTheNextAdd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		raw := benclock.NewMock()
		theirs := raw.Timer(time.Hour)
		theirs.Reset(0)
		called := false
		raw.AfterFunc(0, func() { called = true })
		synctest.Wait()
		require.Empty(t, theirs.C)
		require.False(t, called)

		ours := clocktest.From(benclock.NewMock()).NewTimer(time.Hour)
		for _, d := range []time.Duration{0, -time.Second} {
			ours.Reset(d)
			synctest.Wait()
			require.Len(t, ours.C(), 1)
		}
	})
}

func TestTrapNegativeTimerMovesNowBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		raw := benclock.NewMock()
		start := raw.Now()
		raw.Timer(-time.Hour)
		require.Equal(t, -time.Hour, raw.Now().Sub(start))

		raw = benclock.NewMock()
		c := clocktest.From(raw)
		timer := c.NewTimer(-time.Hour)
		require.Equal(t, start, c.Now())
		timer.Reset(-time.Hour)
		require.Equal(t, start, c.Now())
		raw.Add(time.Second)
		require.Equal(t, start.Add(time.Second), c.Now())
	})
}

// TestTrapEqualDeadlines checks that timers of the same instant all tick then, once. Their order is
// random, on the system clock too, and clock.Timer says so. One timer and a queue keep an order.
func TestTrapEqualDeadlines(t *testing.T) {
	const timers = 100 // an insertion sort, which is used for a dozen, would keep their order
	clocktest.Run(t, func(t *testing.T, mock *clocktest.Mock) {
		due := mock.Now().Add(time.Second)
		woken := make(chan time.Time, 2*timers)
		for range timers {
			timer := mock.NewTimer(time.Second)
			go func() {
				<-timer.C()
				woken <- mock.Now()
			}()
		}
		queue, handled := []int{0, 1, 2, 3, 4}, []int(nil)
		one := mock.NewTimer(time.Second)
		go func() {
			for <-one.C(); len(queue) > 0; queue = queue[1:] {
				handled = append(handled, queue[0])
			}
		}()
		mock.Add(time.Minute)
		require.Len(t, woken, timers)
		for range timers {
			require.Equal(t, due, <-woken)
		}
		require.Equal(t, []int{0, 1, 2, 3, 4}, handled)
	})
}

// TestTrapEveryFireSleeps checks that the millisecond for which Add sleeps at each tick takes no real
// time in a bubble.
func TestTrapEveryFireSleeps(t *testing.T) {
	const timers = 1000
	clocktest.Run(t, func(t *testing.T, mock *clocktest.Mock) {
		start, woken := time.Now(), make(chan time.Time, timers)
		for i := range timers {
			go func() {
				mock.Sleep(time.Duration(i) * time.Second)
				woken <- mock.Now()
			}()
		}
		mock.Add(timers * time.Second)
		require.Len(t, woken, timers)
		require.GreaterOrEqual(t, time.Since(start), (timers-1)*time.Millisecond, "in the bubble's time")
	})
}

// TestTrapAddReturnsBeforeTheWokenHaveActed checks that in a bubble Add waits for the goroutines that
// it wakes, however many and slow they are.
func TestTrapAddReturnsBeforeTheWokenHaveActed(t *testing.T) {
	clocktest.Run(t, func(t *testing.T, mock *clocktest.Mock) {
		const hops = 50
		first := make(chan time.Time)
		last := first
		for range hops {
			in, out := last, make(chan time.Time)
			go func() {
				at := <-in
				for range 100 {
					runtime.Gosched()
				}
				out <- at
			}()
			last = out
		}
		var acted time.Time
		go func() { mock.Sleep(time.Second); first <- mock.Now() }()
		go func() { acted = <-last }()
		due := mock.Now().Add(time.Second)
		mock.Add(time.Second)
		require.Equal(t, due, acted)
	})
}

// TestTrapAddStartsBeforeTheStartedWait checks that in a bubble Add waits for goroutines that were
// started just before to make their timers.
func TestTrapAddStartsBeforeTheStartedWait(t *testing.T) {
	clocktest.Run(t, func(t *testing.T, mock *clocktest.Mock) {
		woken := make(chan time.Time, 10)
		start := mock.Now()
		for range cap(woken) {
			go func() { mock.Sleep(time.Second); woken <- mock.Now() }()
		}
		mock.Set(start.Add(time.Second))
		require.Len(t, woken, cap(woken))
		for range cap(woken) {
			require.Equal(t, start.Add(time.Second), <-woken)
		}
	})
}

// TestTrapArmingDuringAdd makes and resets timers while another goroutine is in Add. A mock picks a
// timer and ticks it under two separate locks. The tick undoes a Reset in between. A timer that is
// made in between ticks the picked one a second time, which blocks the mock for good. The fault
// needs parallel goroutines, so the test does not use a bubble. With benbjohnson's own timers, it
// hangs more often than not.
func TestTrapArmingDuringAdd(t *testing.T) {
	const (
		users = 2
		steps = 50
	)
	raw := benclock.NewMock()
	c := clocktest.From(raw)
	alone := runtime.GOMAXPROCS(0) == 1 // then the users must yield to Add; otherwise yielding would hide the fault
	var over atomic.Bool
	var wg sync.WaitGroup
	for range users {
		wg.Go(func() {
			one := c.NewTimer(1)
			for !over.Load() {
				one.Reset(1)
				other := c.NewTimer(1)
				other.Stop()
				if len(other.C()) > 0 {
					t.Error("a tick after Stop")
				}
				if alone {
					runtime.Gosched()
				}
			}
			one.Reset(2)
			<-one.C() // the last deadline is not lost
		})
	}
	for range steps {
		raw.Add(1)
	}
	over.Store(true)
	ended := make(chan struct{})
	go func() { defer close(ended); wg.Wait() }()
	for {
		select {
		case <-ended:
			return
		default:
			raw.Add(1)
		}
	}
}
