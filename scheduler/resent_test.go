package scheduler_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/scheduler"
)

// A request that is sent again pays again without waiting, into a debt of at most the capacity (B4,
// paid attempts).
func TestResent(t *testing.T) {
	bubble(t, scheduler.Config{Limit: oneEach}, func(t *testing.T, s *scheduler.Scheduler) {
		started := time.Now()
		r := reserve(t, s, scheduler.Cost(4))
		spent := func() int64 { return s.Snapshot().Ledger.Spent }
		r.Resent()
		require.EqualValues(t, 8, spent())
		r.Resent()
		require.EqualValues(t, 12, spent())
		require.EqualValues(t, -2, s.Snapshot().Available)
		for range 5 {
			r.Resent()
		}
		require.EqualValues(t, -10, s.Snapshot().Available, "the debt is at most the capacity")
		require.Zero(t, time.Since(started))
		require.NoError(t, r.Settle("", 4))
		require.EqualValues(t, 6, s.Snapshot().Available, "the last Settle counts")
		r.Resent()
		require.EqualValues(t, 2, s.Snapshot().Available, "a later Resent pays again")
		r.Done(nil)
		r.Resent()
		require.EqualValues(t, 2, s.Snapshot().Available, "the attempt is over")
	})
}

// Resent charges each budget the attempt's cost, also for a reservation without options.
func TestResentOfSeveralBudgets(t *testing.T) {
	cfg := scheduler.Config{Limits: bucket.Limits{"requests": bucket.Per(100, time.Hour), "tokens": bucket.Per(100, time.Hour)}}
	bubble(t, cfg, func(t *testing.T, s *scheduler.Scheduler) {
		for _, opts := range [][]scheduler.Option{nil, {scheduler.CostOf("tokens", 20)}} {
			before := s.Snapshot().Budgets
			r := reserve(t, s, opts...)
			granted := s.Snapshot().Budgets
			r.Resent()
			after := s.Snapshot().Budgets
			for i := range after {
				require.Equal(t, granted[i].Ledger.Spent-before[i].Ledger.Spent, after[i].Ledger.Spent-granted[i].Ledger.Spent)
			}
			require.Positive(t, after[0].Ledger.Spent-granted[0].Ledger.Spent)
			r.Done(nil)
		}
	})
}

// Resent does nothing before the attempt has begun.
func TestResentBeforeTheGrant(t *testing.T) {
	bubble(t, scheduler.Config{Limit: oneEach, Level: empty}, func(t *testing.T, s *scheduler.Scheduler) {
		r := reserve(t, s, scheduler.Cost(4))
		r.Resent()
		<-r.Ready()
		require.EqualValues(t, 4, s.Snapshot().Ledger.Spent)
		r.Cancel()
		require.EqualValues(t, 4, s.Snapshot().Available)
	})
}
