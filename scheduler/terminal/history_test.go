package terminal

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

// trip is a workload whose calls are all submitted at the start.
type trip struct {
	cfg   scheduler.Config
	calls int
	cost  []scheduler.Option
	work  func(ctx context.Context, rnd *rand.Rand) error

	atOnce bool // the ETA is already right when no call has ended
	held   bool // there is a hold of a minute, after five seconds
}

// TestETA compares the ETA on the way with what becomes true.
func TestETA(t *testing.T) {
	takes := func(least, most time.Duration) func(context.Context, *rand.Rand) error {
		return func(_ context.Context, rnd *rand.Rand) error {
			time.Sleep(least + time.Duration(rnd.Int64N(int64(most-least)+1))) // in a bubble
			return nil
		}
	}
	const s = time.Second
	for name, tr := range map[string]trip{
		"quota, a large burst at first": {
			cfg: scheduler.Config{Limit: bucket.PerMinute(120).Burst(100)}, calls: 600, work: takes(s, 3*s), atOnce: true,
		},
		"quota, slow calls": {
			cfg: scheduler.Config{Limit: bucket.PerSecond(5).Burst(50)}, calls: 600, work: takes(8*s, 12*s), atOnce: true,
		},
		"two budgets, most of the tokens come back": {
			cfg:   scheduler.Config{Limits: bucket.Limits{"requests": bucket.PerMinute(600).Burst(60), "tokens": bucket.PerMinute(20_000)}},
			calls: 500, cost: []scheduler.Option{scheduler.CostOf("tokens", 1000)},
			work: func(ctx context.Context, rnd *rand.Rand) error {
				time.Sleep(2*s + time.Duration(rnd.Int64N(int64(s))))
				return scheduler.Settle(ctx, "tokens", 100+rnd.Int64N(100))
			},
		},
		"quota, one attempt in five fails": {
			cfg: scheduler.Config{Limit: bucket.PerSecond(4).Burst(40), Retry: retry.Policy{MaxRetries: 20}}, calls: 600,
			work: func(_ context.Context, rnd *rand.Rand) error {
				time.Sleep(s)
				if rnd.IntN(5) == 0 {
					return retry.Transient(errors.New("busy"))
				}
				return nil
			},
		},
		"latency, all alike": {
			cfg: scheduler.Config{Limit: bucket.PerSecond(1000), MaxInFlight: 8}, calls: 400, work: takes(2*s, 2*s),
		},
		"latency, with a hold": {
			cfg: scheduler.Config{Limit: bucket.PerSecond(1000), MaxInFlight: 8}, calls: 400, work: takes(2*s, 2*s), held: true,
		},
		"latency, all different": {
			cfg: scheduler.Config{Limit: bucket.PerSecond(1000), MaxInFlight: 8}, calls: 400, work: takes(s, 4*s),
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { tr.run(t) })
		})
	}
}

func (tr trip) run(t *testing.T) {
	tr.cfg.Retry.Seed = 1
	s, err := scheduler.New(tr.cfg)
	require.NoError(t, err)
	defer s.Close()
	rnd, lock := rand.New(rand.NewPCG(1, 0)), sync.Mutex{}
	c := newHistory(s.Snapshot())
	done := make(chan struct{})
	go func() {
		defer close(done)
		var all []*scheduler.Handle
		for range tr.calls {
			h, err := s.Submit(context.Background(), func(ctx context.Context) error {
				lock.Lock()
				own := rand.New(rand.NewPCG(rnd.Uint64(), 0))
				lock.Unlock()
				return tr.work(ctx, own)
			}, tr.cost...)
			if err != nil {
				panic(err)
			}
			all = append(all, h)
		}
		for _, h := range all {
			<-h.Done()
		}
	}()

	type guess struct {
		share   float64 // of the calls that are done
		at, eta time.Duration
	}
	guesses := []guess{{share: 0.1}, {share: 0.5}, {share: 0.9}}
	if tr.atOnce {
		guesses = append([]guess{{share: 0}}, guesses...)
	}
	for next := 0; ; {
		select {
		case <-time.After(updateInterval):
			c.add(s.Snapshot())
			if tr.held && c.elapsed() == 5*time.Second {
				require.NoError(t, s.PauseUntil(s.Now().Add(time.Minute)))
			}
			ended, _ := c.ended()
			if next < len(guesses) && float64(ended) >= guesses[next].share*float64(tr.calls) {
				eta, ok := c.eta(int64(tr.calls) - ended)
				require.True(t, ok)
				guesses[next].at, guesses[next].eta = c.elapsed(), eta
				next++
			}
			continue
		case <-done:
		}
		break
	}
	c.add(s.Snapshot())
	for _, g := range guesses {
		truth := c.elapsed() - g.at
		t.Logf("at %.0f%%, after %v: %v, and it was %v", 100*g.share, g.at, g.eta, truth)
		require.InEpsilon(t, truth.Seconds(), g.eta.Seconds(), 0.15)
	}
}

// TestRefillTimeOfAQuota checks that the ETA with a quota goes by its resets.
func TestRefillTimeOfAQuota(t *testing.T) {
	at := time.Date(2030, 3, 9, 20, 0, 0, 0, time.UTC)
	b := scheduler.Budget{Available: 3, Limit: bucket.Daily(10, ""), Level: bucket.State{Tokens: 3, At: at}}
	const hour = 60 * 60.0
	require.Zero(t, refillTime(b, -3, 1))
	require.Equal(t, 4*hour, refillTime(b, 1, 0.5))
	require.Equal(t, 4*hour, refillTime(b, 10, 1))
	require.Equal(t, 28*hour, refillTime(b, 10.5, 1))
	require.Positive(t, refillTime(b, 1e300, 1))
}
