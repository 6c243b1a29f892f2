package scheduler

import (
	"context"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/events"
	"example.com/fairlead/retry"
)

// warm makes as many plain calls as open the fast path.
func warm(t testing.TB, s *Scheduler) {
	for range leaseArrivals {
		require.NoError(t, s.Do(context.Background(), succeed))
	}
	synctest.Wait() // until the last call's slot is free
	require.True(t, fastPathOpen(s), "the fast path should be open")
}

func fastPathOpen(s *Scheduler) bool {
	return inCells(s, func(w uint64) uint64 { return w & fastTokens }) > 0
}

// inCells returns the sum of a part of the words of all cells.
func inCells(s *Scheduler, part func(uint64) uint64) (sum int64) {
	for i := range s.fast.cells {
		sum += int64(part(s.fast.cells[i].word.Load()))
	}
	return sum
}

// inFast starts a plain call on the fast path, which runs until it is released.
func inFast(t testing.TB, s *Scheduler, outcome error) (release func() error) {
	hold, done := make(chan struct{}), make(chan error, 1)
	first := true
	before := s.fast.cells[0].word.Load()
	go func() {
		done <- s.Do(context.Background(), func(context.Context) error {
			if first {
				first = false
				<-hold
				return outcome
			}
			return nil
		})
	}()
	synctest.Wait()
	require.Equal(t, taken(before)+1, taken(s.fast.cells[0].word.Load()), "the call should have taken the fast path")
	return func() error {
		close(hold)
		return <-done
	}
}

func fastBubble(t *testing.T, cfg Config, f func(t *testing.T, s *Scheduler)) {
	t.Helper()
	if cfg.Limit == (bucket.Limit{}) {
		cfg.Limit = bucket.PerSecond(1000)
	}
	cfg.Retry.Jitter = retry.None
	synctest.Test(t, func(t *testing.T) {
		s, err := New(cfg)
		require.NoError(t, err)
		defer s.Close()
		warm(t, s)
		f(t, s)
		snap := s.Snapshot()
		n := snap.Totals
		require.Equal(t, n.Accepted, n.Ended()+uint64(snap.Running+snap.Queued+snap.BackingOff))
		require.Equal(t, snap.Ledger.Initial+snap.Ledger.Refilled+snap.Ledger.Refunded+snap.Ledger.Adjusted, snap.Ledger.Spent+snap.Available)
	})
}

// A caller is preempted in take, between its loads and its swap (H63). Meanwhile the owner revokes
// the lease, grants another call its slot and number, and leases as many tokens again. The word
// must differ, so that the swap fails.
func TestH63_FastPathABA(t *testing.T) {
	cfg := Config{Limit: bucket.PerSecond(1_000_000_000).Burst(1 << 40), MaxInFlight: 3}
	fastBubble(t, cfg, func(t *testing.T, s *Scheduler) {
		release := inFast(t, s, nil)
		time.Sleep(leaseInterval + 1) // the lease is renewed
		synctest.Wait()
		w := s.fast.cells[0].word.Load()
		l := s.fast.cells[0].lease.Load()

		hold := make(chan struct{})
		_, err := s.Submit(context.Background(), func(context.Context) error { <-hold; return nil })
		require.NoError(t, err)
		synctest.Wait()
		for !fastPathOpen(s) { // calls that find the fast path closed open it again
			require.NoError(t, s.Do(context.Background(), succeed))
			synctest.Wait()
		}
		require.NotSame(t, l, s.fast.cells[0].lease.Load(), "there is another lease")
		require.Equal(t, w&fastTokens, s.fast.cells[0].word.Load()&fastTokens, "with as many tokens")
		require.Equal(t, inFlight(w), inFlight(s.fast.cells[0].word.Load()))
		require.False(t, s.fast.cells[0].word.CompareAndSwap(w, w-1+fastInFlight+fastTaken), "a caller that saw the earlier lease must fail")
		close(hold)
		require.NoError(t, release())
	})
}

