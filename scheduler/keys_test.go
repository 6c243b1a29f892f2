package scheduler_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

// tenEach is a budget of each key beside an unlimited one.
var tenEach = scheduler.Config{Limit: bucket.Unlimited, PerKey: scheduler.PerKey{Limit: bucket.PerMinute(60).Burst(10)}}

// snapshotOf returns the state of a key.
func snapshotOf(t testing.TB, s *scheduler.Scheduler, key string) scheduler.KeySnapshot {
	t.Helper()
	snap, err := s.SnapshotOf(key)
	require.NoError(t, err)
	return snap
}

// grantedAt submits n calls of a key, and returns a channel of the instants at which they start.
func grantedAt(t *testing.T, s *scheduler.Scheduler, n int, key string) chan time.Duration {
	began, all := time.Now(), make(chan time.Duration, n)
	for range n {
		submit(t, s, func(context.Context) error { all <- time.Since(began); return nil }, scheduler.Key(key))
	}
	return all
}

// A key that is paused, held, at its cap or without tokens delays no other by a nanosecond (K3).
func TestAKeyDelaysNoOther(t *testing.T) {
	cfg := scheduler.Config{Limit: bucket.PerSecond(7).Burst(1), PerKey: scheduler.PerKey{Limit: bucket.PerSecond(5).Burst(3), MaxInFlight: 2}}
	run := func(t *testing.T, hinder func(*scheduler.Scheduler)) (others [2][]time.Duration) {
		bubble(t, cfg, func(t *testing.T, s *scheduler.Scheduler) {
			require.NoError(t, s.Do(t.Context(), nothing))
			if hinder != nil {
				hinder(s)
			}
			time.Sleep(time.Minute + time.Second/3) // the shared budget is full, whatever hinder has taken
			a, b := grantedAt(t, s, 20, "a"), grantedAt(t, s, 20, "b")
			time.Sleep(time.Minute)
			require.Len(t, a, 20)
			require.Len(t, b, 20)
			for range 20 {
				others[0], others[1] = append(others[0], <-a), append(others[1], <-b)
			}
			snap := snapshotOf(t, s, "slow")
			require.Equal(t, hinder != nil, snap.Queued >= 40, "it waits all the while")
			require.NoError(t, s.ResumeKey("slow"))
		})
		return others
	}
	alone := run(t, nil)
	queue := func(s *scheduler.Scheduler, n int, fn func(context.Context) error, opts ...scheduler.Option) {
		for range n {
			submit(t, s, fn, append(opts, scheduler.Key("slow"))...)
		}
		time.Sleep(time.Second)
	}
	for name, hinder := range map[string]func(*scheduler.Scheduler){
		"paused": func(s *scheduler.Scheduler) {
			require.NoError(t, s.PauseKey("slow", time.Time{}))
			queue(s, 50, nothing)
		},
		"paused for a while": func(s *scheduler.Scheduler) {
			require.NoError(t, s.PauseKey("slow", time.Now().Add(time.Hour)))
			queue(s, 50, nothing)
		},
		"held": func(s *scheduler.Scheduler) {
			f := &flaky{failures: 1, err: retry.After(errBusy, time.Hour)}
			queue(s, 1, f.run, scheduler.Retry(retry.Policy{MaxServerWait: 2 * time.Hour}))
			require.Equal(t, 1, f.attempts())
			queue(s, 50, nothing)
		},
		"at its cap": func(s *scheduler.Scheduler) {
			queue(s, 50, untilDone)
		},
		"without tokens": func(s *scheduler.Scheduler) {
			require.NoError(t, s.SetLimitOfKey("slow", "", bucket.Per(1, time.Hour).Burst(1)))
			require.NoError(t, s.ObserveKey("slow", "", 0))
			queue(s, 50, nothing)
		},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, alone, run(t, hinder)) })
	}
}

func TestPauseKey(t *testing.T) {
	bubble(t, tenEach, func(t *testing.T, s *scheduler.Scheduler) {
		require.NoError(t, s.PauseKey("a", time.Now().Add(time.Minute)))
		snap := snapshotOf(t, s, "a")
		require.True(t, snap.Paused)
		require.Equal(t, time.Now().Add(time.Minute), snap.PausedUntil)
		a, b := goDo(t.Context(), s, nothing, scheduler.Key("a")), goDo(t.Context(), s, nothing, scheduler.Key("b"))
		require.Zero(t, (<-b).took)
		require.Equal(t, time.Minute, (<-a).took)
		require.False(t, snapshotOf(t, s, "a").Paused)

		require.NoError(t, s.PauseKey("a", time.Time{}))
		snap = snapshotOf(t, s, "a")
		require.True(t, snap.Paused)
		require.Zero(t, snap.PausedUntil)
		a = goDo(t.Context(), s, nothing, scheduler.Key("a"))
		time.Sleep(time.Hour)
		require.Empty(t, a)
		require.NoError(t, s.ResumeKey("a"))
		require.Equal(t, time.Hour, (<-a).took)

		require.NoError(t, s.PauseKey("a", time.Time{}))
		require.NoError(t, s.PauseKey("a", time.Now().Add(-time.Second)), "it ends the pause")
		require.NoError(t, s.Do(t.Context(), nothing, scheduler.Key("a")))
	})
}

