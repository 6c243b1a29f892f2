package scheduler_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

// llm has the limits of an LLM's API: requests and tokens.
var llm = bucket.Limits{"requests": bucket.PerMinute(60), "tokens": bucket.PerMinute(6000)}

// left returns how many tokens each budget has.
func left(s *scheduler.Scheduler) map[string]int64 {
	all := map[string]int64{}
	for _, b := range s.Snapshot().Budgets {
		all[b.Name] = b.Available
	}
	return all
}

// A call takes its cost from each budget or from none, and waits for the one that is short. While
// it waits, no call takes from the other (B9, all or nothing).
func TestSeveralBudgets(t *testing.T) {
	bubble(t, scheduler.Config{Limits: llm}, func(t *testing.T, s *scheduler.Scheduler) {
		ask := func(tokens int64) <-chan outcome {
			return goDo(t.Context(), s, nothing, scheduler.CostOf("tokens", tokens))
		}
		require.NoError(t, (<-ask(6000)).err)
		require.Equal(t, map[string]int64{"requests": 59, "tokens": 0}, left(s))
		big, small := ask(200), ask(1)
		require.Equal(t, 2*time.Second, (<-big).took)
		require.Equal(t, 2*time.Second+10*time.Millisecond, (<-small).took)
		require.Equal(t, map[string]int64{"requests": 58, "tokens": 0}, left(s), "the refill of one a second found requests full")

		requests := s.Snapshot().Budget
		require.Equal(t, "requests", requests.Name, "the first budget by name")
		require.NoError(t, s.Do(t.Context(), nothing), "a call costs 1 of a budget that it does not name")
		require.NoError(t, s.Do(t.Context(), nothing, scheduler.Cost(2)), "or the Cost")
		require.Equal(t, map[string]int64{"requests": 55, "tokens": 0}, left(s))
	})
}

// Plain calls take one token from each budget, on the fast path as well.
func TestSeveralBudgetsPlain(t *testing.T) {
	bubble(t, scheduler.Config{Limits: llm}, func(t *testing.T, s *scheduler.Scheduler) {
		for range 60 {
			require.NoError(t, s.Do(t.Context(), nothing))
		}
		require.Equal(t, map[string]int64{"requests": 0, "tokens": 5940}, left(s))
		require.Equal(t, time.Second, (<-goDo(t.Context(), s, nothing)).took)
	})
}

// A cost that one of the budgets can never grant is refused at the call, with the name of the
// budget.
func TestSeveralBudgetsRefused(t *testing.T) {
	bubble(t, scheduler.Config{Limits: llm}, func(t *testing.T, s *scheduler.Scheduler) {
		var tooBig *bucket.CostError
		require.ErrorAs(t, s.Do(t.Context(), nothing, scheduler.CostOf("tokens", 6001)), &tooBig)
		require.Equal(t, bucket.CostError{Budget: "tokens", Cost: 6001, Capacity: 6000}, *tooBig)
		require.ErrorContains(t, tooBig, `cost 6001 of "tokens" is above the capacity of 6000 tokens`)
		require.ErrorAs(t, s.Do(t.Context(), nothing, scheduler.CostOf("tokens", -1)), &tooBig)
		require.ErrorAs(t, s.Do(t.Context(), nothing, scheduler.Cost(61)), &tooBig)
		require.Equal(t, "requests", tooBig.Budget)
		err := s.Do(t.Context(), nothing, scheduler.CostOf("token", 1))
		require.ErrorIs(t, err, scheduler.ErrNoBudget)
		require.ErrorContains(t, err, `"token": there are ["requests" "tokens"]`)
		require.ErrorIs(t, s.SetLimit(bucket.PerMinute(1)), scheduler.ErrNoBudget)
		require.ErrorIs(t, s.Observe("", 1), scheduler.ErrNoBudget)
		_, err = s.Estimate(scheduler.CostOf("tokens", 6001))
		require.ErrorAs(t, err, &tooBig)
	})
	bubble(t, scheduler.Config{}, func(t *testing.T, s *scheduler.Scheduler) {
		require.ErrorContains(t, s.SetLimitOf("x", bucket.PerMinute(1)), `"x": there is one budget, and its name is ""`)
	})
}

