package scheduler

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/events"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler/internal/core"
)

// TestD2_ThreeWaysOneTraceWithKeys is TestD2_ThreeWaysOneTrace for calls with keys, with weights, budgets, caps
// and pauses of their own.
func TestD2_ThreeWaysOneTraceWithKeys(t *testing.T) {
	all := ""
	for seed := range uint64(10) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			w := newWorkload(seed)
			w.addKeys(seed)
			all += w.runThreeWays(t)
		})
	}
	for _, key := range []string{"a", "b", "c"} {
		for _, kind := range []events.Kind{events.Granted, events.Dropped, events.Retrying} {
			require.NotZero(t, strings.Count(all, fmt.Sprintf("of key %q %v", key, kind)), "%s %v", key, kind)
		}
	}
	require.Greater(t, strings.Count(all, "held"), 5)
}

// keyFor returns the key of the i-th call: every fourth has none.
func keyFor(i int) string { return []string{"", "a", "b", "c"}[i%4] }

// addKeys gives the calls keys, and the keys what they may have for themselves.
func (w *workload) addKeys(seed uint64) {
	rnd := rand.New(rand.NewPCG(seed, 2))
	upTo := func(d time.Duration) time.Duration { return 1 + time.Duration(rnd.Int64N(int64(d))) }
	w.cfg.PerKey = PerKey{Limits: bucket.Limits{"own": bucket.PerSecond(3).Burst(6)}, MaxInFlight: 2, MaxQueued: 12, Patience: 3 * time.Second, MaxKeys: 3}
	if seed%3 == 0 {
		w.cfg.PerKey.Holds = retry.ScopeAll
	}
	for i := range w.calls {
		c := &w.calls[i]
		if c.key = keyFor(i); rnd.IntN(3) == 0 {
			c.weight = 1 + rnd.IntN(4)
		}
	}
	own := bucket.PerSecond(2).Burst(5)
	w.turns = append(
		w.turns,
		workTurn{
			20*time.Second + upTo(time.Second),
			func(s *Scheduler) error { return s.PauseKey("a", s.origin.Add(23456789012)) },
			func(k *core.Core, now time.Duration) { _ = k.PauseKey(now, "a", 23456789012) },
		},
		workTurn{
			22*time.Second + upTo(time.Second),
			func(s *Scheduler) error { return s.SetLimitOfKey("b", "", own) },
			func(k *core.Core, now time.Duration) { _ = k.SetLimitOfKey(now, "b", 1, own) },
		},
		workTurn{
			24*time.Second + upTo(time.Second),
			func(s *Scheduler) error { return s.ObserveKey("c", "own", 1) },
			func(k *core.Core, now time.Duration) { _ = k.ObserveKey(now, "c", 1, 1) },
		},
	)
}