// Calls of the fast path are in the snapshot (B5, ledger).
func TestFastPathInSnapshot(t *testing.T) {
	fastBubble(t, Config{}, func(t *testing.T, s *Scheduler) {
		release := inFast(t, s, nil)
		snap := s.Snapshot()
		require.Equal(t, 1, snap.Running)
		require.EqualValues(t, 996, snap.Available)
		require.EqualValues(t, 4, snap.Totals.Accepted)
		require.EqualValues(t, 3, snap.Totals.Succeeded)
		require.NoError(t, release())
		require.EqualValues(t, 4, s.Snapshot().Totals.Succeeded)
	})
}

// Shutdown waits for calls of the fast path, and reports those that have not ended (C6, close).
func TestC6_ShutdownWaitsForTheFastPath(t *testing.T) {
	fastBubble(t, Config{}, func(t *testing.T, s *Scheduler) {
		release := inFast(t, s, nil)
		down := make(chan error, 1)
		go func() {
			_, err := s.Shutdown(context.Background())
			down <- err
		}()
		time.Sleep(time.Hour)
		require.Empty(t, down)
		require.Equal(t, ErrClosed, s.Do(context.Background(), succeed))
		require.NoError(t, release())
		require.NoError(t, <-down)
	})
	fastBubble(t, Config{}, func(t *testing.T, s *Scheduler) {
		release := inFast(t, s, retry.Transient(errFlaky))
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		left, err := s.Shutdown(ctx)
		require.ErrorIs(t, err, ErrClosed)
		require.Equal(t, []Unfinished{{State: "running", Cost: 1, Attempts: 1, Paid: 1}}, left)
		err = release()
		require.ErrorIs(t, err, ErrClosed)
		require.ErrorIs(t, err, errFlaky)
	})
}

// Close revokes the lease (H19).
func TestCloseRevokesTheLease(t *testing.T) {
	fastBubble(t, Config{}, func(t *testing.T, s *Scheduler) {
		release := inFast(t, s, nil)
		s.Close()
		require.False(t, fastPathOpen(s))
		require.Equal(t, ErrClosed, s.Do(context.Background(), succeed))
		require.NoError(t, release(), "a success still counts")
		require.Equal(t, 1, s.Snapshot().Running, "the final state")
	})
}

// A pause closes the fast path, and so does a queued call (O3, fast path).
func TestFastPathIsShut(t *testing.T) {
	fastBubble(t, Config{}, func(t *testing.T, s *Scheduler) {
		require.NoError(t, s.Pause())
		require.False(t, fastPathOpen(s))
		require.NoError(t, s.Resume())
		warm(t, s)
		require.NoError(t, s.Do(context.Background(), succeed)) // the lease is in use
		h, err := s.Submit(context.Background(), succeed, Cost(1000))
		require.NoError(t, err)
		s.Sync()
		require.False(t, fastPathOpen(s), "O3")
		<-h.Done()
	})
}

// With MaxInFlight, calls of the fast path hold slots and free them for others (O7, MaxInFlight).
func TestFastPathAndSlots(t *testing.T) {
	fastBubble(t, Config{MaxInFlight: 3}, func(t *testing.T, s *Scheduler) {
		one, two, three := inFast(t, s, nil), inFast(t, s, nil), inFast(t, s, nil)
		fourth, ran := make(chan error, 1), atomic.Bool{}
		go func() {
			fourth <- s.Do(context.Background(), func(context.Context) error { ran.Store(true); return nil })
		}()
		synctest.Wait() // until the fourth call is first in the queue
		h, err := s.Submit(context.Background(), succeed)
		require.NoError(t, err)
		time.Sleep(time.Hour)
		require.False(t, ran.Load())
		require.Equal(t, 2, s.Snapshot().Queued)
		require.Equal(t, 3, s.Snapshot().Running)
		time.Sleep(time.Hour)
		require.NoError(t, two())
		require.NoError(t, <-fourth)
		<-h.Done()
		require.Equal(t, events.Times{Queue: 2 * time.Hour}, h.Times(), "the slot was not free before")
		require.NoError(t, one())
		require.NoError(t, three())
	})
}

