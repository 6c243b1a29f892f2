package scheduler_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/clock"
	"example.com/fairlead/events"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

// New reports all faults of a Config at once, with field and value (B3, costs; H28).
func TestH28_ConfigFaults(t *testing.T) {
	_, err := scheduler.New(scheduler.Config{
		Limit:       bucket.PerSecond(-3),
		Retry:       retry.Policy{Jitter: math.NaN(), MaxRetries: -7},
		MaxInFlight: -1,
		EventBuffer: -2,
		MaxQueued:   -3,
		Overflow:    7,

		PriorityStep: -time.Second,
	})
	for _, want := range []string{
		"Config.Limit: bucket: limit's Capacity is -3", "limit's Refill is -3",
		"Config.Retry: ", "Jitter", "NaN", "MaxRetries", "-7",
		"Config.MaxInFlight is -1", "Config.EventBuffer is -2",
		"Config.MaxQueued is -3", "Config.Overflow is 7", "Config.PriorityStep is -1s: it must be positive, or 0 for 1m0s",
	} {
		require.ErrorContains(t, err, want)
	}
}

// A buffer that is allocated at once has a bound, which the error names (H85).
func TestH85_HugeBuffers(t *testing.T) {
	for _, huge := range []int{events.MaxBuffer + 1, math.MaxInt} {
		_, err := scheduler.New(scheduler.Config{EventBuffer: huge})
		require.EqualError(t, err, fmt.Sprintf("scheduler: Config.EventBuffer is %d: it must be from 1 to 1048576, or 0 for 1024", huge))
	}
	require.Less(t, events.MaxBuffer*unsafe.Sizeof(events.Event{}), uintptr(1<<30), "the largest fits in memory on 32 bits")

	s := open(t, scheduler.Config{})
	inputs, double := upTo(3), func(_ context.Context, n int) (int, error) { return 2 * n, nil }
	for _, huge := range []int{scheduler.MaxLookAhead + 1, math.MaxInt} {
		require.PanicsWithValue(t, fmt.Sprintf("scheduler: LookAhead(%d): it must be from 1 to 16777216", huge), func() {
			scheduler.Stream(t.Context(), s, inputs, double, scheduler.LookAhead(huge))
		})
	}
	require.NotPanics(t, func() { scheduler.Stream(t.Context(), s, inputs, double, scheduler.LookAhead(scheduler.MaxLookAhead)) })
}

// A new scheduler continues with the level of an old one and the refill since (B1, capacity and
// refill).
func TestLevelSurvivesARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old := open(t, scheduler.Config{Limit: oneEach})
		require.NoError(t, old.Do(t.Context(), nothing, scheduler.Cost(10)))
		time.Sleep(1500 * time.Millisecond)
		old.Close()
		saved, err := json.Marshal(old.Snapshot().Level)
		require.NoError(t, err)

		time.Sleep(2 * time.Second)
		var level bucket.State
		require.NoError(t, json.Unmarshal(saved, &level))
		s := open(t, scheduler.Config{Limit: oneEach, Level: &level})
		require.EqualValues(t, 3, s.Snapshot().Available)
		started := time.Now()
		require.NoError(t, s.Do(t.Context(), nothing, scheduler.Cost(4)))
		require.Equal(t, 500*time.Millisecond, time.Since(started), "the fraction of a token is kept")
	})
}

// Processes differ in their jitter unless they set a seed.
func TestSeed(t *testing.T) {
	for _, cfg := range []scheduler.Config{{}, {Clock: clock.Plain()}} {
		a, b := open(t, cfg), open(t, cfg)
		require.NotZero(t, a.Snapshot().Seed)
		require.NotEqual(t, a.Snapshot().Seed, b.Snapshot().Seed)
	}
	fixed := open(t, scheduler.Config{Retry: retry.Policy{Seed: 7}})
	require.EqualValues(t, 7, fixed.Snapshot().Seed)
}

// A snapshot can be written as JSON and read again.
func TestSnapshotIsJSON(t *testing.T) {
	bubble(t, scheduler.Config{Limit: oneEach}, func(t *testing.T, s *scheduler.Scheduler) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		for range 15 {
			_, err := s.Submit(ctx, untilDone)
			require.NoError(t, err)
		}
		synctest.Wait()
		snap := s.Snapshot()
		require.Equal(t, 10, snap.Running)
		require.Equal(t, 5, snap.Queued)
		require.Equal(t, time.Second, snap.NextGrant.Sub(snap.At))
		text, err := json.Marshal(snap)
		require.NoError(t, err)
		var again scheduler.Snapshot
		require.NoError(t, json.Unmarshal(text, &again))
		twice, err := json.Marshal(again)
		require.NoError(t, err)
		require.JSONEq(t, string(text), string(twice))
	})
}

func TestOverflowString(t *testing.T) {
	require.Equal(t, "WaitForRoom", scheduler.WaitForRoom.String())
	require.Equal(t, "RefuseNew", scheduler.RefuseNew.String())
	require.Equal(t, "DropLowest", scheduler.DropLowest.String())
	require.Equal(t, "Overflow(7)", scheduler.Overflow(7).String())
}
