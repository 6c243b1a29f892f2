package scheduler_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/scheduler"
)

// The text of a snapshot has what is going on, and leaves out the rest.
func TestSnapshotReads(t *testing.T) {
	now := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	quiet := scheduler.Snapshot{At: now, Rate: 1, Budgets: []scheduler.Budget{{Available: 60, Limit: bucket.PerMinute(60)}}}
	require.Equal(t, "60 of 60 tokens left, 0 queued, 0 running, 0 backing off; ended: 0, retries: 0", quiet.String())

	none := scheduler.Snapshot{At: now, Rate: 1, Budgets: []scheduler.Budget{{Available: 1e15, Limit: bucket.Unlimited}}}
	require.Equal(t, "unlimited tokens left, 0 queued, 0 running, 0 backing off; ended: 0, retries: 0", none.String())

	busy := scheduler.Snapshot{
		At: now, Rate: 0.5, Closed: true, Queued: 41, Running: 8, BackingOff: 3,
		Budgets: []scheduler.Budget{
			{Name: "requests", Available: 12, Limit: bucket.PerMinute(60)},
			{Name: "tokens", Available: -7, Limit: bucket.PerMinute(9000)},
		},
		Later:     2,
		NextRetry: now.Add(1234567 * time.Microsecond), HeldUntil: now.Add(12 * time.Second),
		Paused: true, PausedUntil: now.Add(time.Minute),
		Totals: scheduler.Totals{Succeeded: 180, Failed: 1, Exhausted: 2, Canceled: 1, Dropped: 1, Closed: 2, Refused: 9, Retries: 14},
	}
	require.Contains(t, busy.String(), " (next in 1.2s), 2 later, held for", "none of them has an instant that comes")
	busy.NextLater = now.Add(9 * time.Hour)
	require.Equal(t, "12 of 60 requests and -7 of 9000 tokens left, 41 queued, 8 running, 3 backing off (next in 1.2s), "+
		"2 later (next in 9h0m0s), held for 12s, paused for 1m0s, slowed to 50%, closed; ended: 187, retries: 14", busy.String())
}
