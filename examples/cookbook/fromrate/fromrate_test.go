package fromrate

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/time/rate"

	"example.com/fairlead/bucket"
	"example.com/fairlead/examples/cookbook/internal/wire"
	"example.com/fairlead/examples/internal/strict"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type getter interface {
	Get(ctx context.Context, url string) (string, error)
}

// outcome is the result of calls that arrive in order, all at the same instant.
type outcome struct {
	requests, refused int // as the server counts them
	failed            int
	answered          []int // the calls, in this order
	took              time.Duration
}

// overtaken returns how many calls were answered before one that came earlier.
func (o outcome) overtaken() (n int) {
	first := 1 << 30
	for i := len(o.answered) - 1; i >= 0; i-- {
		if o.answered[i] > first {
			n++
		}
		first = min(first, o.answered[i])
	}
	return n
}

// run makes that many calls against a server that allows a request a second, and ten at once.
func run(t *testing.T, calls int, client func(*testing.T, *http.Client) getter) (o outcome) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		api, err := strict.New(strict.Config{PerMinute: 60, Burst: 10, Log: func(e strict.Entry) {
			mu.Lock()
			defer mu.Unlock()
			o.requests++
			if e.Status == http.StatusTooManyRequests {
				o.refused++
			}
		}})
		require.NoError(t, err)
		c := client(t, &http.Client{Transport: wire.Serve(t, api)})
		started := time.Now()
		var all sync.WaitGroup
		for i := range calls {
			all.Go(func() {
				_, err := c.Get(t.Context(), "http://api.example.com/")
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					o.failed++
				} else {
					o.answered = append(o.answered, i)
				}
			})
			synctest.Wait() // so that they arrive in this order
		}
		all.Wait()
		o.took = time.Since(started)
	})
	return o
}

func before(perSecond, burst int) func(*testing.T, *http.Client) getter {
	return func(_ *testing.T, c *http.Client) getter {
		return Before{Client: c, Limiter: rate.NewLimiter(rate.Limit(perSecond), burst)}
	}
}

func after(perSecond, burst int64, adaptive bool) func(*testing.T, *http.Client) getter {
	return func(t *testing.T, c *http.Client) getter {
		s, err := scheduler.New(scheduler.Config{
			Limit:    bucket.PerSecond(perSecond).Burst(burst),
			Retry:    retry.Policy{MaxRetries: 5, Seed: 1},
			Classify: retry.Network,
			Adaptive: adaptive,
		})
		require.NoError(t, err)
		t.Cleanup(s.Close)
		return After{Client: c, Scheduler: s}
	}
}

// TestRightLimit checks that with the server's limit both clients do the same.
func TestRightLimit(t *testing.T) {
	want := run(t, 60, before(1, 10))
	require.Equal(t, outcome{requests: 60, answered: want.answered, took: 50 * time.Second}, want)
	require.Zero(t, want.overtaken())
	require.Equal(t, want, run(t, 60, after(1, 10, false)))
}

// TestWrongLimit checks clients with twice the server's limit, as when others use the same quota. In a scheduler
// one refusal holds all calls. The results are exact, since the first client waits as told, and the policy's
// seed sets the jitter of the others.
func TestWrongLimit(t *testing.T) {
	figures := func(o outcome) []any {
		return []any{o.requests, o.refused, o.failed, o.overtaken(), o.took.Round(100 * time.Millisecond)}
	}
	require.Equal(t, []any{109, 50, 1, 47, 49500 * time.Millisecond}, figures(run(t, 60, before(2, 10))))
	require.Equal(t, []any{77, 17, 0, 0, 51300 * time.Millisecond}, figures(run(t, 60, after(2, 10, false))))
	require.Equal(t, []any{67, 7, 0, 0, 50500 * time.Millisecond}, figures(run(t, 60, after(2, 10, true))))
}
