package scheduler

import (
	"cmp"
	"context"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/events"
	"example.com/fairlead/retry"
)

// inFastWith starts a call with options on the fast path, which runs until it is released. It also
// returns the context of its function.
func inFastWith(t testing.TB, s *Scheduler, outcome error, opts ...Option) (release func() error, ctx context.Context) {
	hold, done, started := make(chan struct{}), make(chan error, 1), make(chan context.Context, 1)
	before := inFlight(s.fast.cells[0].word.Load())
	go func() {
		first := true
		done <- s.Do(context.Background(), func(ctx context.Context) error {
			if first {
				first = false
				started <- ctx
				<-hold
				return outcome
			}
			return nil
		}, opts...)
	}()
	ctx = <-started
	synctest.Wait()
	require.Equal(t, before+1, inFlight(s.fast.cells[0].word.Load()), "the call should run by the fast path")
	return func() error {
		close(hold)
		return <-done
	}, ctx
}

// A call without options on the fast path has the scheduler's timeout (C12, attempt timeout).
func TestFastPathTimeout(t *testing.T) {
	fastBubble(t, Config{AttemptTimeout: time.Minute}, func(t *testing.T, s *Scheduler) {
		started := time.Now()
		require.NoError(t, s.Do(t.Context(), func(ctx context.Context) error {
			first := time.Since(started) == 0
			require.Equal(t, first, inFlight(s.fast.cells[0].word.Load()) == 1, "on the fast path")
			<-ctx.Done()
			if !first {
				return nil
			}
			require.ErrorAs(t, context.Cause(ctx), new(*AttemptTimeoutError))
			return ctx.Err()
		}))
		require.Equal(t, 2*time.Minute+time.Second, time.Since(started), "it was retried after 1 s")
	})
}

// TestOptionsTakeTheFastPath checks every option. CostOf and Cost(0) take the path by the owner.
func TestOptionsTakeTheFastPath(t *testing.T) {
	fastBubble(t, Config{}, func(t *testing.T, s *Scheduler) {
		for _, opt := range []Option{
			Name("a"), Priority(3), NoWait(), MaxWait(time.Second), WaitUntilDeadline(), Retry(retry.Policy{}), Classify(retry.Network),
			OnProgress(func(Progress) {}), AttemptTimeout(time.Hour), Cost(20),
		} {
			release, _ := inFastWith(t, s, nil, opt)
			require.NoError(t, release())
		}
		require.EqualValues(t, 3+10, s.Snapshot().Totals.Succeeded)
		require.EqualValues(t, 3+9+20, s.Snapshot().Ledger.Spent)
		warm(t, s)
		before := s.fast.cells[0].word.Load()
		require.NoError(t, s.Do(context.Background(), succeed, Cost(0)))
		require.NoError(t, s.Do(context.Background(), succeed, CostOf("", 1)))
		require.Equal(t, inFlight(before), inFlight(s.fast.cells[0].word.Load()))
		require.Equal(t, taken(before), taken(s.fast.cells[0].word.Load()), "the owner granted these two")
	})
}

// Shutdown reports calls of the fast path with names, numbers and costs (C6, close).
func TestC6_ReportNamesFastCalls(t *testing.T) {
	fastBubble(t, Config{}, func(t *testing.T, s *Scheduler) {
		big, _ := inFastWith(t, s, nil, Name("big"), Cost(7))
		plain := inFast(t, s, nil)
		small, _ := inFastWith(t, s, errFinal, Name("small"), Priority(2))
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		left, err := s.Shutdown(ctx)
		require.ErrorIs(t, err, ErrClosed)
		for i := range left {
			left[i].Rank, left[i].Began = time.Time{}, time.Time{}
		}
		require.Equal(t, []Unfinished{
			{State: "running", Cost: 1, Attempts: 1, Paid: 1},
			{Call: 6, Name: "small", State: "running", Priority: 2, Cost: 1, Attempts: 1, Paid: 1},
			{Call: 4, Name: "big", State: "running", Cost: 7, Attempts: 1, Paid: 7},
		}, left)
		require.NoError(t, big())
		require.NoError(t, plain())
		require.Equal(t, errFinal, small())
	})
}

