package forecast

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/scheduler"
)

var hundred = bucket.PerSecond(100).Burst(1)

// TestPredictNoisyNeighbor predicts what a flood of calls does to 49 others, in one queue and with keys.
func TestPredictNoisyNeighbor(t *testing.T) {
	flood, others := Workload{Calls: 10_000}, Workload{Calls: 490, Every: 50 * time.Millisecond}
	f, err := Predict(scheduler.Config{Limit: hundred}, flood, others)
	require.NoError(t, err)
	require.Equal(t, f.WorstWait, f.Parts[1].WorstWait)
	require.Greater(t, f.Parts[1].MedianWait, 90*time.Second, "behind the flood")

	flood.Key, others.Key, others.Keys = "flood", "tenant", 49
	f, err = Predict(scheduler.Config{Limit: hundred}, flood, others)
	require.NoError(t, err)
	require.Equal(t, "flood", f.Parts[0].Key)
	require.Equal(t, "tenant", f.Parts[1].Key)
	require.Equal(t, 490, f.Parts[1].Started)
	require.LessOrEqual(t, f.Parts[1].WorstWait, 20*time.Millisecond, "behind one call of the flood")
	require.Less(t, f.Parts[1].Took, 25*time.Second)
	require.Equal(t, f.Took, f.Parts[0].Took)
}

// TestPredictPerKey compares forecasts with what can be worked out by hand.
func TestPredictPerKey(t *testing.T) {
	shared := scheduler.Config{Limit: bucket.PerSecond(100)}
	for name, c := range map[string]struct {
		per  scheduler.PerKey
		work Workload
		want Part
	}{
		"a limit each":      {scheduler.PerKey{Limit: bucket.PerSecond(1)}, Workload{Calls: 12, Key: "k", Keys: 3}, Part{"k", 12, 3 * time.Second, time.Second, 3 * time.Second, 3 * time.Second}},
		"one key":           {scheduler.PerKey{Limit: bucket.PerSecond(1)}, Workload{Calls: 4, Key: "k"}, Part{"k", 4, 3 * time.Second, time.Second, 2 * time.Second, 3 * time.Second}},
		"without keys":      {scheduler.PerKey{Limit: bucket.PerSecond(1)}, Workload{Calls: 4}, Part{"", 4, 0, 0, 0, 0}},
		"a cap each":        {scheduler.PerKey{MaxInFlight: 1}, Workload{Calls: 6, Keys: 2, Latency: time.Second}, Part{"", 6, 3 * time.Second, time.Second, 2 * time.Second, 2 * time.Second}},
		"a cost of the key": {scheduler.PerKey{Limits: bucket.Limits{"tokens": bucket.PerSecond(1).Burst(10)}}, Workload{Calls: 3, Key: "k", Costs: map[string]int64{"tokens": 5}}, Part{"k", 3, 5 * time.Second, 0, 0, 5 * time.Second}},
		"two refused":       {scheduler.PerKey{Limit: bucket.PerSecond(1), MaxQueued: 1}, Workload{Calls: 4, Key: "k"}, Part{"k", 2, time.Second, 0, 0, time.Second}},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := shared
			cfg.PerKey, cfg.Overflow = c.per, scheduler.RefuseNew
			f, err := Predict(cfg, c.work)
			require.NoError(t, err)
			require.Equal(t, []Part{c.want}, f.Parts)
			require.Equal(t, c.want.WorstWait, f.WorstWait)
		})
	}
}

// TestPredictWeights checks that a workload with three times the weight is ready after 4/3 of its own time.
func TestPredictWeights(t *testing.T) {
	f, err := Predict(scheduler.Config{Limit: hundred}, Workload{Calls: 300, Key: "a", Weight: 3}, Workload{Calls: 300, Key: "b"})
	require.NoError(t, err)
	require.InDelta(t, 4, f.Parts[0].Took.Seconds(), 0.05)
	require.InDelta(t, 6, f.Parts[1].Took.Seconds(), 0.05)
}

// TestPredictKeysIsWhatHappens checks that calls of a real scheduler with keys wait exactly as long as predicted.
func TestPredictKeysIsWhatHappens(t *testing.T) {
	cfg := scheduler.Config{
		Limit: bucket.PerSecond(10).Burst(1), MaxInFlight: 5,
		PerKey: scheduler.PerKey{Limit: bucket.PerSecond(4), MaxInFlight: 2, Patience: time.Second},
	}
	work := []Workload{
		{Calls: 100, Key: "flood", Latency: 300 * time.Millisecond},
		{Calls: 50, Key: "k", Keys: 5, Latency: 200 * time.Millisecond},
		{Calls: 10, Latency: 100 * time.Millisecond, Weight: 2},
	}
	want, err := Predict(cfg, work...)
	require.NoError(t, err)
	synctest.Test(t, func(t *testing.T) {
		s, err := scheduler.New(cfg)
		require.NoError(t, err)
		defer s.Close()
		start := time.Now()
		handles := make([][]*scheduler.Handle, len(work))
		for i, w := range work {
			for n := range w.Calls {
				run := func(context.Context) error { time.Sleep(w.Latency); return nil }
				h, err := s.Submit(t.Context(), run, scheduler.Key(w.keyOf(n+1)), scheduler.Weight(max(1, w.Weight)))
				require.NoError(t, err)
				handles[i] = append(handles[i], h)
			}
		}
		for i, all := range handles {
			var waits []time.Duration
			for _, h := range all {
				<-h.Done()
				waits = append(waits, h.Times().Total()-h.Times().Run)
			}
			median, p99, worst := spread(waits)
			got := Part{work[i].Key, len(all), want.Parts[i].Took, median, p99, worst}
			require.Equal(t, want.Parts[i], got)
		}
		require.Equal(t, want.Took, time.Since(start))
	})
}

// TestPredictRefusesKeys checks that faults of keys are named.
func TestPredictRefusesKeys(t *testing.T) {
	cfg := scheduler.Config{PerKey: scheduler.PerKey{Limit: bucket.PerSecond(1)}}
	costs := map[string]int64{scheduler.KeyBudget: 1}
	_, err := Predict(cfg, Workload{Calls: 1, Costs: costs, Keys: -1, Weight: 1_000_001}, Workload{Calls: 1, Costs: costs})
	require.ErrorIs(t, err, scheduler.ErrNoBudget)
	for _, fault := range []string{"its Keys is -1", "its Weight is 1000001", `workload 2: its Costs["key"]: scheduler: no budget "key" for calls without a Key`} {
		require.ErrorContains(t, err, fault)
	}
	_, err = Predict(cfg, Workload{Calls: 1, Costs: costs, Keys: 1})
	require.NoError(t, err)
}

// TestPredictPatience checks that patience bounds the wait of a key that new keys overtake all the time.
func TestPredictPatience(t *testing.T) {
	fresh := Workload{Calls: 3300, Key: "user", Keys: 3300, Every: 9 * time.Millisecond}
	for patience, least := range map[time.Duration]time.Duration{time.Second: time.Second, 10 * time.Second: 10 * time.Second} {
		cfg := scheduler.Config{Limit: bucket.PerSecond(100), PerKey: scheduler.PerKey{Patience: patience}}
		f, err := Predict(cfg, fresh, Workload{Calls: 2, Key: "big", Cost: 100})
		require.NoError(t, err)
		require.GreaterOrEqual(t, f.Parts[1].WorstWait, least)
		require.Less(t, f.Parts[1].WorstWait, least+5*time.Second)
	}
}
