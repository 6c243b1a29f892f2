package scheduler

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/clock"
)

// jumping is a clock that can be put ahead, as if the process had stood still.
type jumping struct {
	clock.Clock
	ahead atomic.Int64
}

func (j *jumping) Now() time.Time { return j.Clock.Now().Add(time.Duration(j.ahead.Load())) }

// After a stall, what fell due in it does not come as one burst (B7), also while a call still runs
// that was granted by the fast path.
func TestH59_NoBurstWhileTheFastPathRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &jumping{Clock: clock.System()}
		s, err := New(Config{Clock: c, Limit: bucket.Per(1000, time.Second).Burst(2 * minLease)})
		require.NoError(t, err)
		defer s.Close()
		for range leaseArrivals {
			require.NoError(t, s.Do(t.Context(), succeed))
		}
		ending := make(chan struct{})
		go func() { _ = s.Do(t.Context(), func(context.Context) error { <-ending; return nil }) }()
		synctest.Wait()
		var ran atomic.Int64
		for range 2000 {
			_, err := s.Submit(t.Context(), func(context.Context) error { ran.Add(1); return nil })
			require.NoError(t, err)
		}
		synctest.Wait()
		fast, ok := ask(s, func(o *owner, _ time.Duration) int { return o.core.InFast })
		require.True(t, ok)
		require.Equal(t, 1, fast)
		before := ran.Load()
		c.ahead.Add(int64(900 * time.Millisecond))
		s.Snapshot()
		synctest.Wait()
		require.LessOrEqual(t, ran.Load()-before, int64(2*minLease+25))
		close(ending)
	})
}
