package scheduler_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

// Each fault of a PerKey is named, with field and value (H28).
func TestH28_PerKeyFaults(t *testing.T) {
	limits := bucket.Limits{"requests": bucket.PerMinute(5), "tokens": bucket.PerMinute(100)}
	six := bucket.Limits{}
	for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
		six[name] = bucket.PerMinute(1)
	}
	for name, c := range map[string]struct {
		cfg  scheduler.Config
		want string
	}{
		"limit":        {scheduler.Config{PerKey: scheduler.PerKey{Limit: bucket.PerSecond(-3)}}, "scheduler: Config.PerKey.Limit: bucket: limit's Capacity is -3"},
		"limits":       {scheduler.Config{PerKey: scheduler.PerKey{Limits: bucket.Limits{"x": bucket.PerSecond(-3)}}}, `scheduler: Config.PerKey.Limits["x"]: bucket: limit's Capacity is -3`},
		"both":         {scheduler.Config{PerKey: scheduler.PerKey{Limit: bucket.PerSecond(3), Limits: limits}}, "scheduler: Config.PerKey.Limit is for one budget of each key, and Limits for several: set only one of them"},
		"reset":        {scheduler.Config{PerKey: scheduler.PerKey{Limit: bucket.Daily(100, "UTC")}}, "scheduler: Config.PerKey.Limit: the limit of a key can't have a Reset yet: give it a Refill"},
		"no name":      {scheduler.Config{PerKey: scheduler.PerKey{Limits: bucket.Limits{"": bucket.PerSecond(3)}}}, "scheduler: Config.PerKey.Limits has a budget without a name: use Limit for a single budget"},
		"same name":    {scheduler.Config{Limits: limits, PerKey: scheduler.PerKey{Limits: limits}}, `scheduler: Config.PerKey.Limits["tokens"]: Config.Limits has a budget "tokens" too: give that another name`},
		"named key":    {scheduler.Config{Limits: bucket.Limits{scheduler.KeyBudget: bucket.PerSecond(3)}, PerKey: scheduler.PerKey{Limit: bucket.PerSecond(3)}}, `scheduler: Config.PerKey.Limit: Config.Limits has a budget "key" too: give that another name`},
		"too many":     {scheduler.Config{PerKey: scheduler.PerKey{Limits: six}}, "scheduler: Config.PerKey.Limits: a call would pay from 7 budgets, 1 of them shared by all keys: there may be at most 6"},
		"MaxInFlight":  {scheduler.Config{PerKey: scheduler.PerKey{MaxInFlight: -1}}, "scheduler: Config.PerKey.MaxInFlight is -1: it must be positive, or 0 for no cap"},
		"MaxQueued":    {scheduler.Config{Overflow: scheduler.RefuseNew, PerKey: scheduler.PerKey{MaxQueued: -1}}, "scheduler: Config.PerKey.MaxQueued is -1: it must be positive, or 0 for no bound"},
		"WaitForRoom":  {scheduler.Config{PerKey: scheduler.PerKey{MaxQueued: 1}}, "scheduler: Config.PerKey.MaxQueued needs Config.Overflow: set RefuseNew or DropLowest, since a call can't wait for room in the queue of its key"},
		"MaxKeys":      {scheduler.Config{PerKey: scheduler.PerKey{MaxKeys: -1}}, "scheduler: Config.PerKey.MaxKeys is -1: it must be positive, or 0 for 1000000"},
		"Patience":     {scheduler.Config{PerKey: scheduler.PerKey{Patience: -1}}, "scheduler: Config.PerKey.Patience is -1ns: it must be positive, or 0 for 10s"},
		"Holds":        {scheduler.Config{PerKey: scheduler.PerKey{Holds: retry.ScopeCall}}, `scheduler: Config.PerKey.Holds is "this call alone": it must be ScopeKey, ScopeAll, or 0 for ScopeKey`},
		"retry budget": {scheduler.Config{PerKey: scheduler.PerKey{RetryBudget: &retry.Budget{Burst: -1}}}, "scheduler: Config.PerKey.RetryBudget: retry: Budget.Burst is -1: "},
		"Wait":         {scheduler.Config{PerKey: scheduler.PerKey{RetryBudget: &retry.Budget{Wait: true}}}, "scheduler: Config.PerKey.RetryBudget: Budget.Wait is true: a retry can wait only for Config.RetryBudget, so set it there or leave it out"},
	} {
		t.Run(name, func(t *testing.T) {
			require.ErrorContains(t, c.cfg.Validate(), c.want)
			_, err := scheduler.New(c.cfg)
			require.EqualError(t, err, c.cfg.Validate().Error())
		})
	}
	delete(six, "f")
	for _, cfg := range []scheduler.Config{
		{PerKey: scheduler.PerKey{Limits: six, Holds: retry.ScopeAll}},
		{Limits: six, PerKey: scheduler.PerKey{Limit: bucket.Unlimited, Holds: retry.ScopeKey}},
		{Limits: limits, PerKey: scheduler.PerKey{Limit: bucket.PerSecond(3), MaxQueued: 1}, Overflow: scheduler.DropLowest},
		{RetryBudget: &retry.Budget{Wait: true}, PerKey: scheduler.PerKey{RetryBudget: &retry.Budget{}}},
	} {
		require.NoError(t, cfg.Validate())
	}
}

