package adapters_test

import (
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler/adapters"
)

// exact retries three times, after 1, 2 and 4 s.
var exact = retry.Policy{MaxRetries: 3, Jitter: retry.None}

func TestBackOff(t *testing.T) {
	b := adapters.BackOff{Policy: exact}
	all := func() (got []time.Duration) {
		for range 5 {
			got = append(got, b.NextBackOff())
		}
		return got
	}
	want := []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, -1, -1}
	require.Equal(t, want, all())
	require.EqualValues(t, -1, b.NextBackOff(), "no retry is left")
	b.Reset()
	require.Equal(t, want, all())

	never := adapters.BackOff{Policy: retry.Policy{MaxRetries: retry.None}}
	require.EqualValues(t, -1, never.NextBackOff())
}

func TestBackOff_SeedAndChance(t *testing.T) {
	waits := func(seed uint64) (all []time.Duration) {
		b := adapters.BackOff{Policy: retry.Policy{Seed: seed}}
		for range 5 {
			all = append(all, b.NextBackOff())
		}
		return all
	}
	require.Equal(t, waits(7), waits(7))
	require.NotEqual(t, waits(7), waits(8))
	require.NotEqual(t, waits(0), waits(0), "without a seed waits differ")

	b := adapters.BackOff{}
	first, p := b.NextBackOff(), retry.Policy{}.WithDefaults()
	require.InEpsilon(t, p.Initial, first, p.Jitter, "the zero BackOff has the default policy")
	b.Reset()
	require.NotEqual(t, first, b.NextBackOff(), "an operation does not repeat the wait of the one before")
}

func TestWorkqueue(t *testing.T) {
	w := adapters.Workqueue[string]{Policy: exact}
	require.Zero(t, w.NumRequeues("a"))
	w.Forget("a")
	for i, want := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60} {
		require.Equal(t, want*time.Second, w.When("a"), "the queue's user gives up, not the policy")
		require.Equal(t, i+1, w.NumRequeues("a"))
	}
	require.Equal(t, time.Second, w.When("b"), "items count on their own")
	w.Forget("a")
	require.Zero(t, w.NumRequeues("a"))
	require.Equal(t, 1, w.NumRequeues("b"))
	require.Equal(t, time.Second, w.When("a"))
}

func TestWorkqueue_SeedAndChance(t *testing.T) {
	waits := func(seed uint64) (all []time.Duration) {
		w := adapters.Workqueue[int]{Policy: retry.Policy{Seed: seed}}
		for item := range 5 {
			all = append(all, w.When(item))
		}
		return all
	}
	require.Equal(t, waits(7), waits(7))
	require.NotEqual(t, waits(0), waits(0))
	require.NotEqual(t, waits(7)[0], waits(7)[1], "waits of items differ")
}

func TestWorkqueue_FromManyGoroutines(t *testing.T) {
	var w adapters.Workqueue[int]
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for i := range 1000 {
				w.When(i % 10)
				w.When(-1 - i)
				w.Forget(-1 - i)
			}
			w.NumRequeues(0) // last, so that no later lock hides a missing one from the race detector
		})
	}
	all.Wait()
	for item := range 10 {
		require.Equal(t, 400, w.NumRequeues(item))
	}
}

// TestH38_ForgottenItemsGiveTheirMemoryBack checks that forgotten items leave no memory behind, not even an empty map.
func TestH38_ForgottenItemsGiveTheirMemoryBack(t *testing.T) {
	const n = 200_000
	var w adapters.Workqueue[int]
	before := heapInUse()
	for item := range n {
		w.When(item)
	}
	full := heapInUse() - before
	for item := range n {
		w.Forget(item)
	}
	left := heapInUse() - before
	t.Logf("%d kB for %d items, %d kB when they are forgotten", full>>10, n, left>>10)
	require.Less(t, left, full/8)
	runtime.KeepAlive(&w)
}

// heapInUse returns the bytes in use.
func heapInUse() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
