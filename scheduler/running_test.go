package scheduler

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry"
)

// Running counts a function from its grant on, however the call was made. Reservations don't count.
func TestRunning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := New(Config{Limit: bucket.PerSecond(1).Burst(100)})
		require.NoError(t, err)
		defer s.Close()
		running := func(functions, timers int) {
			t.Helper()
			gotFunctions, gotTimers := s.Running()
			require.Equal(t, []int{functions, timers}, []int{gotFunctions, gotTimers})
		}
		running(0, 0)

		hold := make(chan error)
		held := func(context.Context) error { return <-hold }
		_, err = s.Submit(t.Context(), held)
		require.NoError(t, err)
		running(1, 0)
		r, err := s.Reserve(t.Context())
		require.NoError(t, err)
		running(1, 0)
		go func() { _ = s.Do(t.Context(), held, Name("a call of the owner's")) }()
		synctest.Wait()
		running(2, 0)

		for range 2 * leaseArrivals {
			require.NoError(t, s.Do(t.Context(), func(context.Context) error { return nil }))
		}
		go func() { _ = s.Do(t.Context(), held) }()
		synctest.Wait()
		require.EqualValues(t, 1, inFlight(s.fast.cells[0].word.Load()), "the call should take the fast path")
		functions, _ := s.Running()
		require.Equal(t, 3, functions)

		hold <- retry.Transient(errors.New("busy"))
		synctest.Wait()
		running(2, 1) // one backs off
		time.Sleep(time.Minute)
		running(3, 0)
		for range 3 {
			hold <- nil
		}
		r.Done(nil)
		synctest.Wait()
		running(0, 0)
		s.Close()
		running(0, 0)
	})
}

// When Sync returns, the timer is set.
func TestSyncFindsTheTimerSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := New(Config{})
		require.NoError(t, err)
		defer s.Close()
		set := make(chan bool, 1)
		s.post(message{op: opAsk, do: func(o *owner, now time.Duration) {
			o.core.Pause(now, now+time.Minute)
			o.after = append(o.after, func() { set <- o.armed == now+time.Minute })
		}})
		require.True(t, <-set)
	})
}
