package scheduler_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/scheduler"
)

// TestTenantsOnManyMachines checks that tenants whose calls come from several machines keep a limit each and one
// together, with a scheduler for each tenant on each machine. A tenant with few calls waits little.
func TestTenantsOnManyMachines(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		const machines, tenants = 2, 3
		all := newRemoteStore()
		fleets := make([]*fleet, tenants)
		for tenant := range fleets {
			f := &fleet{t: t, store: newRemoteStore(), granted: make([]atomic.Int64, machines)}
			for range machines {
				s, err := scheduler.New(scheduler.Config{
					Limits: bucket.Limits{"all": bucket.PerSecond(30).Burst(1), "tenant": bucket.PerSecond(20).Burst(1)},
					Stores: map[string]bucket.Store{"all": all, "tenant": f.store},
				})
				require.NoError(t, err)
				f.members = append(f.members, s)
			}
			t.Cleanup(f.close)
			fleets[tenant] = f
		}
		time.Sleep(bucket.LearnTime)
		const seconds = 60
		fleets[0].flood(0, 10)
		fleets[0].flood(1, 10)
		fleets[1].flood(0, 10) // from one machine
		few := int64(0)
		for began := time.Now(); time.Since(began) < seconds*time.Second; time.Sleep(time.Second) {
			from := time.Now()
			require.NoError(t, fleets[2].members[1].Do(t.Context(), func(context.Context) error { return nil }))
			few++
			require.Less(t, time.Since(from), 1100*time.Millisecond, "it waits for Ahead and little more")
		}
		many, some := fleets[0].total(), fleets[1].total()
		t.Logf("the tenants got %d, %d and %d", many, some, few)
		require.LessOrEqual(t, many, int64(20*seconds+21))
		require.LessOrEqual(t, many+some+few, int64(30*seconds+31))
		require.Greater(t, many+some+few, int64(30*seconds*99/100), "the whole rate is used")
		require.InEpsilon(t, 2, float64(many)/float64(some), 0.1, "each scheduler gets an equal part, so a tenant on two machines gets two")
	})
}
