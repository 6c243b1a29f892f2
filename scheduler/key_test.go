package scheduler_test

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

// hundred is 100 tokens a second, one by one.
var hundred = bucket.PerSecond(100).Burst(1)

// A tenant with 10,000 calls delays those of 49 others by no more than a call of each (noisy neighbor).
func TestKeysShareFairly(t *testing.T) {
	bubble(t, scheduler.Config{Limit: hundred}, func(t *testing.T, s *scheduler.Scheduler) {
		for range 10_000 {
			submit(t, s, nothing, scheduler.Key("flood"))
		}
		var all sync.WaitGroup
		var mu sync.Mutex
		worst := time.Duration(0)
		for tenant := range 49 {
			all.Go(func() {
				time.Sleep(time.Duration(tenant) * 7 * time.Millisecond)
				for range 20 {
					began := time.Now()
					if err := s.Do(t.Context(), nothing, scheduler.Key(string(rune('A'+tenant)))); err != nil {
						t.Error(err)
					}
					mu.Lock()
					worst = max(worst, time.Since(began))
					mu.Unlock()
					time.Sleep(time.Second)
				}
			})
		}
		all.Wait()
		require.Less(t, worst, 600*time.Millisecond)
		require.Greater(t, worst, 10*time.Millisecond, "there was something to wait for")
		snap, err := s.SnapshotOf("flood")
		require.NoError(t, err)
		require.Greater(t, snap.Queued, 5000)
	})
}

// While two keys have calls, tokens are shared by weight. A new weight counts at once, and a call without one
// sets it back.
func TestWeight(t *testing.T) {
	bubble(t, scheduler.Config{Limit: hundred, Level: empty}, func(t *testing.T, s *scheduler.Scheduler) {
		var granted [2]atomic.Int64
		calls := func(n, tenant int, opts ...scheduler.Option) {
			key := scheduler.Key([]string{"a", "b"}[tenant])
			for range n {
				submit(t, s, func(context.Context) error { granted[tenant].Add(1); return nil }, append(opts, key)...)
			}
		}
		calls(1000, 0, scheduler.Weight(3))
		calls(1000, 1)
		time.Sleep(4*time.Second + time.Millisecond)
		require.InDelta(t, 300, granted[0].Load(), 3)
		require.InDelta(t, 100, granted[1].Load(), 3)

		calls(1, 0)
		snap, err := s.SnapshotOf("a")
		require.NoError(t, err)
		require.Equal(t, 1, snap.Weight)
		time.Sleep(2 * time.Second)
		require.InDelta(t, 400, granted[0].Load(), 4)
		require.InDelta(t, 200, granted[1].Load(), 4)
	})
}

// Without a key, Weight is that of the calls without a key.
func TestWeightWithoutKey(t *testing.T) {
	bubble(t, scheduler.Config{Limit: hundred, Level: empty}, func(t *testing.T, s *scheduler.Scheduler) {
		var plain, keyed atomic.Int64
		for range 400 {
			submit(t, s, func(context.Context) error { plain.Add(1); return nil }, scheduler.Weight(4))
			submit(t, s, func(context.Context) error { keyed.Add(1); return nil }, scheduler.Key("a"))
		}
		time.Sleep(time.Second + time.Millisecond)
		require.InDelta(t, 80, plain.Load(), 2)
		require.InDelta(t, 20, keyed.Load(), 2)
	})
}

// New keys with one call each, such as user ids, come faster than the tokens. A key that has used its share
// gets the next token all the same when its Patience is over (K5).
func TestPatience(t *testing.T) {
	for _, patience := range []time.Duration{0, 2 * time.Second, 5 * time.Second} {
		bubble(t, scheduler.Config{Limit: bucket.PerSecond(10).Burst(1), Level: empty, PerKey: scheduler.PerKey{Patience: patience}}, func(t *testing.T, s *scheduler.Scheduler) {
			ctx, cancel := context.WithCancel(t.Context())
			go func() {
				for i := 0; ctx.Err() == nil; i++ {
					submit(t, s, nothing, scheduler.Key(fmt.Sprint("user", i)))
					time.Sleep(time.Second / 11)
				}
			}()
			time.Sleep(time.Second)
			require.NoError(t, s.Do(ctx, nothing, scheduler.Key("regular")))
			began := time.Now()
			require.NoError(t, s.Do(ctx, nothing, scheduler.Key("regular")))
			require.InDelta(t, cmp.Or(patience, 10*time.Second), time.Since(began), float64(500*time.Millisecond))
			cancel()
			synctest.Wait()
			time.Sleep(time.Second)
		})
	}
}

