package scheduler

import (
	"container/heap"
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"example.com/fairlead/bucket"
	"example.com/fairlead/events"
	"example.com/fairlead/retry"
)

// TestTwoHundredThousandCalls makes 200,000 calls of random costs from 1,000 goroutines. They fail
// and are canceled at random. Every call ends once (C1, one end), each grant goes to the most
// senior call of the queue (O1, FIFO; O2, seniority), the ledger balances (B5, ledger), and no
// goroutine is left (H18, H20).
func TestTwoHundredThousandCalls(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	const goroutines, each = 1000, 200
	s, err := New(Config{
		Limit:       bucket.PerSecond(2_000_000).Burst(500),
		Retry:       retry.Policy{MaxRetries: 2, Initial: time.Millisecond, Max: 10 * time.Millisecond},
		EventBuffer: 3 * goroutines * each, // room for all events
	})
	require.NoError(t, err)
	granted := watchOrder(t, s)

	var out outcomes
	var wg sync.WaitGroup
	for g := range uint64(goroutines) {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(g, 7))
			for range each {
				out.count(t, randomCall(s, rnd, &out))
			}
		})
	}
	wg.Wait()
	snap := s.Snapshot()
	s.Close()

	require.Equal(t, snap.Ledger.Initial+snap.Ledger.Refilled+snap.Ledger.Refunded+snap.Ledger.Adjusted, snap.Ledger.Spent+snap.Available)
	require.Equal(t, granted(), snap.Ledger.Spent, "the grants add up to what was spent")
	require.LessOrEqual(t, out.paid.Load(), snap.Ledger.Spent-snap.Ledger.Refunded, "every attempt was paid for")
	require.Zero(t, snap.Queued+snap.Running+snap.BackingOff)
	totals := snap.Totals
	require.EqualValues(t, goroutines*each, out.succeeded.Load()+out.failed.Load()+out.exhausted.Load()+out.canceled.Load())
	require.LessOrEqual(t, totals.Accepted, uint64(goroutines*each), "a call whose context was done before is not accepted")
	require.Equal(t, totals.Accepted, totals.Ended())
	require.Equal(t, out.succeeded.Load(), totals.Succeeded)
	require.Equal(t, out.exhausted.Load(), totals.Exhausted)
	require.Equal(t, out.ran.Load(), totals.Attempts)
	require.NotZero(t, out.canceled.Load())
	t.Logf("%+v", totals)
}

// outcomes counts what callers and functions saw.
type outcomes struct {
	succeeded, failed, exhausted, canceled, ran atomic.Uint64
	paid                                        atomic.Int64
}

var (
	errFinal = errors.New("final")
	errFlaky = errors.New("flaky")
)

func (o *outcomes) count(t *testing.T, err error) {
	switch {
	case err == nil:
		o.succeeded.Add(1)
	case errors.Is(err, retry.ErrExhausted):
		o.exhausted.Add(1)
	case errors.Is(err, errFinal):
		o.failed.Add(1)
	case errors.Is(err, context.Canceled):
		o.canceled.Add(1)
	default:
		t.Errorf("unexpected outcome: %v", err)
	}
}

// randomCall makes one call, by Do or by Submit.
func randomCall(s *Scheduler, rnd *rand.Rand, out *outcomes) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if rnd.IntN(8) == 0 {
		time.AfterFunc(rand.N(3*time.Millisecond), cancel)
	}
	cost, fails, fatal := rnd.Int64N(20), rnd.IntN(16)-12, rnd.IntN(50) == 0
	var running atomic.Int32
	attempt := func(context.Context) error {
		if running.Add(1) != 1 {
			panic("two attempts of one call at the same time")
		}
		defer running.Add(-1)
		out.ran.Add(1)
		out.paid.Add(cost)
		fails--
		switch {
		case fatal:
			return errFinal
		case fails >= 0:
			return retry.Transient(errFlaky)
		}
		return nil
	}
	if rnd.IntN(2) == 0 {
		return s.Do(ctx, attempt, Cost(cost))
	}
	h, err := s.Submit(ctx, attempt, Cost(cost))
	if err != nil {
		return err
	}
	<-h.Done()
	return h.Err()
}

// watchOrder checks by the events that every grant goes to the most senior queued call. The
// function that it returns waits for the last event and returns the sum of the granted tokens.
func watchOrder(t *testing.T, s *Scheduler) (granted func() int64) {
	sub := s.Subscribe(events.Of(events.Queued, events.Granted, events.Canceled))
	finished := make(chan struct{})
	var tokens int64
	go func() {
		defer close(finished)
		queued := map[uint64]bool{}
		var order seniority
		for ev := range sub.C {
			if ev.Missed > 0 {
				t.Errorf("missed %d events, and the test needs all", ev.Missed)
				return
			}
			switch ev.Kind {
			case events.Queued:
				queued[ev.Call] = true
				heap.Push(&order, ev.Call)
			case events.Canceled:
				delete(queued, ev.Call)
			case events.Granted:
				for !queued[order[0]] {
					heap.Pop(&order)
				}
				if order[0] != ev.Call {
					t.Errorf("call %d was granted before call %d", ev.Call, order[0])
				}
				delete(queued, ev.Call)
				tokens += ev.Cost
			}
		}
	}()
	return func() int64 {
		<-finished
		return tokens
	}
}

// seniority is a heap of call numbers.
type seniority []uint64

func (s seniority) Len() int           { return len(s) }
func (s seniority) Less(i, j int) bool { return s[i] < s[j] }
func (s seniority) Swap(i, j int)      { s[i], s[j] = s[j], s[i] }
func (s *seniority) Push(x any)        { *s = append(*s, x.(uint64)) }
func (s *seniority) Pop() any {
	last := (*s)[len(*s)-1]
	*s = (*s)[:len(*s)-1]
	return last
}
