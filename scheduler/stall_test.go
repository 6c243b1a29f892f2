package scheduler_test

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/clock"
	"example.com/fairlead/scheduler"
)

// stalling is the clock of a process that stalls again and again, just before or just after its
// owner reads the clock.
type stalling struct {
	clock.Clock
	reads  int // the owner's
	behind atomic.Int64
}

func (c *stalling) Now() time.Time {
	c.reads++
	if c.reads%211 == 0 {
		c.stall()
	}
	now := c.see()
	if c.reads%173 == 0 {
		c.stall()
	}
	return now
}

// stall first lets functions start that were handed over, so that only later ones are delayed.
func (c *stalling) stall() {
	time.Sleep(time.Nanosecond)
	c.behind.Add(int64(c.reads%5) * int64(300*time.Millisecond))
}

// see returns the time without a stall.
func (c *stalling) see() time.Time { return c.Clock.Now().Add(time.Duration(c.behind.Load())) }

// If the process stalls before or during a turn, no burst is sent that a server with the same limit
// would refuse (B7, late owner; H59).
func TestH59_NoBurstAfterAStall(t *testing.T) {
	const late = 25 * time.Millisecond
	for _, l := range []bucket.Limit{
		{Capacity: 10, Refill: 500, Per: time.Second},
		bucket.Window(500, time.Second, 10),
		{Capacity: 1, Refill: 500, Per: time.Second},
	} {
		t.Run(l.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := &stalling{Clock: clock.System()}
				s := open(t, scheduler.Config{Clock: c, Limit: l})
				var mu sync.Mutex
				var seen []time.Time
				require.NoError(t, s.Pause()) // so that no worker waits for a full inbox and delays its function
				for range 3000 {
					submit(t, s, func(context.Context) error {
						mu.Lock()
						defer mu.Unlock()
						seen = append(seen, c.see())
						return nil
					})
				}
				require.NoError(t, s.Resume())
				left, err := s.Shutdown(t.Context())
				require.NoError(t, err)
				require.Empty(t, left)
				require.Greater(t, c.behind.Load(), int64(2*time.Second), "there were stalls")
				slices.SortFunc(seen, time.Time.Compare)

				allowed := float64(l.Capacity) // in any window, plus its refill
				if !l.Strict {
					allowed += float64(l.Refill) * late.Seconds()
				}
				rate := float64(l.Refill) / float64(l.Per)
				level, first := 0.0, 0
				for i, at := range seen {
					if i > 0 {
						level = max(0, level-rate*float64(at.Sub(seen[i-1])))
					}
					level++
					require.LessOrEqual(t, level, allowed+1e-3, "call %d at the server's time %v", i, at)
					for at.Sub(seen[first]) > time.Second {
						first++
					}
					if l.Strict {
						require.LessOrEqual(t, i-first+1, 500, "calls in the second up to %v", at)
					}
				}
			})
		})
	}
}
