package adapters_test

import (
	"context"
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/events"
	"example.com/fairlead/scheduler"
	"example.com/fairlead/scheduler/adapters"
)

func TestWait(t *testing.T) {
	bubble(t, scheduler.Config{Limit: oneEach}, func(t *testing.T, l adapters.Limiter) {
		waits(t, l.Wait)

		require.ErrorIs(t, l.Wait(gone()), context.Canceled)
		soon, cancel := context.WithTimeout(t.Context(), time.Second-1)
		defer cancel()
		var late *scheduler.DeadlineError
		require.Zero(t, took(func() { require.ErrorAs(t, l.Wait(soon), &late) }), "Wait returns at once")
		require.Equal(t, time.Second, late.Wait)

		l.Scheduler.Close()
		require.ErrorIs(t, l.Wait(t.Context()), scheduler.ErrClosed)
	})
}

func TestWait_CanceledWhileItWaits(t *testing.T) {
	bubble(t, scheduler.Config{Limit: oneEach, Level: &bucket.State{}}, func(t *testing.T, l adapters.Limiter) {
		ctx, cancel := context.WithCancel(t.Context())
		over := make(chan error, 1)
		go func() { over <- l.Wait(ctx) }()
		synctest.Wait()
		cancel()
		require.ErrorIs(t, <-over, context.Canceled)
		require.Equal(t, time.Second, took(func() { require.NoError(t, l.Wait(t.Context())) }), "the token is left for others")
	})
}

func TestWaitN(t *testing.T) {
	bubble(t, scheduler.Config{Limit: oneEach}, func(t *testing.T, l adapters.Limiter) {
		ctx := t.Context()
		require.Zero(t, took(func() { require.NoError(t, l.WaitN(ctx, 2)) }))
		require.Equal(t, 2*time.Second, took(func() { require.NoError(t, l.WaitN(ctx, 2)) }))
		require.Zero(t, took(func() { require.NoError(t, l.WaitN(ctx, 0)) }))
		var never *bucket.CostError
		require.ErrorAs(t, l.WaitN(ctx, 3), &never)
		require.ErrorAs(t, l.WaitN(ctx, -1), &never)
		require.EqualValues(t, 4, l.Scheduler.Snapshot().Ledger.Spent)
	})
}

func TestAllow(t *testing.T) {
	bubble(t, scheduler.Config{Limit: oneEach}, func(t *testing.T, l adapters.Limiter) {
		var allowed []bool
		require.Zero(t, took(func() { allowed = []bool{l.Allow(), l.AllowN(time.Time{}, 2), l.Allow(), l.Allow()} }), "Allow never waits")
		require.Equal(t, []bool{true, false, true, false}, allowed)
		time.Sleep(2 * time.Second)
		require.True(t, l.AllowN(time.Time{}, 2))
		require.False(t, l.AllowN(time.Time{}, 3))
		require.False(t, l.AllowN(time.Time{}, -1))
		l.Scheduler.Close()
		require.False(t, l.Allow())
	})
}

// TestAllow_NotBeforeThoseWhoWait checks that Allow takes no token for which a call is queued.
func TestAllow_NotBeforeThoseWhoWait(t *testing.T) {
	bubble(t, scheduler.Config{Limit: oneEach, Level: &bucket.State{Tokens: 1}}, func(t *testing.T, l adapters.Limiter) {
		over := make(chan error, 1)
		go func() { over <- l.WaitN(t.Context(), 2) }()
		synctest.Wait()
		require.False(t, l.Allow())
		require.Equal(t, time.Second, took(func() { require.NoError(t, <-over) }))
	})
}

func TestLimiter_Options(t *testing.T) {
	bubble(t, scheduler.Config{Limit: bucket.PerSecond(100)}, func(t *testing.T, l adapters.Limiter) {
		sub := l.Scheduler.Subscribe(events.Of(events.Granted))
		l.Options = []scheduler.Option{scheduler.Name("ping"), scheduler.Cost(7)}
		require.NoError(t, l.Wait(t.Context()))
		require.NoError(t, l.WaitN(t.Context(), 3))
		require.True(t, l.Allow())
		require.True(t, l.AllowN(time.Time{}, 4))
		_, err := l.GetToken(t.Context(), 5)
		require.NoError(t, err)
		for _, cost := range []int64{7, 3, 7, 4, 5} {
			ev := <-sub.C
			require.Equal(t, "ping", ev.Name)
			require.Equal(t, cost, ev.Cost)
		}
	})
}