// SetLimitOf ends calls that cost too much for the new limit.
func TestSetLimitOf(t *testing.T) {
	bubble(t, scheduler.Config{Limits: llm, MaxInFlight: 1}, func(t *testing.T, s *scheduler.Scheduler) {
		runs := goDo(t.Context(), s, func(context.Context) error { time.Sleep(time.Second); return nil })
		waits := submit(t, s, nothing, scheduler.CostOf("tokens", 500))
		require.NoError(t, s.SetLimitOf("tokens", bucket.PerMinute(100)))
		var tooBig *bucket.CostError
		require.ErrorAs(t, settled(waits), &tooBig)
		require.Equal(t, bucket.CostError{Budget: "tokens", Cost: 500, Capacity: 100}, *tooBig)
		require.ErrorAs(t, s.Do(t.Context(), nothing, scheduler.CostOf("tokens", 101)), &tooBig, "checked at the call")
		require.ErrorContains(t, s.SetLimitOf("tokens", bucket.Limit{Capacity: 1}), "Refill")
		require.NoError(t, (<-runs).err)
	})
}

// An overpayment is refunded at once. An underpayment is a debt that later calls wait for (B10,
// Settle).
func TestSettle(t *testing.T) {
	for name, do := range map[string]func(s *scheduler.Scheduler, f func(context.Context) error) error{
		"Do": func(s *scheduler.Scheduler, f func(context.Context) error) error {
			return s.Do(context.Background(), f, scheduler.CostOf("tokens", 1000))
		},
		"Submit": func(s *scheduler.Scheduler, f func(context.Context) error) error {
			h, err := s.Submit(context.Background(), f, scheduler.CostOf("tokens", 1000))
			if err != nil {
				return err
			}
			return settled(h)
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, scheduler.Config{Limits: llm}, func(t *testing.T, s *scheduler.Scheduler) {
				var late context.Context
				require.NoError(t, do(s, func(ctx context.Context) error {
					late = ctx
					require.Equal(t, int64(5000), left(s)["tokens"])
					derived, cancel := context.WithCancel(context.WithValue(ctx, testKey{}, 1))
					defer cancel()
					require.NoError(t, scheduler.Settle(derived, "tokens", 400))
					require.Equal(t, int64(5600), left(s)["tokens"], "an overpayment")
					require.NoError(t, scheduler.Settle(ctx, "tokens", 1500))
					require.Equal(t, int64(4500), left(s)["tokens"], "the last Settle counts")
					require.NoError(t, scheduler.Settle(ctx, "tokens", 8000))
					require.Equal(t, int64(-2000), left(s)["tokens"], "an underpayment above the level")
					require.NoError(t, scheduler.Settle(ctx, "tokens", 1_000_000))
					require.Equal(t, int64(-6000), left(s)["tokens"], "the debt is at most the capacity")
					require.NoError(t, scheduler.Settle(ctx, "tokens", 8000))
					require.Equal(t, int64(-2000), left(s)["tokens"], "the part that was not charged is not refunded")
					return nil
				}))
				require.ErrorIs(t, scheduler.Settle(late, "tokens", 1), scheduler.ErrNotSettled)
				require.Equal(t, map[string]int64{"requests": 59, "tokens": -2000}, left(s), "the attempt is over")
				require.Equal(t, 21*time.Second, (<-goDo(t.Context(), s, nothing, scheduler.CostOf("tokens", 100))).took, "the call waits until the debt is refilled")
				for _, b := range s.Snapshot().Budgets {
					require.Equal(t, b.Ledger.Initial+b.Ledger.Refilled+b.Ledger.Refunded+b.Ledger.Adjusted, b.Ledger.Spent+b.Available)
				}
			})
		})
	}
}

type testKey struct{}

// A refund lets a waiting call start at once.
func TestSettleLetsOthersIn(t *testing.T) {
	bubble(t, scheduler.Config{Limit: oneEach}, func(t *testing.T, s *scheduler.Scheduler) {
		var waits <-chan outcome
		require.NoError(t, s.Do(t.Context(), func(ctx context.Context) error {
			waits = goDo(t.Context(), s, nothing, scheduler.Cost(6))
			require.NoError(t, scheduler.Settle(ctx, "", 4))
			return nil
		}, scheduler.Cost(10)))
		require.Zero(t, (<-waits).took)
	})
}

