package scheduler

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler/internal/core"
)

// A place goes to the senior call that waits for one, and to none that has ended meanwhile (C13).
func TestPlaces(t *testing.T) {
	calls := make([]*core.Call, 5)
	for i := range calls {
		calls[i] = &core.Call{ID: uint64(i + 1)}
	}
	p := newPlaces(2)
	take := func() bool {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for range 100 { // of a place and the end of ctx, select takes either
			if p.take(ctx, &Scheduler{}) {
				return true
			}
		}
		return false
	}
	require.True(t, take())
	require.True(t, take())
	require.False(t, take())
	require.Nil(t, p.leave(calls[4]))
	require.Nil(t, p.leave(calls[1]))
	require.True(t, take())
	require.True(t, take())
	for _, c := range []*core.Call{calls[4], calls[1]} {
		require.Nil(t, p.comeBack(c))
	}
	require.Same(t, calls[1], p.end(calls[2]), "the senior call")
	require.Nil(t, p.end(calls[4]), "it has ended without a place")
	require.False(t, take())
	require.Nil(t, p.end(calls[1]))
	require.Nil(t, p.leave(calls[3]))
	require.Same(t, calls[3], p.comeBack(calls[3]))
	require.True(t, take())
	require.False(t, take())
	require.Empty(t, p.waiting)
	require.Empty(t, p.away)
}

// A call that gets a place by another's success ends the lease of the fast path (O3, C13).
func TestParallelEndsTheLease(t *testing.T) {
	fastBubble(t, Config{}, func(t *testing.T, s *Scheduler) {
		time.Sleep(time.Second) // the budget is full
		release, attempts := make(chan struct{}), make(chan time.Time, 2)
		work := func(_ context.Context, i int) (int, error) {
			if i == 1 {
				<-release
				return 0, nil
			}
			if attempts <- time.Now(); len(attempts) == 1 {
				return 0, retry.Transient(errFlaky)
			}
			return 0, nil
		}
		all := OptionsFor(func(i int) []Option { return []Option{Cost(int64(1-i) * (1000 - leaseArrivals))} })
		done := make(chan int)
		go func() {
			n := 0
			for range Stream(t.Context(), s, func(yield func(int) bool) { _ = yield(0) && yield(1) }, work, Parallel(1), all) {
				n++
			}
			done <- n
		}()
		time.Sleep(3 * time.Second)
		warm(t, s)
		require.True(t, fastPathOpen(s))
		close(release)
		synctest.Wait()
		require.False(t, fastPathOpen(s))
		<-attempts
		require.Equal(t, time.Now(), <-attempts, "at once, with the tokens that were lent")
		require.Equal(t, 2, <-done)
	})
}
