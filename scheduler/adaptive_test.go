package scheduler_test

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/events"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

// With a limit above the server's, an adaptive scheduler finds the server's rate and wastes few
// calls (B12, adaptive rate). When the server allows more, it returns to its own rate.
func TestAdaptive(t *testing.T) {
	for _, adaptive := range []bool{false, true} {
		cfg := scheduler.Config{Limit: bucket.PerSecond(100).Burst(1), Adaptive: adaptive, Retry: retry.Policy{MaxRetries: 1000}}
		bubble(t, cfg, func(t *testing.T, s *scheduler.Scheduler) {
			server, err := bucket.New(bucket.PerSecond(40), 0)
			require.NoError(t, err)
			start := time.Now()
			var mu sync.Mutex
			asked, refused := 0, 0
			ask := func(context.Context) error {
				mu.Lock()
				defer mu.Unlock()
				asked++
				if !server.Take(time.Since(start), 1) {
					refused++
					return retry.RateLimited(errBusy)
				}
				return nil
			}
			for range 10_000 {
				submit(t, s, ask)
			}
			time.Sleep(100 * time.Second)
			rate := s.Snapshot().Rate
			mu.Lock()
			sent, inVain := asked, refused
			mu.Unlock()
			if !adaptive {
				require.EqualValues(t, 1, rate)
				require.Greater(t, inVain, sent/2, "most calls are refused")
				return
			}
			require.InDelta(t, 0.4, rate, 0.2, "about the server's rate")
			require.Less(t, inVain, sent/10)
			mu.Lock()
			require.NoError(t, server.SetLimit(time.Since(start), bucket.PerSecond(1000)))
			mu.Unlock()
			time.Sleep(20 * time.Second)
			require.EqualValues(t, 1, s.Snapshot().Rate)
		})
	}
}

// A change of the rate has an event and a record in the log.
func TestAdaptiveIsTold(t *testing.T) {
	var log strings.Builder
	cfg := scheduler.Config{Limit: bucket.PerMinute(60), Adaptive: true, Logger: slog.New(slog.NewTextHandler(&log, nil)), Retry: retry.Policy{MaxRetries: retry.None}}
	bubble(t, cfg, func(t *testing.T, s *scheduler.Scheduler) {
		sub := s.Subscribe(events.Of(events.RateChanged))
		require.Error(t, s.Do(t.Context(), failing(retry.RateLimited(errBusy)).run))
		time.Sleep(time.Minute)
		s.Close()
		require.Equal(t, "1 0s rate changed: 50% of what is configured\n3 1m0s rate changed: 56% of what is configured\nclosed\n", eventLines(sub))
		time.Sleep(time.Second)
		require.Contains(t, log.String(), `msg="rate changed" seq=1 available=59 rate=0.5`)
	})
}
