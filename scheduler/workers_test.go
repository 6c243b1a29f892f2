package scheduler

import (
	"context"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry"
)

// No call waits for the end of another, however many there are.
func TestWorkersNeverHoldACallUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := New(Config{})
		require.NoError(t, err)
		defer s.Close()
		const n = 500
		var running atomic.Int32
		hold := make(chan struct{})
		require.NoError(t, s.Pause())
		for range n {
			_, err := s.Submit(context.Background(), func(context.Context) error {
				running.Add(1)
				<-hold
				return nil
			})
			require.NoError(t, err)
		}
		require.NoError(t, s.Resume()) // all in one turn
		synctest.Wait()
		require.EqualValues(t, n, running.Load())
		close(hold)
	})
}

// A submitted call that waits for tokens or its retry has no goroutine (H36).
func TestH36_WaitingTakesNoGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := New(Config{Limit: bucket.PerSecond(1000), Retry: retry.Policy{Initial: time.Hour, Max: time.Hour}})
		require.NoError(t, err)
		defer s.Close()
		before := runtime.NumGoroutine()
		for range 3000 {
			_, err := s.Submit(context.Background(), func(context.Context) error { return retry.Transient(errFlaky) })
			require.NoError(t, err)
		}
		synctest.Wait()
		snap := s.Snapshot()
		require.Equal(t, 1000, snap.BackingOff)
		require.Equal(t, 2000, snap.Queued)
		require.Less(t, runtime.NumGoroutine()-before, 100, "other tests' goroutines may come and go")
	})
}

// Short calls need few goroutines.
func TestWorkersAreReused(t *testing.T) {
	s, err := New(Config{Limit: plenty})
	require.NoError(t, err)
	defer s.Close()
	const n = 10_000
	before := runtime.NumGoroutine()
	var most atomic.Int64
	require.NoError(t, s.Pause())
	var last *Handle
	for range n {
		last, err = s.Submit(context.Background(), func(context.Context) error {
			most.Store(max(most.Load(), int64(runtime.NumGoroutine())))
			return nil
		})
		require.NoError(t, err)
	}
	require.NoError(t, s.Resume())
	<-last.Done()
	_, err = s.Shutdown(context.Background())
	require.NoError(t, err)
	require.Less(t, most.Load()-int64(before), int64(n/50))
}

// A worker that exits leaves no call behind (H02).
func TestH02_WorkersThatExit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := New(Config{})
		require.NoError(t, err)
		defer s.Close()
		require.NoError(t, s.Pause())
		var handles []*Handle
		for i := range 100 {
			h, err := s.Submit(context.Background(), func(context.Context) error {
				if i%2 == 0 {
					runtime.Goexit()
				}
				return nil
			})
			require.NoError(t, err)
			handles = append(handles, h)
		}
		require.NoError(t, s.Resume())
		for i, h := range handles {
			<-h.Done()
			require.Equal(t, i%2 == 0, h.Err() == ErrGoexit)
		}
		synctest.Wait()
		require.Zero(t, s.workers.free.Load())
		require.Empty(t, s.workers.ready)
	})
}

// Calls are taken in order, and taken calls keep no memory.
func TestWorkersTakeInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var w workers
		w.free.Store(1 << 30) // so that add starts none
		var waiting []*call
		for range 30 {
			n := rapid.IntRange(1, 50).Draw(t, "n")
			calls := make([]*call, n)
			for i := range calls {
				calls[i] = new(call)
			}
			w.add(nil, calls)
			waiting = append(waiting, calls...)
			require.LessOrEqual(t, len(w.ready), 2*len(waiting))
			for range min(len(waiting), rapid.IntRange(0, 60).Draw(t, "taken")) {
				c, start := w.take()
				require.Same(t, waiting[0], c.call)
				require.False(t, start)
				waiting = waiting[1:]
			}
		}
	})
}
