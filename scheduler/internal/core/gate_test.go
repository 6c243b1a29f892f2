package core

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry"
)

// gated returns a call with a gate.
func gated() *Call {
	c := &Call{Cost: 1, Deadline: bucket.Forever}
	c.SetGate("gate")
	return c
}

// TestGate checks that a call with a gate waits in its state until it may return, and ranks as before.
func TestGate(t *testing.T) {
	once := retry.Verdict{Kind: retry.KindTransient}
	for name, away := range map[string]func(*Core, *Call){
		"backing off": func(k *Core, c *Call) {
			k.Submit(0, c)
			require.Empty(t, k.Effects.Away)
			k.Finish(0, c, errFailed, once)
		},
		"later": func(k *Core, c *Call) {
			c.SetNotBefore(time.Second)
			k.Submit(0, c)
		},
	} {
		t.Run(name, func(t *testing.T) {
			k, err := New(Config{Limits: bucket.Limits{"": bucket.Per(1, time.Second).Burst(2)}, Retry: retry.Policy{Jitter: retry.None}})
			require.NoError(t, err)
			c := gated()
			away(k, c)
			require.Equal(t, []*Call{c}, k.Effects.Away)
			require.Equal(t, time.Second, k.Wake())
			state := c.State
			k.Return(0, c)
			require.Equal(t, state, c.State, "it did not ask for it")

			k.Effects.Clear()
			k.Advance(2 * time.Second)
			require.Equal(t, []*Call{c}, k.Effects.Due)
			require.Equal(t, state, c.State)
			require.Equal(t, bucket.Forever, k.Wake())
			k.SetPriority(2*time.Second, c, 1)
			k.Advance(3 * time.Second)
			require.Equal(t, []*Call{c}, k.Effects.Due, "once")
			require.Equal(t, time.Second, c.Due())

			k.Return(4*time.Second, c)
			require.Equal(t, Running, c.State)
			require.Equal(t, []*Call{c}, k.Effects.Granted)
			k.Finish(4*time.Second, c, nil, retry.Verdict{})
			k.Return(4*time.Second, c)
			require.Equal(t, Ended, c.State)
			times := c.Times()
			require.Equal(t, 4*time.Second, times.Backoff+times.Later)
			require.True(t, k.Drained())
		})
	}
}

// TestGateAndTheEnd checks that a call ends that waits to return.
func TestGateAndTheEnd(t *testing.T) {
	for name, end := range map[string]func(*Core, *Call){
		"canceled": func(k *Core, c *Call) { k.Cancel(k.Now, c, errFailed) },
		"closed":   func(k *Core, _ *Call) { k.Close(k.Now) },
		"late":     func(k *Core, c *Call) { c.Deadline = time.Second; k.Return(k.Now, c) },
	} {
		t.Run(name, func(t *testing.T) {
			k, err := New(Config{Limits: bucket.Limits{"": bucket.Per(1, time.Hour).Burst(1)}, Retry: retry.Policy{Jitter: retry.None}})
			require.NoError(t, err)
			c := gated()
			k.Submit(0, c)
			k.Finish(0, c, errFailed, retry.Verdict{Kind: retry.KindTransient})
			k.Advance(2 * time.Second)
			require.Equal(t, BackingOff, c.State)
			wait := k.EstimateOf(2*time.Second, c).Wait
			require.Less(t, wait, time.Hour)
			end(k, c)
			require.Equal(t, Ended, c.State)
			require.Equal(t, []*Call{c}, k.Effects.Ended)
			k.Return(k.Now, c)
			require.Equal(t, []*Call{c}, k.Effects.Ended, "once")
			require.True(t, k.Drained())
			require.Equal(t, bucket.Forever, k.nextDue)
		})
	}
}

// TestGateAndTheRetryBudget checks that a call with a gate pays for its retry before it asks to come back, and so
// needs no room while it waits for the budget.
func TestGateAndTheRetryBudget(t *testing.T) {
	budget := &retry.Budget{Ratio: 1, PerSecond: 0.5, Burst: 1, Wait: true}
	k, err := New(Config{Limits: bucket.Limits{"": bucket.Unlimited}, RetryBudget: budget, Retry: retry.Policy{Jitter: retry.None}})
	require.NoError(t, err)
	calls := []*Call{gated(), gated(), gated()}
	for _, c := range calls {
		k.Submit(0, c)
	}
	for _, c := range calls {
		k.Finish(0, c, errFailed, retry.Verdict{Kind: retry.KindTransient})
	}
	require.Equal(t, calls, k.Effects.Away)

	k.Advance(time.Second)
	require.Equal(t, calls[:1], k.Effects.Due)
	k.Return(time.Second, calls[1])
	require.Equal(t, BackingOff, calls[1].State, "it waits for the budget")
	require.False(t, k.Leasable(), "a call that adds to the budget has to be known")
	require.Equal(t, 3*time.Second, k.Wake())

	k.Submit(2*time.Second, &Call{Cost: 1, Deadline: bucket.Forever})
	require.Equal(t, calls[:2], k.Effects.Due, "the new call has added a retry")
	k.Advance(4 * time.Second)
	require.Equal(t, calls, k.Effects.Due)
	require.Equal(t, bucket.Forever, k.Wake())
	for _, c := range calls {
		k.Return(5*time.Second, c)
		require.Equal(t, Running, c.State, "it has paid")
	}
	require.True(t, k.Leasable())
	require.Zero(t, k.retries.bucket.Ready(wholeRetry)-6*time.Second)
	require.Equal(t, calls, k.Effects.Away, "once")
}