// A pause of a key ends its calls that can't meet their deadlines.
func TestPauseKeyAndDeadlines(t *testing.T) {
	bubble(t, tenEach, func(t *testing.T, s *scheduler.Scheduler) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		require.NoError(t, s.PauseKey("a", time.Time{}))
		a := goDo(ctx, s, nothing, scheduler.Key("a"))
		require.NoError(t, s.PauseKey("a", time.Now().Add(time.Hour)))
		out := <-a
		require.ErrorAs(t, out.err, new(*scheduler.DeadlineError))
		require.Zero(t, out.took)
	})
}

func TestSetLimitOfKey(t *testing.T) {
	bubble(t, tenEach, func(t *testing.T, s *scheduler.Scheduler) {
		require.NoError(t, s.SetLimitOfKey("a", "", bucket.PerMinute(1).Burst(2)))
		require.NoError(t, s.SetLimitOfKey("b", scheduler.KeyBudget, bucket.PerMinute(6000).Burst(100)))
		own := snapshotOf(t, s, "a").Budgets
		full := bucket.State{Tokens: 2, At: time.Now().UTC()}
		require.Equal(t, []scheduler.OwnBudget{{Name: "key", Available: 2, Limit: bucket.PerMinute(1).Burst(2), Level: full}}, own)
		took := func(key string, cost int64) time.Duration {
			return (<-goDo(t.Context(), s, nothing, scheduler.Key(key), scheduler.Cost(cost))).took
		}
		require.Equal(t, 900*time.Millisecond, took("b", 100), "a higher capacity adds no tokens")
		require.Zero(t, took("a", 2))
		require.Equal(t, time.Minute, took("a", 1))
		require.Zero(t, took("c", 10))

		require.ErrorAs(t, s.Do(t.Context(), nothing, scheduler.Key("a"), scheduler.Cost(3)), new(*bucket.CostError))
		require.Zero(t, took("b", 100))
		waiting := goDo(t.Context(), s, nothing, scheduler.Key("b"), scheduler.Cost(50))
		require.NoError(t, s.SetLimitOfKey("b", "", bucket.PerMinute(1).Burst(2)))
		require.ErrorAs(t, (<-waiting).err, new(*bucket.CostError))

		require.EqualValues(t, 3, s.Snapshot().Keys)
		time.Sleep(24 * time.Hour)
		for range 5 {
			require.NoError(t, s.Do(t.Context(), nothing, scheduler.Key("d")))
		}
		require.EqualValues(t, 3, s.Snapshot().Keys, "a key with a limit of its own is remembered")
		require.NoError(t, s.ForgetKey("a"))
		require.NoError(t, s.ForgetKey("b"))
		require.NoError(t, s.ForgetKey("unknown"))
		require.Equal(t, tenEach.PerKey.Limit, snapshotOf(t, s, "a").Budgets[0].Limit)
		time.Sleep(24 * time.Hour)
		for range 5 {
			require.NoError(t, s.Do(t.Context(), nothing, scheduler.Key("e")))
		}
		require.EqualValues(t, 1, s.Snapshot().Keys, "and forgotten with it")
	})
}

// A server's word on a key's budget.
func TestObserveAndLearnKey(t *testing.T) {
	bubble(t, tenEach, func(t *testing.T, s *scheduler.Scheduler) {
		level := func(key string) int64 { return snapshotOf(t, s, key).Budgets[0].Available }
		require.NoError(t, s.ObserveKey("a", "", 3))
		require.NoError(t, s.ObserveKey("a", "key", 7), "it never raises the level")
		require.NoError(t, s.ObserveKey("a", "", -1))
		require.EqualValues(t, 3, level("a"))
		require.EqualValues(t, 10, level("b"))

		release := make(chan struct{})
		running := submit(t, s, func(context.Context) error { <-release; return nil }, scheduler.Key("b"), scheduler.Cost(4))
		synctest.Wait()
		require.NoError(t, s.LearnKey("b", "", bucket.PerMinute(600).Burst(100), 90))
		require.EqualValues(t, 86, level("b"), "without what the running call has paid")
		require.NoError(t, s.LearnKey("b", "key", bucket.PerMinute(60).Burst(50), -1))
		require.EqualValues(t, 50, level("b"))
		close(release)
		require.NoError(t, settled(running))
	})
}