// Every attempt pays the call's cost, and is settled by itself.
func TestSettleEachAttempt(t *testing.T) {
	bubble(t, scheduler.Config{Limit: oneEach, Retry: exact}, func(t *testing.T, s *scheduler.Scheduler) {
		var first context.Context
		require.NoError(t, s.Do(t.Context(), func(ctx context.Context) error {
			if first == nil {
				first = ctx
				require.NoError(t, scheduler.Settle(ctx, "", 1))
				return retry.Transient(errBusy)
			}
			require.Equal(t, int64(6), s.Snapshot().Available, "9 left, 1 refilled, 4 paid")
			require.ErrorIs(t, scheduler.Settle(first, "", 0), scheduler.ErrNotSettled)
			require.Equal(t, int64(6), s.Snapshot().Available, "the first attempt is over")
			require.NoError(t, scheduler.Settle(ctx, "", 3))
			require.Equal(t, int64(7), s.Snapshot().Available)
			return nil
		}, scheduler.Cost(4)))
	})
}

// A reservation is settled by its holder.
func TestSettleReservation(t *testing.T) {
	bubble(t, scheduler.Config{Limit: oneEach}, func(t *testing.T, s *scheduler.Scheduler) {
		r, err := s.Reserve(t.Context(), scheduler.Cost(10))
		require.NoError(t, err)
		<-r.Ready()
		require.NoError(t, r.Settle("", 3))
		require.Equal(t, int64(7), s.Snapshot().Available)
		waits, err := s.Reserve(t.Context(), scheduler.Cost(9))
		require.NoError(t, err)
		require.ErrorIs(t, waits.Settle("", 1), scheduler.ErrNotSettled)
		waits.Cancel()
		r.Done(nil)
		require.NoError(t, r.Settle("", 0))
		require.Equal(t, int64(7), s.Snapshot().Available, "the attempt is over")
	})
}

// Settle returns an error where there is nothing to settle.
func TestSettleMisuse(t *testing.T) {
	bubble(t, scheduler.Config{}, func(t *testing.T, s *scheduler.Scheduler) {
		var noContext context.Context
		require.ErrorIs(t, scheduler.Settle(t.Context(), "", 1), scheduler.ErrNotSettled)
		require.ErrorContains(t, scheduler.Settle(noContext, "", 1), "nil context")
		require.NoError(t, s.Do(t.Context(), func(ctx context.Context) error {
			require.ErrorIs(t, scheduler.Settle(ctx, "", 1), scheduler.ErrNotSettled, "a plain call")
			return nil
		}))
		require.NoError(t, s.Do(t.Context(), func(ctx context.Context) error {
			require.ErrorIs(t, scheduler.Settle(ctx, "tokens", 1), scheduler.ErrNoBudget)
			var negative *bucket.CostError
			require.ErrorAs(t, scheduler.Settle(ctx, "", -1), &negative)
			s.Close()
			require.ErrorIs(t, scheduler.Settle(ctx, "", 1), scheduler.ErrClosed)
			return nil
		}, scheduler.Cost(1)))
	})
}

// Observe lowers a level and never raises it (B11, Observe and Learn).
func TestObserve(t *testing.T) {
	bubble(t, scheduler.Config{Limits: llm}, func(t *testing.T, s *scheduler.Scheduler) {
		require.NoError(t, s.Observe("tokens", 7000))
		require.Equal(t, int64(6000), left(s)["tokens"])
		require.NoError(t, s.Observe("tokens", 50))
		require.Equal(t, map[string]int64{"requests": 60, "tokens": 50}, left(s))
		require.EqualValues(t, -5950, s.Snapshot().Budgets[1].Ledger.Adjusted)
		require.NoError(t, s.Observe("tokens", -1))
		require.EqualValues(t, 50, left(s)["tokens"], "a negative number means unknown")
		require.NoError(t, s.Observe("tokens", 0))
		require.Zero(t, left(s)["tokens"])

		soon, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		inVain := submit(t, s, nothing, scheduler.CostOf("tokens", 10))
		h, err := s.Submit(soon, nothing, scheduler.CostOf("tokens", 490))
		require.NoError(t, err)
		time.Sleep(50 * time.Millisecond)
		require.NoError(t, s.Observe("tokens", 0))
		require.NoError(t, settled(inVain))
		require.ErrorIs(t, settled(h), context.DeadlineExceeded, "the deadline is checked again")
		s.Close()
		require.ErrorIs(t, s.Observe("tokens", 1), scheduler.ErrClosed)
	})
}