// A wait that a server asks for holds the key, or with ScopeAll all keys.
func TestHolds(t *testing.T) {
	for _, c := range []struct {
		holds retry.Scope
		err   error
		other time.Duration // how long the call of another key waits
	}{
		{retry.ScopeDefault, retry.After(errBusy, time.Minute), 0},
		{retry.ScopeKey, retry.After(errBusy, time.Minute), 0},
		{retry.ScopeAll, retry.After(errBusy, time.Minute), time.Minute},
		{retry.ScopeAll, retry.Verdict{Kind: retry.KindRateLimited, Wait: time.Minute, Scope: retry.ScopeKey}.Mark(errBusy), 0},
		{retry.ScopeKey, retry.Verdict{Kind: retry.KindRateLimited, Wait: time.Minute, Scope: retry.ScopeAll}.Mark(errBusy), time.Minute},
		{retry.ScopeKey, retry.Verdict{Kind: retry.KindRateLimited, Wait: time.Minute, Budget: "requests"}.Mark(errBusy), time.Minute},
	} {
		cfg := scheduler.Config{Limits: bucket.Limits{"requests": bucket.PerSecond(100)}, Retry: exact, PerKey: scheduler.PerKey{Holds: c.holds, Limit: bucket.PerSecond(10)}}
		bubble(t, cfg, func(t *testing.T, s *scheduler.Scheduler) {
			limited := &flaky{failures: 1, err: c.err}
			first := goDo(t.Context(), s, limited.run, scheduler.Key("a"))
			same := goDo(t.Context(), s, nothing, scheduler.Key("a"))
			other := goDo(t.Context(), s, nothing, scheduler.Key("b"))
			require.Equal(t, c.other, (<-other).took.Truncate(time.Minute), "%+v", c)
			require.Equal(t, time.Minute, (<-same).took.Truncate(time.Minute), "%+v", c)
			require.NoError(t, (<-first).err)
		})
	}
}

// A verdict may name a budget of the key. That budget is emptied, and another refills during the hold.
func TestVerdictNamesABudgetOfTheKey(t *testing.T) {
	cfg := scheduler.Config{Limit: bucket.Unlimited, Retry: exact, PerKey: scheduler.PerKey{Limits: bucket.Limits{
		"requests": bucket.Per(36, time.Hour).Burst(10), "tokens": bucket.Per(36, time.Hour).Burst(10),
	}}}
	bubble(t, cfg, func(t *testing.T, s *scheduler.Scheduler) {
		verdict := retry.Verdict{Kind: retry.KindRateLimited, Wait: time.Minute, Budget: "tokens"}
		f := &flaky{failures: 1, err: verdict.Mark(errBusy)}
		done := goDo(t.Context(), s, f.run, scheduler.Key("a"))
		snap, err := s.SnapshotOf("a")
		require.NoError(t, err)
		require.Equal(t, time.Minute, time.Until(snap.HeldUntil).Truncate(time.Minute))
		require.EqualValues(t, 9, snap.Budgets[0].Available)
		require.Zero(t, snap.Budgets[1].Available, "the named budget is used up")
		require.NoError(t, (<-done).err)
	})
}