// Calls of the owner leave fewer slots for the fast path.
func TestFastPathBesideOtherCalls(t *testing.T) {
	fastBubble(t, Config{MaxInFlight: 3}, func(t *testing.T, s *Scheduler) {
		hold := make(chan struct{})
		for range 2 {
			_, err := s.Submit(context.Background(), func(context.Context) error { <-hold; return nil })
			require.NoError(t, err)
		}
		synctest.Wait()
		warm(t, s)
		release := inFast(t, s, nil)
		fourth, ran := make(chan error, 1), atomic.Bool{}
		go func() {
			fourth <- s.Do(context.Background(), func(context.Context) error { ran.Store(true); return nil })
		}()
		time.Sleep(time.Second)
		require.False(t, ran.Load())
		close(hold)
		require.NoError(t, <-fourth)
		require.NoError(t, release())
	})
}

// A call of the fast path is senior to all that came later (O2, seniority).
func TestFastPathSeniority(t *testing.T) {
	fastBubble(t, Config{}, func(t *testing.T, s *Scheduler) {
		release := inFast(t, s, retry.Transient(errFlaky))
		time.Sleep(time.Second)
		var later []*Handle
		for range 4 {
			h, err := s.Submit(context.Background(), succeed, Cost(1000))
			require.NoError(t, err)
			later = append(later, h)
		}
		time.Sleep(time.Second / 2)
		started := time.Now()
		require.NoError(t, release())
		require.Equal(t, time.Second, time.Since(started), "the retry does not queue behind later calls")
		require.Equal(t, 2, s.Snapshot().Queued)
		for _, h := range later {
			<-h.Done()
		}
	})
}

// A retry that falls due during a lease takes none of the leased tokens (B2, exactness).
func TestRetryDueDuringALease(t *testing.T) {
	fastBubble(t, Config{Limit: bucket.Per(1000, 1000*time.Hour)}, func(t *testing.T, s *Scheduler) {
		require.NoError(t, s.Do(context.Background(), succeed)) // the lease is in use
		fails := true
		require.NoError(t, s.Do(context.Background(), func(context.Context) error {
			if fails {
				fails = false
				return retry.Transient(errFlaky)
			}
			require.True(t, s.fast.cells[0].word.Load()&fastTokens <= 1000-leaseArrivals-1-800)
			return nil
		}, Cost(400)))
	})
}

// Rare calls are not worth a lease. A lease that is used stays.
func TestFastPathOpensForMany(t *testing.T) {
	fastBubble(t, Config{}, func(t *testing.T, s *Scheduler) {
		for range 5 * leaseArrivals { // with a full bucket the lease is renewed every interval
			time.Sleep(leaseInterval)
			require.True(t, fastPathOpen(s))
			require.NoError(t, s.Do(context.Background(), succeed))
		}
		require.Greater(t, taken(s.fast.cells[0].word.Load()), uint64(4*leaseArrivals))
		time.Sleep(time.Hour)
		for range 5 * leaseArrivals {
			time.Sleep(time.Second)
			require.NoError(t, s.Do(context.Background(), succeed))
			require.False(t, fastPathOpen(s))
		}
	})
}

// A subscription closes the fast path, and still sees the end of the calls on it (E3,
// completeness).
func TestE3_SubscribersCloseTheFastPath(t *testing.T) {
	fastBubble(t, Config{}, func(t *testing.T, s *Scheduler) {
		release := inFast(t, s, nil)
		sub := s.Subscribe(events.Of(events.Granted, events.Succeeded))
		require.False(t, fastPathOpen(s))
		require.NoError(t, release())
		require.NoError(t, s.Do(context.Background(), succeed))
		synctest.Wait()
		require.Equal(t, "call 4 succeeded: attempt 1 of 6", (<-sub.C).String())
		require.Equal(t, "call 5 granted: attempt 1 of 6 for 1 token, 995 tokens left", (<-sub.C).String())
		sub.Close()
		warm(t, s)
		trouble := s.Subscribe(events.Of(events.Retrying, events.Exhausted))
		warm(t, s)
		require.Empty(t, trouble.C)
	})
}