func TestWeightFaults(t *testing.T) {
	s := open(t, scheduler.Config{})
	for _, w := range []int{0, -1, 1_000_001, math.MaxInt, math.MinInt} {
		err := s.Do(t.Context(), nothing, scheduler.Key("a"), scheduler.Weight(w))
		require.ErrorContains(t, err, "it must be from 1 to 1000000")
		require.Equal(t, retry.KindFinal, retry.Any(err).Kind)
		_, err = s.Estimate(scheduler.Weight(w))
		require.Error(t, err)
	}
	require.NoError(t, s.Do(t.Context(), nothing, scheduler.Key("a"), scheduler.Weight(1_000_000)))
	require.NoError(t, s.Do(t.Context(), nothing, scheduler.Weight(1_000_000)))
	require.Zero(t, s.Snapshot().Totals.Refused, "they don't reach the owner")
}

// Key("") is a call without a key.
func TestEmptyKey(t *testing.T) {
	bubble(t, scheduler.Config{Limit: oneEach, PerKey: scheduler.PerKey{MaxInFlight: 1, Limit: bucket.PerMinute(1)}}, func(t *testing.T, s *scheduler.Scheduler) {
		for range 3 {
			submit(t, s, untilDone, scheduler.Key(""))
		}
		synctest.Wait()
		snap := s.Snapshot()
		require.Equal(t, 3, snap.Running)
		require.Zero(t, snap.Keys)
	})
}

// Each way to make a call has the key's budget and cap.
func TestKeyInEveryKindOfCall(t *testing.T) {
	cfg := scheduler.Config{Limit: bucket.Unlimited, PerKey: scheduler.PerKey{Limit: bucket.PerMinute(1).Burst(1)}}
	key := scheduler.Key("a")
	took := func(t *testing.T, cfg scheduler.Config, call func(*scheduler.Scheduler)) time.Duration {
		var d time.Duration
		bubble(t, cfg, func(t *testing.T, s *scheduler.Scheduler) {
			require.NoError(t, s.Do(t.Context(), nothing, key))
			began := time.Now()
			call(s)
			d = time.Since(began)
			require.EqualValues(t, 1, s.Snapshot().Keys)
		})
		return d
	}
	one := func(context.Context) (int, error) { return 1, nil }
	calls := map[string]func(*scheduler.Scheduler){
		"Do":     func(s *scheduler.Scheduler) { require.NoError(t, s.Do(context.Background(), nothing, key)) },
		"Submit": func(s *scheduler.Scheduler) { require.NoError(t, settled(submit(t, s, nothing, key))) },
		"Value": func(s *scheduler.Scheduler) {
			_, err := scheduler.Value(context.Background(), s, one, key)
			require.NoError(t, err)
		},
		"Reserve": func(s *scheduler.Scheduler) {
			r, err := s.Reserve(context.Background(), key)
			require.NoError(t, err)
			<-r.Ready()
			r.Done(nil)
		},
		"Stream": func(s *scheduler.Scheduler) {
			double := func(_ context.Context, n int) (int, error) { return 2 * n, nil }
			for r := range scheduler.Stream(context.Background(), s, upTo(1), double, key) {
				require.NoError(t, r.Err)
				require.Equal(t, "a", r.Key)
			}
		},
		"Estimate": func(s *scheduler.Scheduler) {
			est, err := s.Estimate(key)
			require.NoError(t, err)
			require.Equal(t, scheduler.Estimate{Position: 1, Wait: time.Minute, AtLeast: time.Minute, At: time.Now().Add(time.Minute)}, est)
			time.Sleep(est.Wait)
		},
		"NoWait": func(s *scheduler.Scheduler) {
			var refused *scheduler.WouldWaitError
			require.ErrorAs(t, s.Do(context.Background(), nothing, key, scheduler.NoWait()), &refused)
			require.Equal(t, scheduler.WouldWaitError{For: "tokens", Wait: time.Minute, RetryAt: s.Now().Add(time.Minute)}, *refused)
			time.Sleep(refused.Wait)
			require.NoError(t, s.Do(context.Background(), nothing, key, scheduler.NoWait()))
		},
	}
	for name, call := range calls {
		t.Run(name, func(t *testing.T) { require.Equal(t, time.Minute, took(t, cfg, call)) })
	}
}

