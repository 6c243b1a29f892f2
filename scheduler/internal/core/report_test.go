package core

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry"
)

// grantedCall returns a core, and a call that was granted.
func grantedCall(t *testing.T, cost int64) (*Core, *Call) {
	k, err := New(Config{Limits: bucket.Limits{"": bucket.PerSecond(10)}})
	require.NoError(t, err)
	c := &Call{Cost: cost, Deadline: bucket.Forever}
	k.Submit(0, c)
	require.Equal(t, Running, c.State)
	k.Effects.Clear()
	return k, c
}

// A report on an attempt that has ended, or on a call that has ended, changes nothing (C1, one
// end).
func TestH05_LateReportIsIgnored(t *testing.T) {
	limited := retry.Verdict{Kind: retry.KindRateLimited, Wait: time.Minute}
	for name, report := range map[string]func(k *Core, c *Call){
		"success":       func(k *Core, c *Call) { k.Finish(0, c, nil, retry.Verdict{}) },
		"failure":       func(k *Core, c *Call) { k.Finish(0, c, errGaveUp, retry.Verdict{}) },
		"server's wait": func(k *Core, c *Call) { k.Finish(0, c, errFailed, limited) },
		"started":       func(k *Core, c *Call) { k.Started(0, c) },
		"never started": func(k *Core, c *Call) { k.Abandon(0, c, errGaveUp) },
	} {
		t.Run(name, func(t *testing.T) {
			for first, v := range map[string]retry.Verdict{"backs off": {Kind: retry.KindTransient}, "over": {}} {
				k, c := grantedCall(t, 3)
				k.Finish(0, c, errFailed, v)
				k.Effects.Clear()
				before, state := stateOf(k), c.State
				report(k, c)
				require.Equal(t, before, stateOf(k), first)
				require.Equal(t, state, c.State, first)
				require.Empty(t, k.Effects.Ended, "no call ends twice")
				require.Empty(t, k.Effects.Granted)
			}
		})
	}
}

// A grant that was never started is refunded in full, and the calls behind it are granted as though
// it had never been (B4, paid attempts).
func TestH12_RefundIsWhatWasPaid(t *testing.T) {
	for _, cost := range []int64{0, 1, 5, 10} {
		k, c := grantedCall(t, cost)
		next := &Call{Cost: 10, Deadline: bucket.Forever}
		k.Submit(0, next)
		k.Abandon(0, c, errGaveUp)
		require.Equal(t, cost, k.Budgets[0].Ledger().Refunded)
		require.Equal(t, Running, next.State)
		require.Zero(t, k.Budgets[0].Available())
		require.Equal(t, Totals{Accepted: 2, Canceled: 1, Attempts: 1}, k.Totals)
	}
}
