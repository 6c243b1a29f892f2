package scheduler

import (
	"context"
	"flag"
	"math"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/events"
	"example.com/fairlead/retry"
)

var soakFor = flag.Duration("soak.for", time.Second, "how long the soak test lasts; 0 runs it until stopped")

// TestSoak runs one scheduler at full speed, with cancellations, failures and reconfigurations. From time to time all work ends. Then the ledger is exact (B5,
// ledger), every call has ended (C1, one end), and neither goroutines nor memory have grown since
// the first time (H20 and H37, leaks).
func TestSoak(t *testing.T) {
	s, err := New(Config{Limit: soakLimit, MaxInFlight: 64, MaxQueued: 1000, Retry: retry.Policy{MaxRetries: 2, Initial: time.Microsecond, Max: time.Millisecond}})
	require.NoError(t, err)
	defer s.Close()
	start, period := time.Now(), 10*time.Second
	if *soakFor > 0 {
		period = min(period, *soakFor/4)
	}
	so := &soak{s: s}
	so.play(t, period) // warm up
	first := so.rest(t, math.MaxInt)
	for n := 1; *soakFor == 0 || time.Since(start) < *soakFor; n++ {
		so.play(t, period)
		now := so.rest(t, first.goroutines)
		t.Logf("%8s: %d calls in %d attempts; %d kB in use, %d goroutines; the ledger is exact",
			time.Since(start).Round(time.Second), now.calls, now.attempts, now.heap>>10, now.goroutines)
		require.LessOrEqual(t, now.goroutines, first.goroutines)
		require.Less(t, now.heap, first.heap+1<<20, "after %d rounds", n)
	}
}

var soakLimit = bucket.Per(1_000_000, time.Second).Burst(1000)

type soak struct {
	s    *Scheduler
	ran  atomic.Int64 // functions
	paid atomic.Int64 // by them
}

// atRest has the totals and the memory when no call runs.
type atRest struct {
	calls, attempts uint64
	heap            uint64
	goroutines      int
}

// play keeps all goroutines busy for a while.
func (so *soak) play(t *testing.T, d time.Duration) {
	var wg sync.WaitGroup
	over := make(chan struct{})
	busy := func(f func(*rand.Rand)) {
		rnd := rand.New(rand.NewPCG(rand.Uint64(), 0))
		wg.Go(func() {
			for {
				select {
				case <-over:
					return
				default:
					f(rnd)
				}
			}
		})
	}
	for range 16 {
		busy(so.call)
	}
	busy(so.reconfigure)
	time.Sleep(d)
	close(over)
	wg.Wait()
}

// call makes one random call.
func (so *soak) call(rnd *rand.Rand) {
	ctx, cancel := context.Background(), context.CancelFunc(func() {})
	if rnd.IntN(4) == 0 {
		ctx, cancel = context.WithTimeout(ctx, time.Duration(rnd.IntN(1000))*time.Microsecond)
	}
	defer cancel()
	cost := 1 + rnd.Int64N(3)
	fails := rnd.IntN(8) == 0
	f := func(context.Context) error {
		so.ran.Add(1)
		so.paid.Add(cost)
		if fails {
			return retry.Transient(errFlaky)
		}
		return nil
	}
	switch rnd.IntN(8) {
	default:
		_ = so.s.Do(ctx, f, Cost(cost), Priority(rnd.IntN(2)))
	case 0, 1, 2:
		cost = 1
		_ = so.s.Do(ctx, f)
	case 3, 4:
		if h, err := so.s.Submit(ctx, f, Cost(cost)); err == nil {
			if rnd.IntN(4) == 0 {
				h.Cancel()
			}
			<-h.Done()
		}
	case 5:
		if r, err := so.s.Reserve(ctx, Cost(cost)); err == nil {
			if <-r.Ready(); r.Err() == nil {
				so.ran.Add(1)
				so.paid.Add(cost)
				r.Done(nil)
			}
		}
	}
}

func (so *soak) reconfigure(rnd *rand.Rand) {
	s := so.s
	_ = s.SetLimit(soakLimit.Burst(100 + rnd.Int64N(1000)))
	_ = s.SetMaxInFlight(1 + rnd.IntN(64))
	_ = s.SetMaxQueued(rnd.IntN(100))
	if rnd.IntN(10) == 0 {
		_ = s.Pause()
		time.Sleep(100 * time.Microsecond)
		_ = s.Resume()
	}
	sub := s.Subscribe(events.All)
	time.Sleep(time.Duration(rnd.IntN(2000)) * time.Microsecond)
	sub.Close()
}

// rest waits until all calls have ended and, for some seconds, until no more goroutines than most are left. It checks the totals.
func (so *soak) rest(t *testing.T, most int) atRest {
	var snap Snapshot
	for {
		if snap = so.s.Snapshot(); snap.Queued+snap.Running+snap.BackingOff == 0 {
			break
		}
		runtime.Gosched() // the owner has not yet seen all outcomes
	}
	for until := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > most && time.Now().Before(until); {
		time.Sleep(time.Millisecond) // some have ended their work and not yet returned
	}
	l, n := snap.Ledger, snap.Totals
	require.Equal(t, l.Initial+l.Refilled+l.Refunded+l.Adjusted, l.Spent+snap.Available)
	require.Equal(t, n.Accepted, n.Ended())
	require.EqualValues(t, n.Attempts, so.ran.Load(), "every attempt is a function that ran")
	require.GreaterOrEqual(t, l.Spent-l.Refunded, so.paid.Load(), "every attempt was paid for")
	runtime.GC()
	runtime.GC() // for the pools
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	return atRest{n.Accepted, n.Attempts, mem.HeapAlloc, runtime.NumGoroutine()}
}
