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

// heat makes so many plain calls, one right after the other, that the till is open.
func heat(t testing.TB, s *Scheduler) {
	for range loanStreak {
		require.NoError(t, s.Do(context.Background(), succeed))
	}
	synctest.Wait() // until the last one's slot is free
	require.True(t, open(s), "the till should be open")
}

func open(s *Scheduler) bool { return s.till.word.Load()&tillTokens > 0 }

// inTill starts a plain call that takes from the till and runs until it is released.
func inTill(t testing.TB, s *Scheduler, outcome error) (release func() error) {
	hold, done := make(chan struct{}), make(chan error, 1)
	first := true
	before := s.till.word.Load()
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
	require.Equal(t, taken(before)+1, taken(s.till.word.Load()), "it should have taken from the till")
	return func() error {
		close(hold)
		return <-done
	}
}

func tillBubble(t *testing.T, cfg Config, f func(t *testing.T, s *Scheduler)) {
	t.Helper()
	if cfg.Limit == (bucket.Limit{}) {
		cfg.Limit = bucket.PerSecond(1000)
	}
	cfg.Retry = retry.Policy{Jitter: retry.None}
	synctest.Test(t, func(t *testing.T) {
		s, err := New(cfg)
		require.NoError(t, err)
		defer s.Close()
		heat(t, s)
		f(t, s)
		snap := s.Snapshot()
		n := snap.Totals
		require.Equal(t, n.Accepted, n.Ended()+uint64(snap.Running+snap.Queued+snap.BackingOff))
		require.Equal(t, snap.Ledger.Initial+snap.Ledger.Refilled+snap.Ledger.Refunded+snap.Ledger.Adjusted, snap.Ledger.Spent+snap.Available)
	})
}

// H63: a caller is preempted in take, between its loads and its swap. Meanwhile the owner recalls
// the loan, grants another call its slot and number, and lends the same number of tokens again. The
// word must not be what it was.
func TestH63_TillABA(t *testing.T) {
	cfg := Config{Limit: bucket.PerSecond(1_000_000_000).Burst(1 << 40), MaxInFlight: 3}
	tillBubble(t, cfg, func(t *testing.T, s *Scheduler) {
		release := inTill(t, s, nil)
		time.Sleep(loanInterval + 1) // the loan is topped up
		synctest.Wait()
		w := s.till.word.Load()
		l := s.till.loan.Load()

		hold := make(chan struct{})
		_, err := s.Submit(context.Background(), func(context.Context) error { <-hold; return nil })
		require.NoError(t, err)
		synctest.Wait()
		for !open(s) { // plain calls that find it shut open it again, and don't take from it
			require.NoError(t, s.Do(context.Background(), succeed))
			synctest.Wait()
		}
		require.NotSame(t, l, s.till.loan.Load(), "there is another loan")
		require.Equal(t, w&tillTokens, s.till.word.Load()&tillTokens, "of as many tokens")
		require.Equal(t, inFlight(w), inFlight(s.till.word.Load()))
		require.False(t, s.till.word.CompareAndSwap(w, w-1+tillInFlight+tillTaken), "the swap of a caller who saw the loan before")
		close(hold)
		require.NoError(t, release())
	})
}

// What goes through the till is in the snapshot as anything else (B5).
func TestTillInSnapshot(t *testing.T) {
	tillBubble(t, Config{}, func(t *testing.T, s *Scheduler) {
		release := inTill(t, s, nil)
		snap := s.Snapshot()
		require.Equal(t, 1, snap.Running)
		require.EqualValues(t, 996, snap.Available)
		require.EqualValues(t, 4, snap.Totals.Accepted)
		require.EqualValues(t, 3, snap.Totals.Succeeded)
		require.NoError(t, release())
		require.EqualValues(t, 4, s.Snapshot().Totals.Succeeded)
	})
}

