package quota

import (
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"example.com/fairlead/bucket"
	"example.com/fairlead/bucket/storetest"
	"example.com/fairlead/examples/cookbook/internal/wire"
	"example.com/fairlead/examples/internal/strict"
	"example.com/fairlead/scheduler"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// quota is 10 requests a second, 20 at once.
var quota = bucket.PerMinute(600).Burst(20)

// run sends 600 requests of each process to an API with that quota, which answers in 200 ms. It returns when each
// process was done, in order, and how many requests were refused.
func run(t *testing.T, config func() scheduler.Config, processes int) (done []time.Duration, refused int) {
	synctest.Test(t, func(t *testing.T) {
		api, err := strict.New(strict.Config{
			PerMinute: 600, Burst: 20, SlowRate: 1, Slow: 200 * time.Millisecond,
			Log: func(e strict.Entry) {
				if e.Status == http.StatusTooManyRequests {
					refused++
				}
			},
		})
		require.NoError(t, err)
		start, cfg := time.Now(), config()
		done = make([]time.Duration, processes)
		var all sync.WaitGroup
		for i := range processes {
			cfg.MaxInFlight, cfg.Retry.Seed = 8, uint64(i+1)
			s, err := scheduler.New(cfg)
			require.NoError(t, err)
			defer s.Close()
			client := Client(s, wire.Serve(t, api))
			all.Go(func() {
				var requests sync.WaitGroup
				for range 600 {
					requests.Go(func() {
						res, err := client.Get("http://api/")
						require.NoError(t, err)
						require.Equal(t, http.StatusOK, res.StatusCode)
						require.NoError(t, res.Body.Close())
					})
				}
				requests.Wait()
				done[i] = time.Since(start)
			})
		}
		all.Wait()
	})
	slices.Sort(done)
	return done, refused
}

// TestFigures checks the figures of the README. The quota lets 600 requests through in 58 s, and 1200 in 118 s.
func TestFigures(t *testing.T) {
	part := func(percent int64) func() scheduler.Config {
		return func() scheduler.Config { return Part(quota, percent) }
	}
	adaptive := Part(quota, 100)
	adaptive.Adaptive = true
	between := func(low, d, high time.Duration) {
		t.Helper()
		require.GreaterOrEqual(t, d, low*time.Second)
		require.LessOrEqual(t, d, high*time.Second)
	}
	figures := func(what string, cfg func() scheduler.Config) (alone time.Duration, both []time.Duration, refused int) {
		one, none := run(t, cfg, 1)
		require.Zero(t, none, "a process alone is never refused")
		both, refused = run(t, cfg, 2)
		t.Logf("%s: alone %v; both %v, refused %d", what, one[0], both, refused)
		return one[0], both, refused
	}

	alone, both, refused := figures("50 %", part(50))
	require.Zero(t, refused)
	between(118, alone, 119)
	between(118, both[0], 119)
	between(118, both[1], 119)

	alone, both, refused = figures("60 %", part(60))
	require.Less(t, refused, 60)
	between(98, alone, 99)
	between(105, both[0], 122)
	between(118, both[1], 126)

	alone, both, refused = figures("100 %", part(100))
	require.Less(t, refused, 150)
	between(58, alone, 59)
	between(58, both[0], 126) // side by side, or one after the other
	between(117, both[1], 126)

	alone, both, refused = figures("shared", func() scheduler.Config { return Shared(quota, storetest.NewMemory(time.Now)) })
	require.Zero(t, refused)
	between(58, alone, 64)
	between(118, both[0], 124)
	between(118, both[1], 124)

	_, both, _ = figures("adaptive", func() scheduler.Config { return adaptive })
	between(140, both[1], 600)
}
