package scheduler

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/events"
	"example.com/fairlead/retry"
)

// leaseless is a limit too small for a lease, so that the owner grants every call.
var leaseless = bucket.Per(10, time.Millisecond).Burst(minLease - 1)

// uncollected returns how many successful calls the owner has not collected.
func uncollected(s *Scheduler) int {
	n := 0
	for c := s.successes.list.latest.Load(); c != nil; c = c.runner.after {
		n++
	}
	return n
}

// withLeaseless runs f in a bubble with a scheduler without a lease.
func withLeaseless(t *testing.T, f func(t *testing.T, s *Scheduler)) {
	synctest.Test(t, func(t *testing.T) {
		s, err := New(Config{Limit: leaseless})
		require.NoError(t, err)
		defer s.Close()
		f(t, s)
	})
}

// startCall starts a call of Do whose function returns when release is called.
func startCall(t *testing.T, s *Scheduler) (release func()) {
	ending := make(chan struct{})
	go func() {
		if err := s.Do(t.Context(), func(context.Context) error { <-ending; return nil }); err != nil {
			t.Error(err)
		}
	}()
	synctest.Wait()
	return func() { close(ending); synctest.Wait() }
}

// A snapshot counts calls that have succeeded and not been collected.
func TestSuccessesAreCollected(t *testing.T) {
	withLeaseless(t, func(t *testing.T, s *Scheduler) {
		startCall(t, s)()
		require.Equal(t, 1, uncollected(s), "the owner has had no reason to collect it")
		snap := s.Snapshot()
		require.Equal(t, uint64(1), snap.Totals.Succeeded)
		require.Zero(t, snap.Running)
		require.Zero(t, uncollected(s))
	})
}

// An idle scheduler does not keep thousands of ended calls.
func TestSuccessesAreBounded(t *testing.T) {
	withLeaseless(t, func(t *testing.T, s *Scheduler) {
		ending := make(chan struct{})
		for range 10 * maxUncollected {
			go func() { _ = s.Do(t.Context(), func(context.Context) error { <-ending; return nil }) }()
		}
		time.Sleep(time.Second)
		close(ending)
		synctest.Wait()
		require.Less(t, uncollected(s), maxUncollected)
		require.Equal(t, uint64(10*maxUncollected), s.Snapshot().Totals.Succeeded)
	})
}

// A success is collected that comes while the owner is in its turn, with the message for it.
func TestSuccessesOfATurn(t *testing.T) {
	withLeaseless(t, func(t *testing.T, s *Scheduler) {
		ending := make(chan struct{})
		go func() { _ = s.Do(t.Context(), func(context.Context) error { <-ending; return nil }) }()
		synctest.Wait()
		_, ok := ask(s, func(o *owner, _ time.Duration) bool {
			close(ending)
			for s.successes.list.empty() {
				runtime.Gosched()
			}
			s.inbox <- message{op: opTick}
			return true
		})
		require.True(t, ok)
		synctest.Wait()
		require.Zero(t, uncollected(s))
	})
}

// With a new MaxInFlight, calls that have ended and calls that end later free their slots at once (O7,
// MaxInFlight).
func TestSuccessesFreeSlots(t *testing.T) {
	withLeaseless(t, func(t *testing.T, s *Scheduler) {
		startCall(t, s)()
		first := startCall(t, s)
		require.NoError(t, s.SetMaxInFlight(1))
		second := startCall(t, s)
		require.Equal(t, 1, s.Snapshot().Queued)
		first()
		require.Zero(t, uncollected(s))
		require.Equal(t, 1, s.Snapshot().Running, "the second call has the slot")
		second()
		require.NoError(t, s.SetMaxInFlight(0))
		startCall(t, s)()
		require.Equal(t, 1, uncollected(s))
	})
}

// Shutdown waits for all calls, whether they end before it, after it, or at the same time (C6, close).
func TestSuccessesEndShutdown(t *testing.T) {
	withLeaseless(t, func(t *testing.T, s *Scheduler) {
		startCall(t, s)()
		during := startCall(t, s)
		c := aboutToEnd(t, s)
		down := make(chan error, 1)
		go func() {
			_, err := s.Shutdown(context.Background())
			down <- err
		}()
		synctest.Wait()
		require.False(t, s.collectable(c), "Shutdown waits for the call")
		during()
		require.Empty(t, down)
		s.putSuccess(c) // as if its runner had called collectable before Shutdown began
		require.NoError(t, <-down)
		require.Equal(t, uint64(3), s.Snapshot().Totals.Succeeded)
	})
}