// Wrong arguments change nothing.
func TestKeyMethodFaults(t *testing.T) {
	none := open(t, scheduler.Config{})
	require.EqualError(t, none.SetLimitOfKey("a", "", bucket.PerMinute(1)), "scheduler: no budget of a key: set Config.PerKey.Limit, perhaps to bucket.Unlimited")
	require.ErrorIs(t, none.ObserveKey("a", "x", 1), scheduler.ErrNoBudget)

	one := open(t, tenEach)
	require.EqualError(t, one.LearnKey("a", "x", bucket.PerMinute(1), 1), `scheduler: no budget "x": there is one budget, and its name is "key"`)
	require.EqualError(t, one.SetLimitOf("key", bucket.PerMinute(1)), `scheduler: no budget "key" for all calls: each key has one of its own: use SetLimitOfKey, LearnKey or ObserveKey`)
	require.ErrorContains(t, one.SetLimitOfKey("a", "", bucket.PerMinute(-1)), "Refill is -1")
	require.ErrorContains(t, one.SetLimitOfKey("a", "", bucket.Daily(1, "UTC")), "can't have a Reset yet")
	require.ErrorContains(t, one.LearnKey("a", "", bucket.Daily(1, "UTC"), 1), "can't have a Reset yet")

	two := open(t, scheduler.Config{PerKey: scheduler.PerKey{Limits: bucket.Limits{"x": bucket.PerMinute(1), "y": bucket.PerMinute(1)}}})
	require.EqualError(t, two.ObserveKey("a", "", 1), `scheduler: no budget "": there are ["x" "y"]`)
	require.NoError(t, two.ObserveKey("a", "y", 0))
	require.EqualValues(t, 1, snapshotOf(t, two, "a").Budgets[0].Available)
	require.Zero(t, snapshotOf(t, two, "a").Budgets[1].Available)
	for _, err := range []error{
		one.PauseKey("", time.Time{}), one.ResumeKey(""), one.ForgetKey(""), one.SetLimitOfKey("", "", bucket.PerMinute(1)),
		one.ObserveKey("", "", 1), one.LearnKey("", "", bucket.PerMinute(1), 1),
	} {
		require.EqualError(t, err, "scheduler: the key is empty: calls without a key have no settings of their own")
	}
	require.Zero(t, one.Snapshot().Keys)

	one.Close()
	require.ErrorIs(t, one.PauseKey("a", time.Time{}), scheduler.ErrClosed)
	_, err := one.SnapshotOf("a")
	require.ErrorIs(t, err, scheduler.ErrClosed)
}

// SnapshotOf counts a key's calls in each state, and those without a key by the key "".
func TestSnapshotOf(t *testing.T) {
	bubble(t, scheduler.Config{Limit: bucket.PerMinute(1).Burst(2)}, func(t *testing.T, s *scheduler.Scheduler) {
		require.Equal(t, scheduler.KeySnapshot{At: time.Now(), Key: "a", Weight: 1}, snapshotOf(t, s, "a"))
		require.Equal(t, scheduler.KeySnapshot{At: time.Now(), Weight: 1}, snapshotOf(t, s, ""))
		ctx, cancel := context.WithCancel(t.Context())
		for _, key := range []string{"", "a"} {
			for range 3 {
				_, err := s.Submit(ctx, untilDone, scheduler.Key(key))
				require.NoError(t, err)
			}
			_, err := s.Submit(ctx, untilDone, scheduler.Key(key), scheduler.Delay(time.Hour))
			require.NoError(t, err)
		}
		synctest.Wait()
		require.Equal(t, scheduler.KeySnapshot{At: time.Now(), Weight: 1, Queued: 1, Running: 2, Unfinished: 4}, snapshotOf(t, s, ""))
		a := snapshotOf(t, s, "a")
		require.Equal(t, scheduler.KeySnapshot{At: time.Now(), Key: "a", Weight: 1, Queued: 3, Unfinished: 4}, a)
		require.EqualValues(t, 1, s.Snapshot().Keys)
		require.Contains(t, fmt.Sprint(s.Snapshot()), ", keys: 1 (1 compete, 0 blocked)")
		text, err := json.Marshal(a)
		require.NoError(t, err)
		require.JSONEq(t, `{"at": "2000-01-01T00:00:00Z", "key": "a", "weight": 1, "queued": 3, "running": 0, "unfinished": 4}`, string(text))
		cancel()
		synctest.Wait()
		require.Zero(t, snapshotOf(t, s, "").Unfinished)
		require.Zero(t, snapshotOf(t, s, "a").Unfinished)
	})
}
