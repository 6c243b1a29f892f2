package core

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/events"
)

// TestRestoreKey checks that a key which gets its debt and hold back is planned anew, also if a call of it waits (K10).
func TestRestoreKey(t *testing.T) {
	k, err := New(Config{Origin: simOrigin, Limits: bucket.Limits{"": bucket.Unlimited}, PerKey: PerKey{Limits: bucket.Limits{"own": bucket.PerSecond(1).Burst(2)}}})
	require.NoError(t, err)
	submit := func(at time.Duration, key string, deadline time.Duration) (c *Call) {
		for range 3 {
			c = &Call{Cost: 1, Deadline: deadline}
			c.SetKey(key, 1)
			k.Submit(at, c)
		}
		return c
	}
	submit(0, "a", bucket.Forever)
	require.Equal(t, 1, k.Queued())
	require.Equal(t, time.Second, k.Wake(), "it waits for a token")

	levels := map[string]bucket.State{"own": {Tokens: -1, At: simOrigin.Add(-500 * time.Millisecond)}, "gone": {Tokens: 9}}
	require.NoError(t, k.RestoreKey(0, "a", levels, 0, simOrigin))
	require.EqualValues(t, -1, k.StateOf(0, "a").Budgets[0].Available())
	require.Equal(t, 1500*time.Millisecond, k.Wake(), "2 tokens later")

	require.NoError(t, k.RestoreKey(0, "a", nil, 3*time.Second, simOrigin.Add(-time.Second)))
	require.Equal(t, 2*time.Second, k.StateOf(0, "a").HeldUntil)
	require.Equal(t, 2*time.Second, k.Wake(), "the hold is what is left of it")
	require.NoError(t, k.RestoreKey(0, "a", nil, time.Second, simOrigin.Add(time.Hour)))
	require.Equal(t, 2*time.Second, k.StateOf(0, "a").HeldUntil, "a hold is not shortened")
	require.NoError(t, k.RestoreKey(0, "b", nil, time.Second, simOrigin.Add(time.Hour)))
	require.Equal(t, time.Second, k.StateOf(0, "b").HeldUntil, "the clock was set back")
	require.NoError(t, k.RestoreKey(0, "c", nil, time.Second, simOrigin.Add(-time.Second)))
	require.Zero(t, k.StateOf(0, "c").HeldUntil, "it is over")

	k.Advance(2*time.Second - 1)
	require.Equal(t, 1, k.Queued())
	k.Advance(2 * time.Second)
	require.Zero(t, k.Queued())
	require.Equal(t, []bucket.State{{At: simOrigin.Add(1500 * time.Millisecond)}}, k.StateOf(2*time.Second, "a").Levels)

	late := submit(2*time.Second, "d", time.Minute)
	require.Equal(t, Queued, late.State)
	require.NoError(t, k.RestoreKey(2*time.Second, "d", nil, time.Hour, simOrigin.Add(time.Second)))
	require.Equal(t, time.Hour+time.Second, k.StateOf(2*time.Second, "d").HeldUntil)
	require.Equal(t, events.Canceled, late.EndKind(), "its deadline comes before its turn")
}

// TestHoldOfASharedBudget checks that a core goes on with a hold of a shared budget, and tells the store (F11).
func TestHoldOfASharedBudget(t *testing.T) {
	cfg := Config{Origin: simOrigin, Limits: bucket.Limits{"": bucket.PerSecond(1)}, Shared: map[string]Shared{"": {Process: "p"}}}
	for held, level := range map[time.Duration]bucket.State{
		0: {}, 3 * time.Second: {At: simOrigin.Add(-2 * time.Second), Held: 5 * time.Second},
	} {
		cfg.Levels = map[string]bucket.State{"": level}
		k, err := New(cfg)
		require.NoError(t, err)
		require.Equal(t, held, k.HeldUntil())
		ask, ok := k.Ask(0)
		require.True(t, ok)
		require.Equal(t, held, ask.Hold)
		if held > 0 {
			k.Advance(time.Second)
			require.Equal(t, bucket.State{At: simOrigin.Add(time.Second), Held: 2 * time.Second}, k.LevelOf(0))
			k.Advance(held)
		}
		require.Zero(t, k.LevelOf(0))
	}
}

// TestFirstAttemptIsNotInTheFuture checks that MaxElapsed of a resumed call counts from now if the clock was set back (C18).
func TestFirstAttemptIsNotInTheFuture(t *testing.T) {
	for began, want := range map[time.Duration]time.Duration{-time.Minute: -time.Minute, 5: 5, time.Hour: 5} {
		k, err := New(Config{Limits: bucket.Limits{"": bucket.PerSecond(1)}, Levels: map[string]bucket.State{"": {}}})
		require.NoError(t, err)
		c := &Call{Cost: 1, Deadline: bucket.Forever}
		c.Resume(&Past{State: Queued, Number: 3, Attempts: 1, Began: began})
		k.Submit(5, c)
		at, known := c.Began()
		require.True(t, known)
		require.Equal(t, want, at)
	}
}