// A server's word on what is left may not include what running calls have paid, so Learn subtracts
// that (B11, Observe and Learn).
func TestB11_LearnKnowsFastCosts(t *testing.T) {
	fastBubble(t, Config{}, func(t *testing.T, s *Scheduler) {
		release, _ := inFastWith(t, s, nil, Cost(70))
		plain := inFast(t, s, nil)
		require.NoError(t, s.Learn("", bucket.PerSecond(1000), 500))
		require.EqualValues(t, 500-70-1, s.Snapshot().Available)
		require.EqualValues(t, 2, s.Snapshot().Running)
		require.NoError(t, release())
		require.NoError(t, plain())
		require.EqualValues(t, 5, s.Snapshot().Totals.Succeeded)
	})
}

// A call of the fast path can be settled like any other (B10, Settle).
func TestB10_SettleFastCalls(t *testing.T) {
	fastBubble(t, Config{}, func(t *testing.T, s *Scheduler) {
		for _, outcome := range []error{nil, errFinal, retry.Transient(errFlaky)} {
			net := func() int64 { l := s.Snapshot().Ledger; return l.Spent - l.Refunded }
			before := net()
			warm(t, s)
			release, ctx := inFastWith(t, s, outcome, Cost(100))
			require.NoError(t, Settle(ctx, "", 30))
			require.NoError(t, Settle(ctx, "", 250))
			require.EqualValues(t, leaseArrivals+250, net()-before)
			require.Equal(t, final(outcome), release())
			require.ErrorIs(t, Settle(ctx, "", 1), ErrNotSettled)
		}
	})
}

// final returns what Do returns if the first attempt has this outcome and the second succeeds.
func final(outcome error) error {
	if outcome == errFinal {
		return outcome
	}
	return nil
}

// A subscription that begins while a call of the fast path runs sees its name (E3, completeness).
func TestE3_FastCallsHaveNames(t *testing.T) {
	fastBubble(t, Config{}, func(t *testing.T, s *Scheduler) {
		release, _ := inFastWith(t, s, nil, Name("a"), Cost(4), Retry(retry.Policy{MaxRetries: 2}))
		sub := s.Subscribe(events.Of(events.Succeeded))
		require.NoError(t, release())
		ev := <-sub.C
		require.Equal(t, []any{uint64(4), "a", int64(4), 1, 3}, []any{ev.Call, ev.Name, ev.Cost, ev.Attempt, ev.MaxAttempts})
	})
}

// When a call of the fast path fails, it ranks by its priority (O5, priority).
func TestO5_FastCallKeepsItsPriority(t *testing.T) {
	fastBubble(t, Config{PriorityStep: time.Second}, func(t *testing.T, s *Scheduler) {
		release, _ := inFastWith(t, s, retry.Transient(errFlaky), Priority(5))
		go func() { _ = release() }()
		synctest.Wait()
		var rank time.Duration
		_, _ = ask(s, func(o *owner, _ time.Duration) bool { rank = o.core.Unfinished(o.core.Now)[0].Rank; return true })
		require.Equal(t, -5*time.Second, rank)
		time.Sleep(time.Minute)
	})
}

// On the fast path MaxElapsed counts from the beginning of the function, and not from that of the lease
// (R8, MaxElapsed).
func TestR8_FastPath(t *testing.T) {
	policy := retry.Policy{MaxElapsed: 10 * time.Second, Jitter: retry.None}
	for name, c := range map[string]struct {
		ofAll retry.Policy
		opts  []Option
	}{
		"plain": {ofAll: policy}, "with an option": {policy, []Option{Priority(1)}}, "of the call": {opts: []Option{Retry(policy)}},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := Config{Limit: bucket.Per(1, time.Hour).Burst(1000), Retry: c.ofAll}
			fastBubble(t, cfg, func(t *testing.T, s *Scheduler) {
				time.Sleep(time.Minute)
				for _, late := range []bool{false, true} {
					release, _ := inFastWith(t, s, retry.Transient(errFlaky), c.opts...)
					if late {
						time.Sleep(9*time.Second + 1)
						require.ErrorIs(t, release(), retry.ErrExhausted)
						break
					}
					time.Sleep(9 * time.Second)
					require.NoError(t, release(), "its retry begins after 10 s")
					warm(t, s)
					time.Sleep(time.Minute)
				}
			})
		})
	}
}