// A subscription has no events of calls that ended before it was made (E3, completeness).
func TestSuccessesBeforeASubscription(t *testing.T) {
	withLeaseless(t, func(t *testing.T, s *Scheduler) {
		during := startCall(t, s)
		startCall(t, s)()
		sub := s.Subscribe(events.Of(events.Succeeded))
		synctest.Wait()
		require.Empty(t, sub.C)
		during()
		require.Equal(t, uint64(1), (<-sub.C).Call)
		sub.Close()
		startCall(t, s)()
		require.Equal(t, 1, uncollected(s))
	})
}

// aboutToEnd returns a granted call, as its runner has it.
func aboutToEnd(t *testing.T, s *Scheduler) *call {
	c, _, err := s.begin(t.Context(), succeed, nil)
	require.NoError(t, err)
	_, ended := s.await(c)
	require.False(t, ended)
	c.made = 1
	require.True(t, s.collectable(c))
	return c
}

// midTurn has the owner answer a question, and stops it in the same turn until resume is called.
func midTurn(s *Scheduler, question func()) (resume func()) {
	first, second := pauseOwner(s), make(chan func())
	go question()
	synctest.Wait()
	go func() { second <- pauseOwner(s) }()
	synctest.Wait()
	first()
	return <-second
}

// A call that ends while a subscription is made has its event in it, at once.
func TestSuccessDuringASubscription(t *testing.T) {
	withLeaseless(t, func(t *testing.T, s *Scheduler) {
		before, after := aboutToEnd(t, s), aboutToEnd(t, s)
		var sub *events.Subscription
		resume := midTurn(s, func() { sub = s.Subscribe(events.Of(events.Succeeded)) })
		synctest.Wait()
		s.putSuccess(before)
		resume()
		synctest.Wait()
		require.Len(t, sub.C, 1)
		s.putSuccess(after)
		synctest.Wait()
		require.Len(t, sub.C, 2)
	})
}

// A call that ends while MaxInFlight is set frees its slot.
func TestSuccessDuringANewCap(t *testing.T) {
	withLeaseless(t, func(t *testing.T, s *Scheduler) {
		c := aboutToEnd(t, s)
		resume := midTurn(s, func() { _ = s.SetMaxInFlight(1) })
		s.finished(c, nil)
		require.Equal(t, 1, uncollected(s))
		resume()
		synctest.Wait()
		require.Zero(t, uncollected(s))
		startCall(t, s)()
	})
}

// A snapshot counts each call whose Do has returned, with many goroutines that call Do and Snapshot.
func TestSuccessesInSnapshots(t *testing.T) {
	s, err := New(Config{Limit: bucket.Per(10_000_000, time.Second).Burst(minLease - 1)})
	require.NoError(t, err)
	defer s.Close()
	var ended atomic.Uint64
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for range 500 {
				if err := s.Do(t.Context(), succeed); err != nil {
					t.Error(err)
				}
				n := ended.Add(1)
				if got := s.Snapshot().Totals.Succeeded; got < n {
					t.Errorf("%d successes in the snapshot, but %d calls have returned", got, n)
				}
			}
		})
	}
	all.Wait()
	require.Zero(t, s.Snapshot().Running)
}

// The list keeps no function or context of a call, and a call that can't be on it ends at once.
func TestSuccessesKeepNothing(t *testing.T) {
	withLeaseless(t, func(t *testing.T, s *Scheduler) {
		startCall(t, s)()
		c := s.successes.list.latest.Load()
		require.NotNil(t, c)
		require.Nil(t, c.ctx)
		require.Nil(t, c.fn)
		s.Snapshot()
		for _, opt := range []Option{Cost(2), OnProgress(func(Progress) {}), Classify(func(error) retry.Verdict { return retry.Verdict{} })} {
			require.NoError(t, s.Do(t.Context(), succeed, opt))
			synctest.Wait()
			require.Zero(t, uncollected(s))
		}
	})
}

// A call with options that has started by the fast path is collected once the owner knows it.
func TestSuccessesOfKnownFastCalls(t *testing.T) {
	fastBubble(t, Config{}, func(t *testing.T, s *Scheduler) {
		release, _ := inFastWith(t, s, nil, Name("known"))
		require.NoError(t, s.Learn("", bucket.PerSecond(1000), 900))
		require.NoError(t, release())
		require.Equal(t, 1, uncollected(s))
		require.Zero(t, s.Snapshot().Running)

		warm(t, s)
		c, at, err := s.begin(t.Context(), succeed, []Option{Name("unknown")})
		require.NoError(t, err)
		require.Equal(t, attempting, at)
		require.False(t, s.collectable(c), "the owner does not know it")
		s.finished(c, nil)
	})
}