// TestLimiter_SharesItsOptions shares options, so that the race detector sees whether a call writes to them.
func TestLimiter_SharesItsOptions(t *testing.T) {
	options := make([]scheduler.Option, 1, 8)
	options[0] = scheduler.Cost(1)
	l := adapters.Limiter{Scheduler: open(t, scheduler.Config{Limit: bucket.PerSecond(1_000_000)}), Options: options}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for n := range 100 {
				l.AllowN(time.Time{}, n)
				_ = l.WaitN(context.Background(), n)
			}
		})
	}
	all.Wait()
	require.EqualValues(t, 4*2*99*100/2, l.Scheduler.Snapshot().Ledger.Spent)
}

func TestLimit(t *testing.T) {
	bubble(t, scheduler.Config{Limit: oneEach}, func(t *testing.T, l adapters.Limiter) {
		waits(t, l.Limit)
		l.Options = []scheduler.Option{scheduler.NoWait()}
		require.Zero(t, took(func() { require.ErrorIs(t, l.Limit(t.Context()), scheduler.ErrWouldWait) }))
	})
}

func TestResty(t *testing.T) {
	bubble(t, scheduler.Config{Limit: oneEach}, func(t *testing.T, l adapters.Limiter) {
		waits(t, adapters.Resty(l).Allow)
		require.ErrorIs(t, adapters.Resty(l).Allow(gone()), context.Canceled)
		l.Options = []scheduler.Option{scheduler.NoWait()}
		require.ErrorIs(t, adapters.Resty(l).Allow(t.Context()), scheduler.ErrWouldWait)
	})
}

func TestGetToken(t *testing.T) {
	bubble(t, scheduler.Config{Limit: bucket.PerSecond(1).Burst(20)}, func(t *testing.T, l adapters.Limiter) {
		release, err := l.GetToken(t.Context(), 14)
		require.NoError(t, err)
		require.NoError(t, release())
		require.NoError(t, l.AddTokens(1))
		require.EqualValues(t, 6, l.Scheduler.Snapshot().Available, "only time brings tokens")

		var wait *scheduler.WouldWaitError
		require.Zero(t, took(func() { _, err = l.GetToken(t.Context(), 14) }))
		require.ErrorAs(t, err, &wait)
		require.Equal(t, 8*time.Second, wait.Wait)

		_, err = l.GetToken(gone(), 1)
		require.ErrorIs(t, err, context.Canceled)
		var never *bucket.CostError
		_, err = l.GetToken(t.Context(), math.MaxUint)
		require.ErrorAs(t, err, &never)
		require.Positive(t, never.Cost)

		l.Scheduler.Close()
		_, err = l.GetToken(t.Context(), 1)
		require.ErrorIs(t, err, scheduler.ErrClosed)
	})
}

// TestNoScheduler checks that a limiter without a scheduler has no tokens.
func TestNoScheduler(t *testing.T) {
	var l adapters.Limiter
	const text = "adapters: the Limiter has no Scheduler to take tokens from: set it"
	require.EqualError(t, l.Wait(t.Context()), text)
	require.EqualError(t, l.WaitN(t.Context(), 2), text)
	require.EqualError(t, adapters.Resty{}.Allow(t.Context()), text)
	_, err := l.GetToken(t.Context(), 1)
	require.EqualError(t, err, text)
	require.False(t, l.Allow())
	require.False(t, l.AllowN(time.Time{}, 2))
	require.False(t, l.TryAccept())
	require.Zero(t, l.QPS())
	l.Stop()
	require.PanicsWithValue(t, "adapters: Take got no token: "+text+": stop its callers first, or use Wait, which returns errors", func() { l.Take() })
}