// C6: Shutdown waits for calls that were started through the till, and reports them.
func TestC6_ShutdownWaitsForTheTill(t *testing.T) {
	tillBubble(t, Config{}, func(t *testing.T, s *Scheduler) {
		release := inTill(t, s, nil)
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
	tillBubble(t, Config{}, func(t *testing.T, s *Scheduler) {
		release := inTill(t, s, retry.Transient(errFlaky))
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

// H19: after Close nothing goes through the till.
func TestCloseRecallsTheLoan(t *testing.T) {
	tillBubble(t, Config{}, func(t *testing.T, s *Scheduler) {
		release := inTill(t, s, nil)
		s.Close()
		require.False(t, open(s))
		require.Equal(t, ErrClosed, s.Do(context.Background(), succeed))
		require.NoError(t, release(), "a success stays a success")
		require.Equal(t, 1, s.Snapshot().Running, "the final state")
	})
}

// A pause shuts the till, and so does whoever is queued.
func TestTillIsShut(t *testing.T) {
	tillBubble(t, Config{}, func(t *testing.T, s *Scheduler) {
		require.NoError(t, s.Pause())
		require.False(t, open(s))
		require.NoError(t, s.Resume())
		heat(t, s)
		require.NoError(t, s.Do(context.Background(), succeed)) // the loan is in use
		h, err := s.Submit(context.Background(), succeed, Cost(1000))
		require.NoError(t, err)
		s.Sync()
		require.False(t, open(s), "O3")
		<-h.Done()
	})
}

// With a cap, calls by the till have slots as others do, and free them for others.
func TestTillAndSlots(t *testing.T) {
	tillBubble(t, Config{MaxInFlight: 3}, func(t *testing.T, s *Scheduler) {
		one, two, three := inTill(t, s, nil), inTill(t, s, nil), inTill(t, s, nil)
		fourth, ran := make(chan error, 1), atomic.Bool{}
		go func() {
			fourth <- s.Do(context.Background(), func(context.Context) error { ran.Store(true); return nil })
		}()
		synctest.Wait() // until it is the first in the queue
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
		require.Equal(t, events.Times{Queue: 2 * time.Hour}, h.Times(), "the slot is free from now on, and was not before")
		require.NoError(t, one())
		require.NoError(t, three())
	})
}

// Those that run otherwise take their slots from the till.
func TestTillBesideOtherCalls(t *testing.T) {
	tillBubble(t, Config{MaxInFlight: 3}, func(t *testing.T, s *Scheduler) {
		hold := make(chan struct{})
		for range 2 {
			_, err := s.Submit(context.Background(), func(context.Context) error { <-hold; return nil })
			require.NoError(t, err)
		}
		synctest.Wait()
		heat(t, s)
		release := inTill(t, s, nil)
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

// O2: a call that went through the till is senior to all that came later.
func TestTillSeniority(t *testing.T) {
	tillBubble(t, Config{}, func(t *testing.T, s *Scheduler) {
		release := inTill(t, s, retry.Transient(errFlaky))
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
		require.Equal(t, time.Second, time.Since(started), "it is not behind those that still wait")
		require.Equal(t, 2, s.Snapshot().Queued)
		for _, h := range later {
			<-h.Done()
		}
	})
}

// B2: a retry that falls due while tokens are lent is not paid out of them.
func TestRetryDueWhileLent(t *testing.T) {
	tillBubble(t, Config{Limit: bucket.Per(1000, 1000*time.Hour)}, func(t *testing.T, s *Scheduler) {
		require.NoError(t, s.Do(context.Background(), succeed)) // the loan is in use
		fails := true
		require.NoError(t, s.Do(context.Background(), func(context.Context) error {
			if fails {
				fails = false
				return retry.Transient(errFlaky)
			}
			require.True(t, s.till.word.Load()&tillTokens <= 1000-loanStreak-1-800)
			return nil
		}, Cost(400)))
	})
}

// Calls far apart are not worth a loan; a loan that is used stays.
func TestTillOpensForMany(t *testing.T) {
	tillBubble(t, Config{}, func(t *testing.T, s *Scheduler) {
		for range 5 * loanStreak { // the bucket is full: the loan is looked at every interval
			time.Sleep(loanInterval)
			require.True(t, open(s))
			require.NoError(t, s.Do(context.Background(), succeed))
		}
		require.Greater(t, taken(s.till.word.Load()), uint64(4*loanStreak))
		time.Sleep(time.Hour)
		for range 5 * loanStreak {
			time.Sleep(time.Second)
			require.NoError(t, s.Do(context.Background(), succeed))
			require.False(t, open(s))
		}
	})
}

// E3: whoever subscribes shuts the till, and still sees the end of what went through it.
func TestE3_SubscribersShutTheTill(t *testing.T) {
	tillBubble(t, Config{}, func(t *testing.T, s *Scheduler) {
		release := inTill(t, s, nil)
		sub := s.Subscribe(events.Granted, events.Succeeded)
		require.False(t, open(s))
		require.NoError(t, release())
		require.NoError(t, s.Do(context.Background(), succeed))
		synctest.Wait()
		require.Equal(t, "call 4 succeeded: attempt 1 of 6", (<-sub.C).String())
		require.Equal(t, "call 5 granted: attempt 1 of 6 for 1 token, 995 tokens left", (<-sub.C).String())
		sub.Close()
		heat(t, s)
		trouble := s.Subscribe(events.Retrying, events.Exhausted)
		heat(t, s)
		require.Empty(t, trouble.C)
	})
}

// R3, O2: a call that fails after it went through the till has the number of its arrival,
// and so the jitter and the seniority.
func TestTillFailures(t *testing.T) {
	tillBubble(t, Config{}, func(t *testing.T, s *Scheduler) {
		sub := s.Subscribe(events.Retrying, events.Failed)
		heat(t, s)
		seventh, eighth, ninth := inTill(t, s, retry.Transient(errFlaky)), inTill(t, s, errFinal), inTill(t, s, retry.RateLimited(errFlaky))
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

// H01, H02: a panic or a Goexit passes through Do, and is accounted for.
func TestTillUnwound(t *testing.T) {
	tillBubble(t, Config{MaxInFlight: 1}, func(t *testing.T, s *Scheduler) {
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

// H03: a classifier that panics is contained.
func TestTillClassifierPanics(t *testing.T) {
	cfg := Config{Classify: func(error) retry.Verdict { panic("oops") }}
	tillBubble(t, cfg, func(t *testing.T, s *Scheduler) {
		err := inTill(t, s, errFlaky)()
		require.ErrorAs(t, err, new(*PanicError))
		require.ErrorIs(t, err, errFlaky)
	})
}

// C4, H11: a context that is done takes no token there either.
func TestH11_TillWithADoneContext(t *testing.T) {
	tillBubble(t, Config{}, func(t *testing.T, s *Scheduler) {
		ctx, cancel := context.WithCancel(context.Background())
		require.NoError(t, s.Do(ctx, succeed))
		cancel()
		before := s.till.word.Load()
		require.Equal(t, context.Canceled, s.Do(ctx, func(context.Context) error { panic("it runs") }))
		require.Equal(t, before, s.till.word.Load())
	})
}

// P10: when nothing is taken any more, the loan ends, and with it the timer.
func TestTillGoesCold(t *testing.T) {
	tillBubble(t, Config{}, func(t *testing.T, s *Scheduler) {
		time.Sleep(2 * time.Second) // it is looked at when the bucket would be full
		synctest.Wait()
		require.False(t, open(s))
		armed, ok := ask(s, func(o *owner, _ time.Duration) time.Duration { return o.armed })
		require.True(t, ok)
		require.Equal(t, time.Duration(bucket.Forever), armed)
	})
}

// H10: a call that finds both a ticket and its context's end does not start, and the
// token is given back.
func TestH10_TicketAndDone(t *testing.T) {
	tillBubble(t, Config{}, func(t *testing.T, s *Scheduler) {
		for range 20 { // either could be looked at first
			heat(t, s)
			c := s.newPlain(context.Background(), func(context.Context) error { panic("it runs") }, 0)
			c.plain = true
			available := s.Snapshot().Available
			heat(t, s)
			require.True(t, s.post(message{op: opSubmit, call: c}))
			require.Equal(t, context.Canceled, s.withdraw(c, context.Canceled))
			require.Equal(t, available-loanStreak, s.Snapshot().Available)
		}
		require.EqualValues(t, 20, s.Snapshot().Totals.Cancelled)
		require.EqualValues(t, 20, s.Snapshot().Ledger.Refunded)
	})
}

// TestTillUnderFire (B2, C1): with real goroutines that take from the till and beside it,
// cancel, fail and reconfigure, no call starts before its token exists, by any clock:
