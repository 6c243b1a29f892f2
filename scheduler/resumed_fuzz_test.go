package scheduler_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/scheduler"
)

// FuzzResumed resumes calls from any JSON. A call is refused with an error, or it is taken up with all that it had, and
// what is then reported can be resumed again (C18, resumed; H118).
func FuzzResumed(f *testing.F) {
	f.Add([]byte(`{"call": 7, "name": "a", "key": "k", "state": "queued", "rank": "2026-01-01T00:00:00Z", "priority": 3, "cost": 2}`))
	f.Add([]byte(`{"call": 9223372036854775807, "state": "backing off", "rank": "9999-12-31T23:59:59Z", "cost": 1, "attempts": 2, "paid": 2, "due": "0001-01-02T00:00:00Z", "err": "busy"}`))
	f.Add([]byte(`{"state": "later", "rank": "0001-01-02T00:00:00Z", "priority": -9223372036854775808, "cost": 0, "due": "9999-12-31T23:59:59Z"}`))
	f.Add([]byte(`{"state": "running", "cost": 1, "attempts": 1, "paid": 1, "began": "1700-01-01T00:00:00Z", "costs": {"tokens": 3, "own": 9}, "key": "k"}`))
	cfg := scheduler.Config{
		Limits: bucket.Limits{"requests": bucket.PerSecond(1).Burst(10), "tokens": bucket.PerSecond(1).Burst(100)},
		PerKey: scheduler.PerKey{Limits: bucket.Limits{"own": bucket.PerSecond(1).Burst(10)}}, MaxQueued: 1, Overflow: scheduler.RefuseNew,
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var u scheduler.Unfinished
		if json.Unmarshal(text, &u) != nil {
			return
		}
		once, ok := reportOfResumed(t, cfg, u)
		if !ok {
			return
		}
		require.Equal(t, []any{u.Name, u.Key, u.Priority, u.Cost, u.Attempts, u.Paid}, []any{once.Name, once.Key, once.Priority, once.Cost, once.Attempts, once.Paid})
		if once.State != u.State {
			require.Equal(t, "queued", once.State)
			require.Contains(t, []string{"backing off", "later"}, u.State)
			require.True(t, u.Due.Before(time.Now()), "its time has come")
		}
		if u.Call != 0 {
			require.Equal(t, u.Call, once.Call)
		}
		require.False(t, u.State != "later" && u.Priority == 0 && once.Rank.After(time.Now()), "it has arrived")
		twice, ok := reportOfResumed(t, cfg, once)
		require.True(t, ok, "what was reported is taken up: %+v", once)
		require.Equal(t, once.Call, twice.Call)
		require.Equal(t, once.Costs, twice.Costs)
		require.Equal(t, once.Err, twice.Err)
	})
}

// reportOfResumed takes up a call in a scheduler that is paused, and returns what Shutdown reports of it after JSON. It
// returns false if the call was refused.
func reportOfResumed(t *testing.T, cfg scheduler.Config, u scheduler.Unfinished) (again scheduler.Unfinished, ok bool) {
	s, err := scheduler.New(cfg)
	require.NoError(t, err)
	defer s.Close()
	require.NoError(t, s.Pause())
	h, err := s.Submit(context.Background(), nothing, scheduler.Resumed(u))
	if err != nil {
		return again, false
	}
	now, cancel := context.WithCancel(context.Background())
	cancel()
	left, err := s.Shutdown(now)
	if len(left) == 0 {
		require.NoError(t, err)
		require.Error(t, settled(h), "its error is in the handle")
		return again, false
	}
	text, err := json.Marshal(left)
	require.NoError(t, err)
	var all []scheduler.Unfinished
	require.NoError(t, json.Unmarshal(text, &all))
	require.Len(t, all, 1)
	return all[0], true
}
