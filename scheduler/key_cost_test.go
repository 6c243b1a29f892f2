package scheduler_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

// Two budgets that all share, and two that each key has. The names are not in the order of their indexes.
var fourBudgets = scheduler.Config{
	Limits: bucket.Limits{"b": bucket.Per(100, time.Hour), "d": bucket.Per(100, time.Hour)},
	PerKey: scheduler.PerKey{Limits: bucket.Limits{"a": bucket.Per(100, time.Hour), "c": bucket.Per(100, time.Hour)}},
}

// leftIn returns what is left of each of four budgets, of those of a key "a" and "c".
func leftIn(t *testing.T, s *scheduler.Scheduler, key string) map[string]int64 {
	all := map[string]int64{}
	for _, b := range s.Snapshot().Budgets {
		all[b.Name] = b.Available
	}
	for _, b := range snapshotOf(t, s, key).Budgets {
		all[b.Name] = b.Available
	}
	return all
}

// A call pays from shared budgets and from its key's at one instant, as Cost and CostOf say.
func TestCostOfAKeysBudget(t *testing.T) {
	bubble(t, fourBudgets, func(t *testing.T, s *scheduler.Scheduler) {
		cost := []scheduler.Option{scheduler.Cost(2), scheduler.CostOf("c", 30), scheduler.CostOf("d", 4)}
		require.NoError(t, s.Do(t.Context(), nothing, append(cost, scheduler.Key("k"))...))
		require.Equal(t, map[string]int64{"a": 98, "b": 98, "c": 70, "d": 96}, leftIn(t, s, "k"))
		require.Equal(t, map[string]int64{"a": 100, "b": 98, "c": 100, "d": 96}, leftIn(t, s, "other"))

		err := s.Do(t.Context(), nothing, cost...)
		require.EqualError(t, err, `scheduler: no budget "c" for a call without a key: each key has one, so give the call a Key`)
		require.ErrorIs(t, err, scheduler.ErrNoBudget)
		require.NoError(t, s.Do(t.Context(), nothing, scheduler.Cost(2)))
		require.Equal(t, map[string]int64{"a": 98, "b": 96, "c": 70, "d": 94}, leftIn(t, s, "k"))
		for name, want := range map[string]bool{"a": true, "b": true, "c": true, "d": true, "key": false, "": false} {
			require.Equal(t, want, s.HasBudget(name), name)
			require.Equal(t, want && (name == "a" || name == "c"), s.HasKeyBudget(name), name)
		}
		err = s.Do(t.Context(), nothing, scheduler.Key("k"), scheduler.CostOf("x", 1))
		require.EqualError(t, err, `scheduler: no budget "x": there are ["b" "d" "a" "c"]`)
	})
	require.True(t, open(t, tenEach).HasBudget(scheduler.KeyBudget))
	require.True(t, open(t, tenEach).HasKeyBudget(scheduler.KeyBudget))
}

// A call waits for its key's tokens without taking others (K4).
func TestNothingIsTakenBeforeAllIsThere(t *testing.T) {
	bubble(t, fourBudgets, func(t *testing.T, s *scheduler.Scheduler) {
		require.NoError(t, s.ObserveKey("k", "a", 0))
		h := submit(t, s, nothing, scheduler.Key("k"), scheduler.Cost(50))
		require.Equal(t, map[string]int64{"a": 0, "b": 100, "c": 100, "d": 100}, leftIn(t, s, "k"))
		require.NoError(t, s.Do(t.Context(), nothing, scheduler.Cost(100)))
		require.NoError(t, settled(h))
		require.Equal(t, 30*time.Minute, h.Times().Tokens)
		require.Equal(t, map[string]int64{"a": 0, "b": 0, "c": 50, "d": 0}, leftIn(t, s, "k"))
	})
}

// A cost that the key can never pay is refused. The key may have a limit of its own.
func TestCostsAboveAKeysCapacity(t *testing.T) {
	bubble(t, tenEach, func(t *testing.T, s *scheduler.Scheduler) {
		key, eleven := scheduler.Key("k"), scheduler.Cost(11)
		var wrong *bucket.CostError
		require.ErrorAs(t, s.Do(t.Context(), nothing, key, eleven), &wrong)
		require.Equal(t, "key", wrong.Budget)
		require.ErrorAs(t, settled(submit(t, s, nothing, key, eleven)), &wrong)
		_, err := s.Estimate(key, eleven)
		require.ErrorAs(t, err, &wrong)
		_, err = s.Submit(t.Context(), nothing, key, scheduler.CostOf("key", -1))
		require.ErrorAs(t, err, &wrong)

		require.NoError(t, s.SetLimitOfKey("k", "", bucket.PerSecond(1).Burst(11)))
		est, err := s.Estimate(key, eleven)
		require.NoError(t, err)
		require.Equal(t, time.Second, est.Wait)
		require.Equal(t, time.Second, (<-goDo(t.Context(), s, nothing, key, eleven)).took)
		require.NoError(t, s.Do(t.Context(), nothing, eleven), "a call without a key pays nothing to a key")
	})
}

