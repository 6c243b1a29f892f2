package adapters_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/scheduler"
	"example.com/fairlead/scheduler/adapters"
)

// TestKeyOfAContext checks that a call has the key of its context, and that this replaces one in the options.
func TestKeyOfAContext(t *testing.T) {
	type tenant struct{}
	cfg := scheduler.Config{Limit: bucket.Unlimited, PerKey: scheduler.PerKey{Limit: oneEach}}
	bubble(t, cfg, func(t *testing.T, l adapters.Limiter) {
		l.Options = append(make([]scheduler.Option, 0, 9), scheduler.Key("options"))
		left := func(key string) int64 {
			snap, err := l.Scheduler.SnapshotOf(key)
			require.NoError(t, err)
			return snap.Budgets[0].Available
		}
		require.NoError(t, l.Wait(t.Context()))
		require.EqualValues(t, 1, left("options"))

		l.Key = func(ctx context.Context) string { name, _ := ctx.Value(tenant{}).(string); return name }
		a := context.WithValue(t.Context(), tenant{}, "a")
		require.NoError(t, l.Limit(a))
		require.NoError(t, l.Limit(context.WithValue(a, tenant{}, "b")))
		require.NoError(t, adapters.Resty(l).Allow(a))
		require.True(t, l.Allow(), "no key has no limit")
		require.EqualValues(t, 0, left("a"))
		require.EqualValues(t, 1, left("b"))
		require.EqualValues(t, 1, left("options"))
		l.Options = append(l.Options, scheduler.NoWait())
		require.ErrorIs(t, l.Limit(a), scheduler.ErrWouldWait)
		var none context.Context
		require.ErrorContains(t, l.Wait(none), "nil context")
	})
}