// A call that fails on the fast path keeps the number of its arrival, and so its jitter (R3,
// jitter) and its seniority (O2).
func TestFastPathFailures(t *testing.T) {
	fastBubble(t, Config{}, func(t *testing.T, s *Scheduler) {
		sub := s.Subscribe(events.Of(events.Retrying, events.Failed))
		warm(t, s)
		seventh, eighth, ninth := inFast(t, s, retry.Transient(errFlaky)), inFast(t, s, errFinal), inFast(t, s, retry.RateLimited(errFlaky))
		started := time.Now()
		require.Equal(t, errFinal, eighth())
		late := make(chan error)
		go func() { late <- ninth() }()
		synctest.Wait()
		require.NoError(t, seventh())
		require.NoError(t, <-late)
		require.Equal(t, time.Second, time.Since(started))
		var calls []uint64
		for range 3 {
			calls = append(calls, (<-sub.C).Call)
		}
		require.Equal(t, []uint64{8, 9, 7}, calls)
		n := s.Snapshot().Totals
		require.EqualValues(t, 2, n.Retries)
		require.EqualValues(t, 1, n.Failed)
		require.EqualValues(t, 1, n.RateLimited)
		require.EqualValues(t, 8, n.Succeeded)
	})
}

// A panic or a Goexit passes through Do and is counted (C3, panics; H01, H02).
func TestFastPathUnwound(t *testing.T) {
	fastBubble(t, Config{MaxInFlight: 1}, func(t *testing.T, s *Scheduler) {
		require.PanicsWithValue(t, "oops", func() {
			_ = s.Do(context.Background(), func(context.Context) error { panic("oops") })
		})
		over := make(chan struct{})
		go func() {
			defer close(over)
			_ = s.Do(context.Background(), func(context.Context) error { runtime.Goexit(); return nil })
		}()
		<-over
		require.NoError(t, s.Do(context.Background(), succeed), "the slot is free")
		require.EqualValues(t, 2, s.Snapshot().Totals.Failed)
	})
}

// A classifier that panics is contained (H03).
func TestFastPathClassifierPanics(t *testing.T) {
	cfg := Config{Classify: func(error) retry.Verdict { panic("oops") }}
	fastBubble(t, cfg, func(t *testing.T, s *Scheduler) {
		err := inFast(t, s, errFlaky)()
		require.ErrorAs(t, err, new(*PanicError))
		require.ErrorIs(t, err, errFlaky)
	})
}

// A call whose context is done takes no token from the lease (C4, deadlines; H11).
func TestH11_FastPathWithADoneContext(t *testing.T) {
	fastBubble(t, Config{}, func(t *testing.T, s *Scheduler) {
		ctx, cancel := context.WithCancel(context.Background())
		require.NoError(t, s.Do(ctx, succeed))
		cancel()
		before := s.fast.cells[0].word.Load()
		require.Equal(t, context.Canceled, s.Do(ctx, func(context.Context) error { panic("the function ran") }))
		require.Equal(t, before, s.fast.cells[0].word.Load())
	})
}

// When no more calls come, the lease ends, and with it the timer.
func TestFastPathGoesCold(t *testing.T) {
	fastBubble(t, Config{}, func(t *testing.T, s *Scheduler) {
		time.Sleep(2 * time.Second) // the lease is renewed when the bucket would be full
		synctest.Wait()
		require.False(t, fastPathOpen(s))
		armed, ok := ask(s, func(o *owner, _ time.Duration) time.Duration { return o.armed })
		require.True(t, ok)
		require.Equal(t, time.Duration(bucket.Forever), armed)
	})
}

// A call that finds both a permit and the end of its context does not start, and the token is given
// back (H10).
func TestH10_PermitAndDone(t *testing.T) {
	fastBubble(t, Config{}, func(t *testing.T, s *Scheduler) {
		for range 20 { // a select may take either first
			warm(t, s)
			c := s.newFast(context.Background(), func(context.Context) error { panic("the function ran") }, permit{})
			c.runner.fast, c.made = true, 0
			available := s.Snapshot().Available
			warm(t, s)
			require.True(t, s.post(message{op: opSubmit, call: c}))
			require.Equal(t, context.Canceled, s.cancelWaiting(c, context.Canceled))
			require.Equal(t, available-leaseArrivals, s.Snapshot().Available)
		}
		require.EqualValues(t, 20, s.Snapshot().Totals.Canceled)
		require.EqualValues(t, 20, s.Snapshot().Ledger.Refunded)
	})
}
