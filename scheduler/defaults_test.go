package scheduler_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/clock/clocktest"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

func TestZeroConfig(t *testing.T) {
	bubble(t, scheduler.Config{}, func(t *testing.T, s *scheduler.Scheduler) {
		snap := s.Snapshot()
		require.NotZero(t, snap.Seed, "processes must not retry in step")
		full := scheduler.Budget{
			Available: 1000,
			Ledger:    bucket.Ledger{Initial: 1000},
			Limit:     bucket.Limit{Capacity: 1000, Refill: 100, Per: time.Minute},
			Level:     bucket.State{Tokens: 1000, At: epoch},
		}
		require.Equal(t, scheduler.Snapshot{
			At: snap.At, Budget: full, Budgets: []scheduler.Budget{full}, Rate: 1, Seed: snap.Seed,
		}, snap)
		require.True(t, epoch.Equal(snap.At))
		require.NotEqual(t, snap.Seed, open(t, scheduler.Config{}).Snapshot().Seed)
	})
}

func TestSameSeedSameDelays(t *testing.T) {
	cfg := scheduler.Config{Retry: retry.Policy{Seed: 42, Jitter: 0.5}}
	var system []time.Duration
	bubble(t, cfg, func(t *testing.T, s *scheduler.Scheduler) {
		system = delays(t, s)
		require.EqualValues(t, 42, s.Snapshot().Seed)
	})
	require.Len(t, system, 5)
	clocktest.Run(t, func(t *testing.T, mock *clocktest.Mock) {
		cfg.Clock = mock
		s := open(t, cfg)
		done := make(chan []time.Duration, 1)
		go func() { done <- delays(t, s) }()
		mock.Add(time.Hour)
		require.Equal(t, system, <-done)
	})
}

func delays(t *testing.T, s *scheduler.Scheduler) (told []time.Duration) {
	err := s.Do(t.Context(), failing(nil).run, scheduler.OnProgress(func(p scheduler.Progress) {
		told = append(told, p.Delay)
	}))
	require.ErrorIs(t, err, retry.ErrExhausted)
	return told
}
