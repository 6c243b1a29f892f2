package scheduler

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry"
)

// grantedCall returns a core, and a call that was granted.
func grantedCall(t *testing.T, cost int64) (*core, *coreCall) {
	k, err := newCore(coreConfig{Limits: bucket.Limits{"": bucket.PerSecond(10)}})
	require.NoError(t, err)
	c := &coreCall{cost: cost, deadline: bucket.Forever}
	k.submit(0, c)
	require.Equal(t, running, c.state)
	k.effects.clear()
	return k, c
}

// A report on an attempt that has ended, or on a call that has ended, changes nothing (C1, one
// end).
func TestH05_LateReportIsIgnored(t *testing.T) {
	limited := retry.Verdict{Kind: retry.KindRateLimited, Wait: time.Minute}
	for name, report := range map[string]func(k *core, c *coreCall){
		"success":       func(k *core, c *coreCall) { k.finish(0, c, nil, retry.Verdict{}) },
		"failure":       func(k *core, c *coreCall) { k.finish(0, c, errGaveUp, retry.Verdict{}) },
		"server's wait": func(k *core, c *coreCall) { k.finish(0, c, errFailed, limited) },
		"started":       func(k *core, c *coreCall) { k.started(0, c) },
		"never started": func(k *core, c *coreCall) { k.abandon(0, c, errGaveUp) },
	} {
		t.Run(name, func(t *testing.T) {
			for first, v := range map[string]retry.Verdict{"backs off": {Kind: retry.KindTransient}, "over": {}} {
				k, c := grantedCall(t, 3)
				k.finish(0, c, errFailed, v)
				k.effects.clear()
				before, state := stateOf(k), c.state
				report(k, c)
				require.Equal(t, before, stateOf(k), first)
				require.Equal(t, state, c.state, first)
				require.Empty(t, k.effects.ended, "no call ends twice")
				require.Empty(t, k.effects.granted)
			}
		})
	}
}

// A grant that was never started is refunded in full, and the calls behind it are granted as though
// it had never been (B4, paid attempts).
func TestH12_RefundIsWhatWasPaid(t *testing.T) {
	for _, cost := range []int64{0, 1, 5, 10} {
		k, c := grantedCall(t, cost)
		next := &coreCall{cost: 10, deadline: bucket.Forever}
		k.submit(0, next)
		k.abandon(0, c, errGaveUp)
		require.Equal(t, cost, k.budgets[0].Ledger().Refunded)
		require.Equal(t, running, next.state)
		require.Zero(t, k.budgets[0].Available())
		require.Equal(t, totals{Accepted: 2, Canceled: 1, Attempts: 1}, k.totals)
	}
}
