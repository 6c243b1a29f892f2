package scheduler_test

import (
	"context"
	"iter"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/scheduler"
)

// counted counts what is read of a sequence.
func counted[T any](seq iter.Seq[T], read *atomic.Int64) iter.Seq[T] {
	return func(yield func(T) bool) {
		for v := range seq {
			read.Add(1)
			if !yield(v) {
				return
			}
		}
	}
}

// At most LookAhead inputs have been read without their results being taken.
func TestStreamLookAhead(t *testing.T) {
	for name, opts := range map[string][]scheduler.StreamOption{"as finished": nil, "ordered": {scheduler.Ordered()}} {
		t.Run(name, func(t *testing.T) {
			bubble(t, scheduler.Config{Limit: bucket.Per(1, time.Millisecond).Burst(1000)}, func(t *testing.T, s *scheduler.Scheduler) {
				const ahead = 7
				var read atomic.Int64
				most, taken := int64(0), int64(0)
				work := func(_ context.Context, i int) (int, error) {
					time.Sleep(time.Duration(i*i%11) * time.Millisecond)
					return i, nil
				}
				for range scheduler.Stream(t.Context(), s, counted(upTo(500), &read), work, append(opts, scheduler.LookAhead(ahead))...) {
					taken++
					synctest.Wait() // let it read as far ahead as it can
					inHand := read.Load() - taken
					require.LessOrEqual(t, inHand, int64(ahead))
					most = max(most, inHand)
				}
				require.EqualValues(t, ahead, most, "the look-ahead is used in full")
				require.EqualValues(t, 500, taken)
			})
		})
	}
}

// A Stream reads nothing before its loop begins.
func TestStreamIsLazy(t *testing.T) {
	bubble(t, scheduler.Config{}, func(t *testing.T, s *scheduler.Scheduler) {
		var read atomic.Int64
		results := scheduler.Stream(t.Context(), s, counted(upTo(3), &read), double)
		synctest.Wait()
		require.Zero(t, read.Load())
		require.Len(t, slices.Collect(results), 3)
	})
}

// When the context is done, each input that was read has one result, and the loop ends.
func TestStreamContextDone(t *testing.T) {
	bubble(t, scheduler.Config{Limit: oneEach}, func(t *testing.T, s *scheduler.Scheduler) {
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Minute, errBroken)
		defer cancel()
		stop, end := context.WithCancelCause(ctx)
		time.AfterFunc(5*time.Second, func() { end(errBroken) })
		var read, succeeded atomic.Int64
		seen := map[int]bool{}
		for r := range scheduler.Stream(stop, s, counted(upTo(1_000_000), &read), double, scheduler.LookAhead(30)) {
			require.False(t, seen[r.Index], "input %d", r.Index)
			seen[r.Index] = true
			if r.Err == nil {
				succeeded.Add(1)
			} else {
				require.ErrorIs(t, r.Err, errBroken)
				require.Zero(t, r.Attempts)
			}
		}
		require.EqualValues(t, read.Load(), len(seen))
		require.InDelta(t, 15, succeeded.Load(), 1, "10 at once, and one a second")
		require.Less(t, len(seen), 100, "no more inputs are read")
	})
}

// If the context is done from the start, no input is read.
func TestStreamContextDoneBefore(t *testing.T) {
	bubble(t, scheduler.Config{}, func(t *testing.T, s *scheduler.Scheduler) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.Empty(t, slices.Collect(scheduler.Stream(ctx, s, upTo(10), double)))
	})
}

// A loop that is left early cancels the calls that wait, and waits for those that run.
func TestStreamLeftEarly(t *testing.T) {
	for name, leave := range map[string]func(seq iter.Seq[scheduler.Result[int, int]]){
		"break": func(seq iter.Seq[scheduler.Result[int, int]]) {
			for range seq {
				break
			}
		},
		"panic": func(seq iter.Seq[scheduler.Result[int, int]]) {
			defer func() { _ = recover() }()
			for range seq {
				panic("enough")
			}
		},
		"goexit": func(seq iter.Seq[scheduler.Result[int, int]]) {
			inGoroutine(func() {
				for range seq {
					_ = goexits(t.Context())
				}
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, scheduler.Config{Limit: oneEach}, func(t *testing.T, s *scheduler.Scheduler) {
				var running, read atomic.Int64
				leave(scheduler.Stream(t.Context(), s, counted(upTo(1000), &read), func(ctx context.Context, i int) (int, error) {
					if i == 5 {
						return i, nil
					}
					running.Add(1)
					defer running.Add(-1)
					<-ctx.Done()
					time.Sleep(time.Minute) // the function ignores its context
					return i, nil
				}, scheduler.LookAhead(50)))
				require.Zero(t, running.Load())
				before := read.Load()
				snap := s.Snapshot()
				require.Zero(t, snap.Queued+snap.Running+snap.BackingOff)
				time.Sleep(time.Hour)
				require.Equal(t, before, read.Load(), "no more inputs are read")
				require.Equal(t, snap.Totals, s.Snapshot().Totals)
			})
		})
	}
}

// A loop can be left while its input blocks.
func TestStreamLeftWhileInputBlocks(t *testing.T) {
	bubble(t, scheduler.Config{}, func(t *testing.T, s *scheduler.Scheduler) {
		inputs := make(chan int)
		defer close(inputs)
		go func() { inputs <- 1 }()
		for range scheduler.Stream(t.Context(), s, func(yield func(int) bool) {
			for i := range inputs {
				if !yield(i) {
					return
				}
			}
		}, double) {
			break
		}
	})
}

// The result of an input that a closed scheduler refuses is ErrClosed.
func TestStreamClosed(t *testing.T) {
	bubble(t, scheduler.Config{Limit: oneEach}, func(t *testing.T, s *scheduler.Scheduler) {
		time.AfterFunc(2500*time.Millisecond, s.Close)
		succeeded, closed := 0, 0
		for r := range scheduler.Stream(t.Context(), s, upTo(100), double, scheduler.LookAhead(20)) {
			if r.Err == nil {
				succeeded++
			} else {
				require.ErrorIs(t, r.Err, scheduler.ErrClosed)
				closed++
			}
		}
		require.Equal(t, 12, succeeded)
		require.Equal(t, 88, closed)
	})
}

// A million inputs take no more memory than a few.
func TestStreamMemoryIsConstant(t *testing.T) {
	n := 1_000_000
	if racing {
		n = 50_000 // the race detector takes 25 times as long
	}
	s := open(t, scheduler.Config{})
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before, worst := heap(), uint64(0)
	sum := 0
	for r := range scheduler.Stream(t.Context(), s, upTo(n), double, scheduler.LookAhead(64), scheduler.Cost(0)) {
		sum += r.Value
		if r.Index%(n/4) == n/5 {
			worst = max(worst, heap())
		}
	}
	require.Equal(t, n*(n-1), sum)
	if worst > before {
		require.Less(t, worst-before, uint64(1<<20), "in bytes")
	}
}
