package scheduler_test

import (
	"context"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/scheduler"
)

// A goroutine that waits in Do keeps the stack of 2 kB with which it began. The runtime doubles a
// stack when the frames of Do, and those of the runtime below it, do not fit.
func TestWaitingKeepsTheFirstStack(t *testing.T) {
	if racing {
		t.Skip("the race detector has larger frames")
	}
	cancellable, cancel := context.WithCancel(context.Background())
	defer cancel()
	for name, ctx := range map[string]context.Context{"Background": context.Background(), "WithCancel": cancellable} {
		t.Run(name, func(t *testing.T) {
			const waiters = 2000
			// The runtime gives new goroutines the average stack of those that it has seen, and is to
			// see small ones.
			release := make(chan struct{})
			defer close(release)
			for range waiters {
				go func() { <-release }()
			}
			s, err := scheduler.New(scheduler.Config{Limit: bucket.Per(1, time.Hour)})
			require.NoError(t, err)
			before := stacksInUse()
			ended := make(chan error, waiters+1)
			for range waiters + 1 {
				go func() { ended <- s.Do(ctx, func(context.Context) error { return nil }) }()
			}
			require.NoError(t, <-ended)
			for s.Snapshot().Queued < waiters {
				runtime.Gosched()
			}
			require.Less(t, (stacksInUse()-before)/waiters, uint64(2700), "bytes of stack for each")
			s.Close()
			for range waiters {
				require.ErrorIs(t, <-ended, scheduler.ErrClosed)
			}
		})
	}
}

// stacksInUse returns the bytes of all stacks after a collection.
func stacksInUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.StackInuse
}