// A key's own cap holds up that key alone.
func TestKeyMaxInFlight(t *testing.T) {
	bubble(t, scheduler.Config{Limit: bucket.Unlimited, PerKey: scheduler.PerKey{MaxInFlight: 2}}, func(t *testing.T, s *scheduler.Scheduler) {
		ctx, cancel := context.WithCancel(t.Context())
		for _, key := range []string{"a", "b", ""} {
			for range 3 {
				_, err := s.Submit(ctx, untilDone, scheduler.Key(key))
				require.NoError(t, err)
			}
		}
		synctest.Wait()
		for key, running := range map[string]int{"a": 2, "b": 2, "": 3} {
			snap, err := s.SnapshotOf(key)
			require.NoError(t, err)
			require.Equal(t, running, snap.Running, key)
			require.Equal(t, 3-running, snap.Queued, key)
			require.Equal(t, 3, snap.Unfinished, key)
		}
		cancel()
	})
}

// MaxQueued bounds each key apart, and the error says whose bound it is.
func TestKeyMaxQueued(t *testing.T) {
	cfg := scheduler.Config{Limit: bucket.PerMinute(1).Burst(1), Level: empty, Overflow: scheduler.RefuseNew, PerKey: scheduler.PerKey{MaxQueued: 2}}
	bubble(t, cfg, func(t *testing.T, s *scheduler.Scheduler) {
		for range 2 {
			submit(t, s, nothing, scheduler.Key("a"))
		}
		_, err := s.Submit(t.Context(), nothing, scheduler.Key("a"))
		var full *scheduler.QueueFullError
		require.ErrorAs(t, err, &full)
		require.Equal(t, scheduler.QueueFullError{Queued: 2, Max: 2, Key: "a", Wait: full.Wait, RetryAt: s.Now().Add(full.Wait)}, *full)
		require.ErrorContains(t, err, `queue is full: 2 calls of the key "a" wait, PerKey.MaxQueued is 2`)
		require.ErrorIs(t, err, scheduler.ErrQueueFull)
		for range 5 {
			submit(t, s, nothing)
		}
		submit(t, s, nothing, scheduler.Key("b"))
		require.NoError(t, s.SetMaxQueued(0))
		_, err = s.Submit(t.Context(), nothing, scheduler.Key("a"))
		require.ErrorIs(t, err, scheduler.ErrQueueFull, "SetMaxQueued is for all calls")
	})
}

func TestTooManyKeys(t *testing.T) {
	bubble(t, scheduler.Config{Limit: oneEach, PerKey: scheduler.PerKey{MaxKeys: 2}}, func(t *testing.T, s *scheduler.Scheduler) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		for _, key := range []string{"a", "b"} {
			_, err := s.Submit(ctx, untilDone, scheduler.Key(key))
			require.NoError(t, err)
		}
		err := s.Do(ctx, nothing, scheduler.Key("c"))
		var many *scheduler.TooManyKeysError
		require.ErrorAs(t, err, &many)
		require.Equal(t, scheduler.TooManyKeysError{Max: 2}, *many)
		require.ErrorIs(t, err, scheduler.ErrTooManyKeys)
		require.ErrorContains(t, err, "scheduler: too many keys: 2 are remembered")
		require.ErrorIs(t, s.PauseKey("c", time.Time{}), scheduler.ErrTooManyKeys)
		for _, err := range []error{s.PauseKey("c", time.Now()), s.ResumeKey("c"), s.ForgetKey("c")} {
			require.NoError(t, err, "there is nothing to remember")
		}
		require.Equal(t, 2, s.Snapshot().Keys)
		require.NoError(t, s.Do(ctx, nothing, scheduler.Key("a")))
		require.NoError(t, s.Do(ctx, nothing))
	})
}
