package scheduler_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

// Streams with places share a scheduler with other calls, while functions fail, servers ask for waits, the
// queue is full, and contexts end. No stream runs more than its places, and each input has its result (C13).
func TestParallelStorm(t *testing.T) {
	for seed := range uint64(40) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 1))
			cfg := scheduler.Config{
				Limit: bucket.PerSecond(20).Burst(5), MaxInFlight: rnd.IntN(8), MaxQueued: rnd.IntN(6), Overflow: scheduler.Overflow(rnd.IntN(3)),
				Retry: retry.Policy{MaxRetries: 1 + rnd.IntN(3), Initial: 300 * time.Millisecond, Max: 2 * time.Second},
			}
			bubble(t, cfg, func(t *testing.T, s *scheduler.Scheduler) {
				var all sync.WaitGroup
				for range 3 {
					places, ahead, seed := 1+rnd.IntN(5), 1+rnd.IntN(20), rnd.Uint64()
					all.Go(func() { parallelStorm(t, s, places, ahead, seed) })
				}
				for range 30 {
					submitAnyway(t, s, time.Duration(rnd.IntN(2000))*time.Millisecond)
					time.Sleep(time.Duration(rnd.IntN(300)) * time.Millisecond)
				}
				all.Wait()
				require.NoError(t, s.WaitIdle(t.Context()))
			})
		})
	}
}

// submitAnyway submits a call that may be refused.
func submitAnyway(t *testing.T, s *scheduler.Scheduler, runs time.Duration) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	_, _ = s.Submit(ctx, func(context.Context) error { time.Sleep(runs); return nil })
}

// parallelStorm runs one stream, with functions that fail at random, and checks what runs at once.
func parallelStorm(t *testing.T, s *scheduler.Scheduler, places, ahead int, seed uint64) {
	var mu sync.Mutex
	rnd := rand.New(rand.NewPCG(seed, 2))
	draw := func(n int) int {
		mu.Lock()
		defer mu.Unlock()
		return rnd.IntN(n)
	}
	var m most
	work := func(ctx context.Context, _ int) (int, error) {
		m.begin()
		defer m.end()
		if m.running.Load() > int64(places) {
			t.Errorf("%d functions run, with %d places", m.running.Load(), places)
		}
		time.Sleep(time.Duration(draw(500)) * time.Millisecond)
		switch draw(10) {
		case 0, 1, 2:
			return 0, retry.Transient(errBusy)
		case 3:
			return 0, retry.After(errBusy, time.Duration(draw(3000))*time.Millisecond)
		case 4:
			return 0, errBroken
		}
		return 0, nil
	}
	each := scheduler.OptionsFor(func(int) []scheduler.Option {
		return [][]scheduler.Option{nil, {scheduler.Priority(draw(5))}, {scheduler.NoWait()}, {scheduler.Cost(int64(draw(7)))},
			{scheduler.OnProgress(func(scheduler.Progress) {})}, {scheduler.OnEnd(func(*scheduler.Handle) {})}, {scheduler.Delay(time.Duration(draw(2000)) * time.Millisecond)}}[draw(7)]
	})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	last, results := 50+draw(100), 0
	for r := range scheduler.Stream(ctx, s, upTo(last), work, scheduler.Parallel(places), scheduler.LookAhead(ahead), each) {
		if results++; r.Index == last-20 && draw(3) == 0 {
			cancel()
		}
	}
	if ctx.Err() == nil && results != last {
		t.Errorf("%d results of %d inputs", results, last)
	}
}