// Settle corrects what the key has paid.
func TestSettleAKeysBudget(t *testing.T) {
	bubble(t, fourBudgets, func(t *testing.T, s *scheduler.Scheduler) {
		settle := func(budget string, tokens int64) func(context.Context) error {
			return func(ctx context.Context) error { return scheduler.Settle(ctx, budget, tokens) }
		}
		ten, key := scheduler.Cost(10), scheduler.Key("k")
		require.NoError(t, s.Do(t.Context(), settle("a", 3), ten, key))
		require.Equal(t, map[string]int64{"a": 97, "b": 90, "c": 90, "d": 90}, leftIn(t, s, "k"))
		require.NoError(t, s.Do(t.Context(), settle("c", 25), ten, key))
		require.Equal(t, map[string]int64{"a": 87, "b": 80, "c": 65, "d": 80}, leftIn(t, s, "k"))
		require.EqualError(t, s.Do(t.Context(), settle("c", 25), ten), `scheduler: no budget "c" for a call without a key: each key has one, so give the call a Key`)
		require.ErrorIs(t, settled(submit(t, s, settle("a", 1))), scheduler.ErrNoBudget)
		require.ErrorAs(t, s.Do(t.Context(), settle("a", -1), ten, key), new(*bucket.CostError))

		r, err := s.Reserve(t.Context(), key)
		require.NoError(t, err)
		<-r.Ready()
		require.NoError(t, r.Settle("a", 0))
		r.Resent()
		r.Done(nil)
		require.Equal(t, map[string]int64{"a": 76, "b": 57, "c": 53, "d": 57}, leftIn(t, s, "k"))
		plain, err := s.Reserve(t.Context())
		require.NoError(t, err)
		<-plain.Ready()
		require.ErrorIs(t, plain.Settle("a", 0), scheduler.ErrNoBudget)
		plain.Done(nil)
	})
}

// What a call has really cost changes the shares at once (K7).
func TestSettledCostsCountForTheShare(t *testing.T) {
	bubble(t, scheduler.Config{Limit: bucket.PerSecond(10).Burst(1), Level: empty}, func(t *testing.T, s *scheduler.Scheduler) {
		var cheap, dear atomic.Int64
		for range 200 {
			submit(t, s, func(context.Context) error { cheap.Add(1); return nil }, scheduler.Key("cheap"))
			submit(t, s, func(ctx context.Context) error {
				dear.Add(1)
				return scheduler.Settle(ctx, "", 2) // it was paid 1
			}, scheduler.Key("dear"))
		}
		time.Sleep(18 * time.Second)
		require.InDelta(t, 90, cheap.Load(), 3)
		require.InDelta(t, 45, dear.Load(), 2)
	})
}

// A call with NoWait starts at once although thousands of another key wait for their own tokens.
func TestNoWaitBesideACrowdOfAnotherKey(t *testing.T) {
	bubble(t, scheduler.Config{Limit: bucket.PerSecond(10_000), PerKey: scheduler.PerKey{Limit: bucket.PerSecond(100).Burst(1)}}, func(t *testing.T, s *scheduler.Scheduler) {
		for range 5000 {
			submit(t, s, nothing, scheduler.Key("crowd"))
		}
		time.Sleep(time.Millisecond)
		require.NoError(t, s.Do(t.Context(), nothing, scheduler.Key("a"), scheduler.NoWait()))
		require.NoError(t, s.Do(t.Context(), nothing, scheduler.NoWait()))
		var refused *scheduler.WouldWaitError
		require.ErrorAs(t, s.Do(t.Context(), nothing, scheduler.Key("crowd"), scheduler.NoWait()), &refused)
		require.Equal(t, "queue", refused.For)
		require.ErrorAs(t, s.Do(t.Context(), nothing, scheduler.Key("a"), scheduler.NoWait()), &refused)
		require.Equal(t, "tokens", refused.For)
	})
}

// A retry pays again from both, and a canceled call has paid nothing (K7).
func TestRetriesPayFromTheKey(t *testing.T) {
	cfg := fourBudgets
	cfg.Retry = retry.Policy{Initial: time.Millisecond, Jitter: retry.None}
	bubble(t, cfg, func(t *testing.T, s *scheduler.Scheduler) {
		f := &flaky{failures: 2, err: retry.Transient(errBusy)}
		require.NoError(t, s.Do(t.Context(), f.run, scheduler.Key("k")))
		require.Equal(t, map[string]int64{"a": 97, "b": 97, "c": 97, "d": 97}, leftIn(t, s, "k"))
		require.NoError(t, s.ObserveKey("k", "a", 0))
		ctx, cancel := context.WithCancel(t.Context())
		waits := goDo(ctx, s, nothing, scheduler.Key("k"))
		cancel()
		require.ErrorIs(t, (<-waits).err, context.Canceled)
		synctest.Wait()
		require.Equal(t, map[string]int64{"a": 0, "b": 97, "c": 97, "d": 97}, leftIn(t, s, "k"))
	})
}
