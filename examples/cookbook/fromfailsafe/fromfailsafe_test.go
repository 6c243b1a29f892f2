package fromfailsafe

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"example.com/fairlead/examples/cookbook/internal/wire"
	"example.com/fairlead/examples/internal/strict"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type getter interface {
	Get(ctx context.Context, url string) (string, error)
}

func before(_ *testing.T, c *http.Client) getter { return NewBefore(c) }

func after(t *testing.T, c *http.Client) getter {
	a, err := NewAfter(c)
	require.NoError(t, err)
	t.Cleanup(a.Close)
	return a
}

// outcome is the result of forty calls that arrive in order, all at the same instant.
type outcome struct {
	mu         sync.Mutex
	answered   []int       // the calls, in this order
	statuses   map[int]int // as the server counts them
	running    int         // requests
	maxRunning int         // at the same time
	took       time.Duration
}

const calls = 40

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// run makes the calls against a server with this configuration, in a bubble, so it takes no time and gives exact
// times.
func run(t *testing.T, cfg strict.Config, client func(*testing.T, *http.Client) getter) *outcome {
	o := &outcome{statuses: map[int]int{}}
	count := func(f func()) {
		o.mu.Lock()
		defer o.mu.Unlock()
		f()
	}
	cfg.Log = func(e strict.Entry) { count(func() { o.statuses[e.Status]++ }) }
	api, err := strict.New(cfg)
	require.NoError(t, err)
	synctest.Test(t, func(t *testing.T) {
		base := wire.Serve(t, api)
		c := client(t, &http.Client{Transport: roundTripper(func(req *http.Request) (*http.Response, error) {
			count(func() {
				o.running++
				o.maxRunning = max(o.maxRunning, o.running)
			})
			defer count(func() { o.running-- })
			return base.RoundTrip(req)
		})})
		started := time.Now()
		var all sync.WaitGroup
		for i := range calls {
			all.Go(func() {
				if _, err := c.Get(t.Context(), "http://api.example.com/"); err != nil {
					t.Error(i, err)
				}
				count(func() { o.answered = append(o.answered, i) })
			})
			synctest.Wait() // so that they arrive in this order
		}
		all.Wait()
		o.took = time.Since(started)
	})
	require.Len(t, o.answered, calls)
	return o
}

// TestAllIsWell checks that both clients take the same time with the right limit and a server without failures.
// Only the scheduler keeps the order. With failsafe-go, waiting calls go at the beginning of each ten seconds,
// in any order.
func TestAllIsWell(t *testing.T) {
	cfg := strict.Config{PerMinute: 60, Burst: 10}
	b, a := run(t, cfg, before), run(t, cfg, after)
	for _, o := range []*outcome{b, a} {
		require.Equal(t, map[int]int{http.StatusOK: calls}, o.statuses)
		require.Equal(t, 30*time.Second, o.took)
	}
	require.True(t, slices.IsSorted(a.answered))
}

// TestTrouble checks that both clients get all answers from a server that sometimes fails, or takes longer than
// ten seconds, with at most four requests at the same time.
func TestTrouble(t *testing.T) {
	cfg := strict.Config{PerMinute: 60, Burst: 10, FailRate: 0.2, SlowRate: 0.2, Slow: time.Minute}
	for _, client := range []func(*testing.T, *http.Client) getter{before, after} {
		o := run(t, cfg, client)
		require.Equal(t, 4, o.maxRunning)
		require.Greater(t, o.statuses[http.StatusOK], calls, "some came too late")
		require.Positive(t, o.statuses[http.StatusInternalServerError])
		require.Positive(t, o.statuses[http.StatusServiceUnavailable])
		require.Zero(t, o.statuses[http.StatusTooManyRequests])
	}
}

// TestWrongLimit checks that with half the configured quota, the scheduler is refused less often, about 14 times
// instead of 24.
func TestWrongLimit(t *testing.T) {
	cfg := strict.Config{PerMinute: 30, Burst: 10, SlowRate: 1, Slow: 3 * time.Second}
	b, a := run(t, cfg, before), run(t, cfg, after)
	require.Equal(t, calls, b.statuses[http.StatusOK])
	require.Equal(t, calls, a.statuses[http.StatusOK])
	require.Less(t, a.statuses[http.StatusTooManyRequests]+5, b.statuses[http.StatusTooManyRequests])
}
