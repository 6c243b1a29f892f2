package scheduler_test

import (
	"bytes"
	"context"
	"encoding/json"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/events"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

// All that names a call names its key.
func TestReportsNameTheKey(t *testing.T) {
	var log bytes.Buffer
	cfg := scheduler.Config{Limit: oneEach, Retry: exact, Logger: textLogger(&log)}
	synctest.Test(t, func(t *testing.T) {
		s, err := scheduler.New(cfg)
		require.NoError(t, err)
		sub := s.Subscribe(events.Of(events.Granted))
		var told []scheduler.Progress
		var info []scheduler.Info
		f := &flaky{failures: 1, err: retry.Transient(errBusy)}
		require.NoError(t, s.Do(t.Context(), func(ctx context.Context) error {
			one, ok := scheduler.CallInfo(ctx)
			require.True(t, ok)
			info = append(info, one)
			return f.run(ctx)
		}, scheduler.Key("acme"), scheduler.Name("ping"), scheduler.Cost(1), scheduler.OnProgress(func(p scheduler.Progress) { told = append(told, p) })))
		require.Equal(t, "acme", info[0].Key)
		require.Equal(t, "acme", info[1].Key)
		require.Len(t, told, 1)
		require.Equal(t, "acme", told[0].Key)
		require.Equal(t, `ping of key "acme": attempt 1 of 6 failed: server is busy; next in 1s, 9 tokens left`, told[0].String())
		text, err := json.Marshal(told[0])
		require.NoError(t, err)
		require.Contains(t, string(text), `"name":"ping","key":"acme","attempt":1`)
		require.Equal(t, "acme", (<-sub.C).Key)

		require.NoError(t, s.PauseKey("b", time.Time{}))
		submit(t, s, nothing, scheduler.Key("b"), scheduler.Name("waits"))
		submit(t, s, nothing, scheduler.Key("c"), scheduler.Delay(time.Hour))
		down, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		open, err := s.Shutdown(down)
		require.ErrorIs(t, err, scheduler.ErrClosed)
		require.Len(t, open, 2)
		require.Equal(t, "b", open[0].Key)
		require.Equal(t, "c", open[1].Key)
		text, err = json.Marshal(open[0])
		require.NoError(t, err)
		require.Contains(t, string(text), `"name":"waits","key":"b","state":"queued"`)
	})
	require.Contains(t, log.String(), "msg=retrying seq=2 call=1 attempt=1 max_attempts=6 name=ping key=acme delay=1s")
}

// Without a key no report has more than before.
func TestReportsWithoutAKey(t *testing.T) {
	p := scheduler.Progress{State: scheduler.Later, Attempt: 1, MaxAttempts: 6, Available: 1}
	require.Equal(t, "attempt 1 of 6 comes later: it queues in 0s, 1 token left", p.String())
	p.Key = "x\ny"
	require.Equal(t, `of key "x\ny": attempt 1 of 6 comes later: it queues in 0s, 1 token left`, p.String())
	for _, v := range []any{scheduler.Progress{}, scheduler.Unfinished{}, scheduler.Result[int, int]{}, scheduler.Snapshot{}} {
		text, err := json.Marshal(v)
		require.NoError(t, err)
		require.NotContains(t, string(text), `"key`)
	}
	text, err := json.Marshal(scheduler.Result[int, int]{Key: "a"})
	require.NoError(t, err)
	require.Contains(t, string(text), `"key":"a"`)
}

// The costs of a call in Shutdown's report are those that it would have to be made with again.
func TestUnfinishedCostsOfAKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := scheduler.New(fourBudgets)
		require.NoError(t, err)
		require.NoError(t, s.Pause())
		submit(t, s, nothing, scheduler.Key("k"), scheduler.CostOf("c", 3), scheduler.CostOf("d", 4))
		submit(t, s, nothing, scheduler.CostOf("d", 5))
		done, cancel := context.WithCancel(t.Context())
		cancel()
		open, err := s.Shutdown(done)
		require.ErrorIs(t, err, scheduler.ErrClosed)
		require.Equal(t, map[string]int64{"a": 1, "b": 1, "c": 3, "d": 4}, open[0].Costs)
		require.Equal(t, map[string]int64{"b": 1, "d": 5}, open[1].Costs)
	})
}

// An estimate tells the bound that counts for deadlines from the wait that is likely among the keys.
func TestEstimateWithKeys(t *testing.T) {
	bubble(t, scheduler.Config{Limit: bucket.PerSecond(10).Burst(1), Level: empty}, func(t *testing.T, s *scheduler.Scheduler) {
		for range 100 {
			submit(t, s, nothing, scheduler.Key("a"))
			submit(t, s, nothing, scheduler.Key("b"))
		}
		est, err := s.Estimate(scheduler.Key("a"))
		require.NoError(t, err)
		require.Equal(t, 101, est.Position)
		require.Equal(t, 10100*time.Millisecond, est.AtLeast)
		require.Equal(t, 20100*time.Millisecond, est.Wait, "as long as two share, and no more than all that waits")
		require.Equal(t, time.Now().Add(est.Wait), est.At)

		est, err = s.Estimate(scheduler.Key("new"))
		require.NoError(t, err)
		require.Equal(t, 1, est.Position)
		require.Equal(t, 100*time.Millisecond, est.AtLeast)
		require.Equal(t, 300*time.Millisecond, est.Wait, "one of three")
		deadline, cancel := context.WithTimeout(t.Context(), 99*time.Millisecond)
		defer cancel()
		require.ErrorAs(t, s.Do(deadline, nothing, scheduler.Key("new")), new(*scheduler.DeadlineError))
		in, cancel := context.WithTimeout(t.Context(), 301*time.Millisecond)
		defer cancel()
		require.NoError(t, s.Do(in, nothing, scheduler.Key("new")))
	})
}