// The same for a call that the owner grants from the lease.
func TestR8_FromTheLease(t *testing.T) {
	cfg := Config{Limit: bucket.Per(1, time.Hour).Burst(1000), Retry: retry.Policy{MaxElapsed: 10 * time.Second}}
	fastBubble(t, cfg, func(t *testing.T, s *Scheduler) {
		time.Sleep(time.Minute)
		failed := false
		c := s.calls.Get().(*call)
		require.NoError(t, s.prepare(c, t.Context(), func(context.Context) error {
			if failed {
				return nil
			}
			failed = true
			return retry.Transient(errFlaky)
		}, nil))
		c.runner.fast = true
		before := taken(s.fast.cells[0].word.Load())
		require.True(t, s.post(message{op: opSubmit, call: c}))
		synctest.Wait()
		require.Equal(t, before+1, taken(s.fast.cells[0].word.Load()))
		require.NoError(t, s.run(c, waiting))
	})
}

// Calls of the fast path may hold all slots and wait for calls made inside them (O7, MaxInFlight;
// H62).
func TestH62_DeadlockOfFastCalls(t *testing.T) {
	fastBubble(t, Config{MaxInFlight: 2}, func(t *testing.T, s *Scheduler) {
		var wg sync.WaitGroup
		errs := make(chan error, 2)
		for range 2 {
			wg.Go(func() {
				_ = s.Do(context.Background(), func(ctx context.Context) error {
					time.Sleep(time.Second)
					errs <- s.Do(ctx, succeed)
					return nil
				}, Cost(2))
			})
		}
		synctest.Wait()
		require.EqualValues(t, 2, inFlight(s.fast.cells[0].word.Load()))
		wg.Wait()
		one, other := <-errs, <-errs
		require.ErrorIs(t, cmp.Or(one, other), ErrDeadlock)
		require.True(t, one == nil || other == nil, "one of them goes on")
	})
}

// The scheduler keeps no slot for calls that were collected.
func TestFastSlotsAreForgotten(t *testing.T) {
	var f fastSlots
	kept := f.add()
	for i := range 100_000 {
		f.add()
		if i%1000 == 0 {
			runtime.GC()
		}
	}
	require.Less(t, cap(f.slots), 10_000)
	kept.call = new(call)
	require.Equal(t, []*call{kept.call}, f.calls())
}

// While the owner keeps looking at them, calls of the fast path end once each (C1, one end), and
// the ledger balances (B5, ledger).
func TestFastCallsUnderFire(t *testing.T) {
	s, err := New(Config{Limit: bucket.PerSecond(1_000_000_000).Burst(1 << 30)})
	require.NoError(t, err)
	var wg sync.WaitGroup
	const goroutines, each = 16, 2000
	for g := range goroutines {
		wg.Go(func() {
			for i := range each {
				attempts := 0
				err := s.Do(context.Background(), func(ctx context.Context) error {
					attempts++
					switch {
					case i%7 == 0:
						_ = Settle(ctx, "", 5)
					case i%11 == 0 && attempts == 1:
						return retry.After(errFlaky, 1)
					}
					return nil
				}, Cost(3), Name(strconv.Itoa(g)))
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 300 {
		_, _ = ask(s, func(o *owner, now time.Duration) bool { o.knowAll(now); return true })
		runtime.Gosched()
	}
	wg.Wait()
	snap := s.Snapshot()
	s.Close()
	require.Zero(t, snap.Running)
	require.EqualValues(t, goroutines*each, snap.Totals.Succeeded)
	require.EqualValues(t, goroutines*each, snap.Totals.Accepted)
	spent := int64(0)
	for i := range each {
		switch {
		case i%7 == 0:
			spent += 5
		case i%11 == 0:
			spent += 6
		default:
			spent += 3
		}
	}
	require.Equal(t, goroutines*spent, snap.Ledger.Spent-snap.Ledger.Refunded)
}

// The fast path takes no call before its instant, and takes one whose instant has passed. A call that
// has not arrived does not close it (O9, arrivals).
func TestFastPathAndNotBefore(t *testing.T) {
	fastBubble(t, Config{}, func(t *testing.T, s *Scheduler) {
		warm(t, s)
		start := time.Now()
		require.NoError(t, s.Do(t.Context(), succeed, Delay(time.Second)))
		require.Equal(t, time.Second, time.Since(start))

		h, err := s.Submit(t.Context(), succeed, Delay(time.Hour))
		require.NoError(t, err)
		require.Equal(t, 1, s.Snapshot().Later)
		warm(t, s)
		release, _ := inFastWith(t, s, nil, NotBefore(start))
		require.NoError(t, release())
		time.Sleep(time.Hour)
		synctest.Wait()
		require.NoError(t, h.Err())
		require.Equal(t, events.Times{Later: time.Hour}, h.Times())
	})
}
