package scheduler

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry"
)

// A waiting call that has only a key needs no more memory than one without options.
func TestAKeyNeedsNoMemoryInTheCall(t *testing.T) {
	const n = 20_000
	perCall := func(opts ...Option) int64 {
		s, err := New(Config{Limit: bucket.Per(1, time.Hour)})
		require.NoError(t, err)
		defer s.Close()
		require.NoError(t, s.PauseKey("other", time.Time{}), "keys are in use in either case")
		require.NoError(t, s.Pause())
		handles := make([]*Handle, 0, n)
		before := heapInUse()
		for range n {
			h, err := s.Submit(context.Background(), succeed, opts...)
			require.NoError(t, err)
			handles = append(handles, h)
		}
		s.Sync()
		more := heapInUse() - before
		require.Equal(t, n, s.Snapshot().Queued)
		for _, h := range handles {
			require.Nil(t, h.call.runner)
		}
		return more / n
	}
	plain, keyed, weighted := perCall(), perCall(Key("a")), perCall(Key("a"), Weight(3))
	require.Greater(t, plain, int64(100), "something was measured")
	require.InDelta(t, plain, keyed, 8, "bytes")
	require.InDelta(t, plain, weighted, 8, "bytes")
	require.Greater(t, perCall(Key("a"), Name("n")), keyed+100, "other options need a detail")
}

func heapInUse() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// A Do with a key or a weight does not take the fast path, and others do.
func TestKeysAndTheFastPath(t *testing.T) {
	fastBubble(t, Config{}, func(t *testing.T, s *Scheduler) {
		for name, c := range map[string]struct {
			fast bool
			opts []Option
		}{
			"none":           {true, []Option{}},
			"name":           {true, []Option{Name("a")}},
			"empty key":      {true, []Option{Key("")}},
			"key":            {false, []Option{Key("a")}},
			"weight":         {false, []Option{Weight(2)}},
			"empty weighted": {false, []Option{Key(""), Weight(1)}},
		} {
			warm(t, s)
			l := s.fast.cells[0].lease.Load()
			require.NoError(t, s.Do(context.Background(), func(context.Context) error {
				require.Equal(t, c.fast, fastPathOpen(s) && l == s.fast.cells[0].lease.Load(), name)
				snap, err := s.SnapshotOf("")
				require.NoError(t, err)
				if name != "key" {
					require.Equal(t, KeySnapshot{At: snap.At, Weight: max(1, snap.Weight), Running: 1, Unfinished: 1}, snap, name)
				}
				return nil
			}, c.opts...))
		}
		warm(t, s)
		require.NoError(t, s.Do(context.Background(), succeed), "keys that rest leave the fast path open")
		require.True(t, fastPathOpen(s))
	})
}

// A call with a key need not wait for the crowd of another, so it is sent to the owner. While keys are in use
// no call is listed.
func TestNewCallsWithKeys(t *testing.T) {
	inCrowd(t, Config{}, func(t *testing.T, s *Scheduler) {
		plain := goDo(context.Background(), s, succeed)
		require.True(t, listed(s))
		began := time.Now()
		require.NoError(t, <-goDo(context.Background(), s, succeed, Key("a")))
		require.Less(t, time.Since(began), 2*time.Millisecond, "it waits for its turn, and not for the crowd")
		again := goDo(context.Background(), s, succeed)
		require.False(t, listed(s))
		require.NoError(t, <-plain)
		require.NoError(t, <-again)
	})
	inCrowd(t, Config{}, func(t *testing.T, s *Scheduler) {
		weighted := goDo(context.Background(), s, succeed, Weight(2))
		require.False(t, listed(s))
		require.NoError(t, <-weighted)
	})
}

// A call of Do is used again without the key of the call before.
func TestTheNextDoHasNoKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := New(Config{Limit: bucket.Unlimited, PerKey: PerKey{MaxInFlight: 1}})
		require.NoError(t, err)
		defer s.Close()
		for range 100 {
			require.NoError(t, s.Do(context.Background(), succeed, Key("a"), Weight(5)))
			require.NoError(t, s.Do(context.Background(), func(context.Context) error {
				snap, err := s.SnapshotOf("a")
				require.NoError(t, err)
				require.Zero(t, snap.Unfinished)
				snap, err = s.SnapshotOf("")
				require.NoError(t, err)
				require.Equal(t, KeySnapshot{At: snap.At, Weight: 1, Running: 1, Unfinished: 1}, snap)
				return nil
			}, Cost(2)))
		}
	})
}

// Calls of many keys from many goroutines, with settings that change meanwhile, are all served, and no key
// has more slots than it may have (under the race detector).
func TestKeysFromManyGoroutines(t *testing.T) {
	s, err := New(Config{Limit: bucket.Unlimited, MaxInFlight: 20, PerKey: PerKey{Limit: bucket.Unlimited, MaxInFlight: 2}, Retry: retry.Policy{Initial: time.Microsecond}})
	require.NoError(t, err)
	defer s.Close()
	var mu sync.Mutex
	running, most := map[string]int{}, 0
	count := func(key string, n int) {
		mu.Lock()
		defer mu.Unlock()
		running[key] += n
		if key != "" {
			most = max(most, running[key])
		}
	}
	flaky := retry.Transient(errors.New("flaky"))
	var all sync.WaitGroup
	for g := range 100 {
		all.Go(func() {
			for i := range 50 {
				key, failed := []string{"", "a", "b", fmt.Sprint(g)}[(g+i)%4], false
				opts := []Option{Key(key)}
				if i%3 == 0 {
					opts = append(opts, Weight(1+g), CostOf("", 2))
				}
				err := s.Do(context.Background(), func(ctx context.Context) error {
					count(key, 1)
					defer count(key, -1)
					if i%3 == 0 {
						if err := Settle(ctx, "", 1); err != nil {
							return err
						}
					}
					if i%7 == 0 && !failed {
						failed = true
						return flaky
					}
					return nil
				}, opts...)
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 5 {
		all.Go(func() {
			for range 20 {
				for _, err := range []error{
					s.PauseKey("a", s.Now().Add(time.Millisecond)), s.SetLimitOfKey("b", "", bucket.PerSecond(1_000_000)),
					s.ForgetKey("b"), s.ObserveKey("b", "", 1000), s.ResumeKey("a"),
				} {
					if err != nil {
						t.Error(err)
					}
				}
				if _, err := s.SnapshotOf("a"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	n := s.Snapshot().Totals
	require.EqualValues(t, 5000, n.Accepted)
	require.EqualValues(t, 5000, n.Succeeded)
	require.LessOrEqual(t, most, 2)
}
