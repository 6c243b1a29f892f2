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