// Learn sets limit and level, up as well as down (B11).
func TestLearn(t *testing.T) {
	bubble(t, scheduler.Config{Limits: llm}, func(t *testing.T, s *scheduler.Scheduler) {
		require.NoError(t, s.Do(t.Context(), nothing, scheduler.CostOf("tokens", 6000)))
		waits := submit(t, s, nothing, scheduler.CostOf("tokens", 5000))
		more := bucket.PerMinute(90_000)
		require.NoError(t, s.Learn("tokens", more, 80_000))
		require.NoError(t, settled(waits))
		b := s.Snapshot().Budgets[1]
		require.Equal(t, more, b.Limit)
		require.EqualValues(t, 75_000, b.Available)
		require.EqualValues(t, 80_000, b.Ledger.Adjusted)

		require.NoError(t, s.Do(t.Context(), func(context.Context) error {
			require.NoError(t, s.Learn("tokens", more, 10_000))
			require.EqualValues(t, 9_000, left(s)["tokens"], "the server may not know of the running call")
			return nil
		}, scheduler.CostOf("tokens", 1000)))
		require.NoError(t, s.Do(t.Context(), nothing, scheduler.CostOf("tokens", 9000)), "the cost is checked against the new limit")

		require.NoError(t, s.Learn("tokens", bucket.PerMinute(100_000), -1))
		require.Zero(t, left(s)["tokens"], "only the limit is set")
		require.EqualValues(t, 100_000, s.Snapshot().Budgets[1].Limit.Capacity)

		var tooBig *bucket.CostError
		require.NoError(t, s.Learn("tokens", bucket.PerMinute(100), 1000))
		require.EqualValues(t, 100, left(s)["tokens"])
		require.ErrorAs(t, s.Do(t.Context(), nothing, scheduler.CostOf("tokens", 101)), &tooBig)
		require.ErrorContains(t, s.Learn("tokens", bucket.Limit{Capacity: -1}, 5), "Capacity")
		require.ErrorIs(t, s.Learn("", more, 5), scheduler.ErrNoBudget)

		require.Error(t, s.Do(t.Context(), failing(retry.After(errBusy, time.Minute)).run, scheduler.Retry(retry.Policy{MaxRetries: retry.None})))
		require.NoError(t, s.Learn("tokens", more, 5000))
		require.Zero(t, left(s)["tokens"], "Learn does not end a server's wait")
	})
}

// Each budget continues with its level after a restart.
func TestLevelsSurviveARestart(t *testing.T) {
	bubble(t, scheduler.Config{Limits: llm}, func(t *testing.T, s *scheduler.Scheduler) {
		require.NoError(t, s.Do(t.Context(), nothing, scheduler.CostOf("tokens", 6000)))
		levels := s.Snapshot().Levels()
		time.Sleep(10 * time.Second)
		again := open(t, scheduler.Config{Limits: llm, Levels: levels})
		require.Equal(t, map[string]int64{"requests": 60, "tokens": 1000}, left(again))
		one := bucket.Limits{"tokens": bucket.PerMinute(60)}
		alone := open(t, scheduler.Config{Limits: one, Levels: map[string]bucket.State{"tokens": {Tokens: 7}}})
		require.EqualValues(t, 7, open(t, scheduler.Config{Limits: one, Levels: alone.Snapshot().Levels()}).Snapshot().Available, "a single budget with a name")
		delete(levels, "tokens")
		require.Equal(t, int64(6000), left(open(t, scheduler.Config{Limits: llm, Levels: levels}))["tokens"], "full without a level")
	})
}

// New names each fault in the budgets.
func TestBudgetsConfig(t *testing.T) {
	_, err := scheduler.New(scheduler.Config{
		Limit: bucket.PerMinute(1), Limits: bucket.Limits{"a": {Capacity: 1}, "b": {}, "": {}},
		Levels: map[string]bucket.State{"c": {}},
	})
	for _, fault := range []string{"one budget", "without a name", `Limits["a"]`, `Levels["c"]`} {
		require.ErrorContains(t, err, fault)
	}
	require.NotContains(t, err.Error(), `Limits["b"]`, "the zero limit is the default")
	many := bucket.Limits{"1": {}, "2": {}, "3": {}, "4": {}, "5": {}, "6": {}}
	s, err := scheduler.New(scheduler.Config{Limits: many})
	require.NoError(t, err)
	require.NoError(t, s.Do(t.Context(), nothing, scheduler.CostOf("6", 7)))
	require.Equal(t, map[string]int64{"1": 999, "2": 999, "3": 999, "4": 999, "5": 999, "6": 993}, left(s))
	s.Close()
	many["7"] = bucket.Limit{}
	_, err = scheduler.New(scheduler.Config{Limits: many})
	require.ErrorContains(t, err, "at most 6")
	_, err = scheduler.New(scheduler.Config{Limits: llm, Level: empty})
	require.True(t, err != nil && errors.Unwrap(err) == nil, "%v", err)
}
