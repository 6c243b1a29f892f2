package scheduler_test

import (
	"context"
	"encoding/json"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/clock/clocktest"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

// TestRestoreKey lets a key go on in a second scheduler, from JSON: with a debt, a level, a fraction of a token and a hold. Its
// calls begin at the same instants as in the first.
func TestRestoreKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := scheduler.Config{Limit: bucket.Unlimited, Retry: exact, PerKey: scheduler.PerKey{
			Limits: bucket.Limits{"requests": bucket.Per(7, time.Minute).Burst(3), "tokens": bucket.PerSecond(10).Burst(100)},
		}}
		one, err := scheduler.New(cfg)
		require.NoError(t, err)
		defer one.Close()
		for range 2 {
			require.NoError(t, one.Do(t.Context(), func(ctx context.Context) error {
				return scheduler.Settle(ctx, "tokens", 90)
			}, scheduler.Key("a"), scheduler.Cost(1)))
		}
		_, err = one.Submit(t.Context(), func(context.Context) error { return retry.After(errBusy, time.Minute) }, scheduler.Key("held"))
		require.NoError(t, err)
		time.Sleep(3333 * time.Millisecond)
		keys := []string{"a", "held", "new"}
		before, err := one.SnapshotsOf(keys)
		require.NoError(t, err)
		require.EqualValues(t, -47, before[0].Budgets[1].Available)
		text, err := json.Marshal(before)
		require.NoError(t, err)
		time.Sleep(1717 * time.Millisecond)

		two, err := scheduler.New(cfg)
		require.NoError(t, err)
		defer two.Close()
		var read []scheduler.KeySnapshot
		require.NoError(t, json.Unmarshal(text, &read))
		for _, left := range read {
			require.NoError(t, two.RestoreKey(left))
		}
		now, err := one.SnapshotsOf(keys)
		require.NoError(t, err)
		again, err := two.SnapshotsOf(keys)
		require.NoError(t, err)
		for i := range keys {
			require.Equal(t, now[i].HeldUntil, again[i].HeldUntil)
			for k, b := range again[i].Budgets {
				require.Equal(t, now[i].Budgets[k].Available, b.Available, b.Name)
			}
			var begins [2]time.Time
			for k, s := range []*scheduler.Scheduler{one, two} {
				est, err := s.Estimate(scheduler.Key(keys[i]), scheduler.CostOf("tokens", 100), scheduler.CostOf("requests", 3))
				require.NoError(t, err)
				begins[k] = time.Now().Add(est.Wait)
			}
			require.Equal(t, begins[0], begins[1])
		}
		require.NoError(t, two.Do(t.Context(), nothing, scheduler.Key("held")))
		require.Equal(t, time.Minute/7+1, time.Since(before[1].HeldUntil), "the hold is over, and its budgets were empty")
	})
}

// TestRestoreKeyAndClocks checks that a clock that was set changes no hold for longer than it was, and adds no tokens if it was set
// back.
func TestRestoreKeyAndClocks(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	left := scheduler.KeySnapshot{
		Key: "a", At: start, HeldUntil: start.Add(time.Minute),
		Budgets: []scheduler.OwnBudget{{Name: "key", Level: bucket.State{Tokens: 1, At: start}}, {Name: "gone", Level: bucket.State{Tokens: 7}}},
	}
	for set, want := range map[time.Duration]struct {
		level int64
		held  time.Duration
	}{-time.Hour: {1, time.Minute}, 0: {1, time.Minute}, 20 * time.Second: {3, 40 * time.Second}, time.Hour: {5, 0}} {
		mock := clocktest.NewMock()
		mock.Set(start.Add(set))
		s, err := scheduler.New(scheduler.Config{
			Clock: mock, Limit: bucket.Unlimited, PerKey: scheduler.PerKey{Limit: bucket.Per(1, 10*time.Second).Burst(5)},
		})
		require.NoError(t, err)
		require.NoError(t, s.RestoreKey(left))
		snap, err := s.SnapshotOf("a")
		require.NoError(t, err)
		require.Equal(t, want.level, snap.Budgets[0].Available, set)
		require.Equal(t, want.held, max(0, snap.HeldUntil.Sub(start.Add(set))), set)
		s.Close()
		require.ErrorIs(t, s.RestoreKey(left), scheduler.ErrClosed)
	}
}

// TestRestoreKeyFaults checks the errors of RestoreKey, which change nothing.
func TestRestoreKeyFaults(t *testing.T) {
	s, err := scheduler.New(scheduler.Config{PerKey: scheduler.PerKey{MaxKeys: 1}})
	require.NoError(t, err)
	defer s.Close()
	require.ErrorContains(t, s.RestoreKey(scheduler.KeySnapshot{}), "the key is empty")
	require.NoError(t, s.PauseKey("a", time.Time{}))
	require.ErrorIs(t, s.RestoreKey(scheduler.KeySnapshot{Key: "b"}), scheduler.ErrTooManyKeys)
}
