package core

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/events"
	"example.com/fairlead/retry"
)

// keyedCore returns a core with an empty budget.
func keyedCore(t testing.TB, cfg Config) *Core {
	if cfg.Limits[""] != bucket.Unlimited {
		cfg.Levels = map[string]bucket.State{}
		for name := range cfg.Limits {
			cfg.Levels[name] = bucket.State{}
		}
	}
	k, err := New(cfg)
	require.NoError(t, err)
	return k
}

// submitKeyed submits n calls with a key now.
func submitKeyed(k *Core, name string, cost int64, n int) (calls []*Call) {
	for range n {
		c := &Call{Cost: cost, Deadline: bucket.Forever}
		c.SetKey(name, 1)
		k.Submit(k.Now, c)
		calls = append(calls, c)
	}
	return calls
}

// grantsOf advances the core, and returns how many calls of each key are granted meanwhile. They end at once.
func grantsOf(k *Core, until time.Duration) map[string]int {
	n := map[string]int{}
	k.Effects.Clear()
	k.Advance(until)
	for _, c := range k.Effects.Granted {
		n[c.Key()]++
	}
	return n
}

// TestOneKeyIsAsNone checks K1, within a key. All calls have one key, and all that happens is as without it.
func TestOneKeyIsAsNone(t *testing.T) {
	checked := 0
	for seed := range uint64(300) {
		plain, keyed := newSim(seed, false), newSim(seed, false)
		if plain.profile.keys > 0 {
			continue
		}
		keyed.k.perKey.HoldsAll = true
		for _, m := range record(seed) {
			want := happened(plain, m)
			m.key = 1
			require.Equal(t, want, happened(keyed, m), "seed %d, %s", seed, m.text())
			checked += len(want)
		}
	}
	require.Greater(t, checked, 10_000)
}

// TestNewKeysStarveNone checks K5, patience. New keys with one call each come at 110 % of the rate, and a key
// with large calls is granted one about every ten seconds. Without patience its second call would never be granted.
func TestNewKeysStarveNone(t *testing.T) {
	k := keyedCore(t, Config{Limits: bucket.Limits{"": bucket.PerSecond(100).Burst(100)}})
	big := submitKeyed(k, "big", 100, 5)
	for i := range 110 * 60 {
		k.Advance(time.Duration(i) * time.Second / 110)
		submitKeyed(k, fmt.Sprint("new", i), 1, 1)
		for _, c := range k.Effects.Granted {
			k.Finish(k.Now, c, nil, retry.Verdict{})
		}
		k.Effects.Clear()
	}
	last := time.Duration(0)
	for i, c := range big[:4] {
		require.Equal(t, Ended, c.State, "call %d", i)
		require.Less(t, c.Granted()-last, 14*time.Second, "call %d", i)
		last = c.Granted()
	}
}

// TestNoCreditForAPause checks K2, fairness. A key that was paused for 30 s gets half of the tokens afterwards, and
// not all until it has caught up.
func TestNoCreditForAPause(t *testing.T) {
	k := keyedCore(t, Config{Limits: bucket.Limits{"": bucket.PerSecond(100).Burst(1)}, PerKey: PerKey{Patience: time.Hour}})
	submitKeyed(k, "a", 1, 10_000)
	submitKeyed(k, "b", 1, 10_000)
	require.Equal(t, map[string]int{"a": 50, "b": 50}, grantsOf(k, time.Second))
	require.NoError(t, k.PauseKey(k.Now, "b", k.Now+30*time.Second))
	require.Equal(t, map[string]int{"a": 2999}, grantsOf(k, 31*time.Second-1))
	n := grantsOf(k, 41*time.Second)
	require.InDelta(t, 500, n["a"], 1)
	require.InDelta(t, 500, n["b"], 1)
}

// TestSharesOfSlots checks K2. Only slots are scarce, and the calls of one key take ten times as long. Each key has
// half of the slots.
func TestSharesOfSlots(t *testing.T) {
	k := keyedCore(t, Config{Limits: bucket.Limits{"": bucket.Unlimited}, MaxInFlight: 10})
	takes := map[string]time.Duration{"slow": 10 * time.Second, "quick": time.Second}
	submitKeyed(k, "slow", 1, 5000)
	submitKeyed(k, "quick", 1, 5000)
	held := map[string]time.Duration{}
	var ends heap[*Call]
	for k.Now < 1000*time.Second {
		for _, c := range k.Effects.Granted {
			held[c.Key()] += takes[c.Key()]
			ends.push(entry[*Call]{first: k.Now + takes[c.Key()], id: c.ID, value: c})
		}
		k.Effects.Clear()
		next := ends[0]
		ends.remove(0)
		k.Finish(next.first, next.value, nil, retry.Verdict{})
	}
	require.InDelta(t, 1, held["slow"].Seconds()/held["quick"].Seconds(), 0.05)
}

// TestNewLimitsAndShares checks that a key is not far behind after the limit has been raised, since what it has
// used was counted by the time of its refill.
func TestNewLimitsAndShares(t *testing.T) {
	for _, limits := range []bucket.Limits{
		{"": bucket.PerSecond(1).Burst(1000)},
		{"a": bucket.PerSecond(1).Burst(1000), "b": bucket.PerSecond(100_000)},
	} {
		k := keyedCore(t, Config{Limits: limits})
		large := submitKeyed(k, "large", 100, 3)
		submitKeyed(k, "small", 1, 50_000)
		k.Advance(101 * time.Second)
		require.Equal(t, Running, large[0].State)
		require.NoError(t, k.SetLimit(k.Now, 0, bucket.PerSecond(100).Burst(1000)))
		k.Advance(k.Now + 4*time.Second)
		require.Equal(t, Running, large[1].State)
	}
}

// TestSharesDoNotOverflow checks that keys share fairly after what they have used was brought back to a small
// number, which takes longer than any program with calls of usual costs runs.
func TestSharesDoNotOverflow(t *testing.T) {
	const cost = mostTokens
	k := keyedCore(t, Config{Limits: bucket.Limits{"": bucket.PerSecond(cost).Burst(cost)}})
	submitKeyed(k, "a", cost, 2000)
	submitKeyed(k, "b", cost, 2000)
	for at := time.Second; at <= 1000*time.Second; at += time.Second {
		k.Advance(at)
		require.Less(t, k.lanes.virtual, int64(mostVirtual+mostAhead))
	}
	n := map[string]int{}
	for _, c := range k.Effects.Granted {
		n[c.Key()]++
	}
	require.InDelta(t, 500, n["a"], 1)
	require.InDelta(t, 500, n["b"], 1)
}

// TestKeysLeaveNoMemory checks K9, forgetting. Of 200,000 keys that come and go, few are remembered at a time.
func TestKeysLeaveNoMemory(t *testing.T) {
	k, err := New(Config{
		Limits: bucket.Limits{"": bucket.Unlimited},
		PerKey: PerKey{Limits: bucket.Limits{"key": bucket.PerSecond(10).Burst(2)}},
	})
	require.NoError(t, err)
	most := 0
	var c Call
	for i := range 200_000 {
		c = Call{Cost: 1, Deadline: bucket.Forever}
		c.SetKey(fmt.Sprint(i), 1)
		k.Submit(time.Duration(i)*time.Millisecond, &c)
		k.Finish(k.Now, &c, nil, retry.Verdict{})
		k.WakeUp(k.Now)
		k.HandedOver(k.Now)
		k.Effects.Clear()
		most = max(most, k.Keys())
	}
	require.Less(t, most, 250) // a key's budget is full again after 100 ms
	require.Len(t, k.lanes.byName, k.Keys())
}

// TestForgettingIsNotSeen checks K9. The same moves make the same happen if no key is ever forgotten.
func TestForgettingIsNotSeen(t *testing.T) {
	forgotten := 0
	for seed := range uint64(100) {
		forgets, remembers := newSim(seed, false), newSim(seed, false)
		for _, m := range record(seed) {
			for _, l := range remembers.k.lanes.all {
				remembers.k.leaveRest(l) // so that no key is looked at
			}
			require.Equal(t, happened(forgets, m), happened(remembers, m), "seed %d, %s", seed, m.text())
		}
		forgotten += remembers.k.Keys() - forgets.k.Keys()
	}
	require.Greater(t, forgotten, 30)
}

// record returns the moves of a run but the restart.
func record(seed uint64) []move {
	s := newSim(seed, false)
	s.recording = true
	s.run()
	return s.trace[:len(s.trace)-1]
}

// happened makes a move, and returns its events without their keys.
func happened(s *sim, m move) (all []string) {
	s.k.Wanted, s.current = events.All, m
	s.apply(m)
	for _, ev := range s.k.Effects.Events {
		ev.Key = ""
		all = append(all, fmt.Sprintf("%v %v", ev.At.Sub(s.k.origin), ev))
	}
	if s.profile.owner {
		s.handOver(m)
	}
	s.k.Effects.Clear()
	return all
}

// TestChangesDoNotWalk checks that what a server reports with each answer does not look at the keys whose
// calls have time left, however many there are.
func TestChangesDoNotWalk(t *testing.T) {
	const n = 20_000
	k := keyedCore(t, Config{Limits: bucket.Limits{"": bucket.PerSecond(1).Burst(1000)}})
	for i := range n {
		c := &Call{Cost: 1, Deadline: time.Duration(i+1) * time.Hour}
		c.SetKey(fmt.Sprint(i), 1)
		k.Submit(0, c)
	}
	for range 10_000 { // one key with many calls, which fill hours
		c := &Call{Cost: 1, Deadline: (n + 1) * time.Hour}
		c.SetKey("many", 1)
		k.Submit(0, c)
	}
	looked := func(until func(*dueLanes) time.Duration) (lanes int) {
		for i := range k.lanes.deadlines {
			d := &k.lanes.deadlines[i]
			lanes += k.lateBefore(d.heap, 0, until(d), new([]*Call))
		}
		return lanes
	}
	require.Zero(t, looked(func(d *dueLanes) time.Duration { return k.ready(&d.most) }))
	require.Equal(t, 3, looked(func(*dueLanes) time.Duration { return 3*time.Hour + 1 }))
	k.Pause(0, 100*time.Hour+1)
	require.Equal(t, 10_000+n-100, k.queued, "each call whose deadline passes in the pause has ended")
}

// TestReportsWithoutNewsLeaveNoMemory checks that a key is not remembered for reports of a server that say
// what is so for a new key.
func TestReportsWithoutNewsLeaveNoMemory(t *testing.T) {
	limit := bucket.PerSecond(5)
	k := keyedCore(t, Config{Limits: bucket.Limits{"": bucket.PerSecond(1)}, PerKey: PerKey{Limits: bucket.Limits{"own": limit}, MaxKeys: 100}})
	for i := range 1000 {
		require.NoError(t, k.ObserveKey(0, fmt.Sprint("observed ", i), 1, []int64{-1, 5, 6}[i%3]))
	}
	require.Zero(t, k.Keys())
	for i := range 1000 {
		require.NoError(t, k.LearnKey(0, fmt.Sprint("learned ", i), 1, limit, 5))
	}
	require.LessOrEqual(t, k.Keys(), 2)
	require.NoError(t, k.SetLimitOfKey(0, "a", 1, bucket.PerSecond(6)))
	require.True(t, k.hasLimits(k.lanes.byName["a"]))
	require.NoError(t, k.LearnKey(0, "a", 1, limit, -1))
	require.False(t, k.hasLimits(k.lanes.byName["a"]))
}

// TestCorrectionsAtTheChargedWeight checks that a key does not get ahead since its weight is smaller when its calls
// are settled than it was when they were charged.
func TestCorrectionsAtTheChargedWeight(t *testing.T) {
	k := keyedCore(t, Config{Limits: bucket.Limits{"": bucket.PerSecond(100).Burst(100)}})
	submit := func(name string, weight int64) {
		c := &Call{Cost: 100, Deadline: bucket.Forever}
		c.SetKey(name, weight)
		k.Submit(k.Now, c)
	}
	granted := map[string]int{}
	for range 60 {
		submit("steady", 1)
		submit("changing", 2)
		k.Effects.Clear()
		k.Advance(k.Now + 100*time.Millisecond)
		for c := k.running.first; c != nil; c = k.running.first {
			granted[c.Key()]++
			submit("changing", 1)
			k.SettleCost(k.Now, c, 1, 0, 10)
			submit("changing", 2)
			k.Finish(k.Now, c, nil, retry.Verdict{})
		}
	}
	require.Greater(t, granted["changing"], 30)
	require.LessOrEqual(t, granted["changing"], 2*granted["steady"]+3, "%v", granted)
}

// TestPauseBeforeTheFirstKey checks that a pause ends calls that it makes late although keys have limits and no
// call has had a key yet.
func TestPauseBeforeTheFirstKey(t *testing.T) {
	cfg := Config{Limits: bucket.Limits{"": bucket.PerSecond(1)}, PerKey: PerKey{Limits: bucket.Limits{"own": bucket.PerSecond(1)}}}
	k, err := New(cfg)
	require.NoError(t, err)
	k.Pause(0, bucket.Forever)
	k.Submit(0, &Call{Cost: 1, Deadline: time.Second})
	require.Equal(t, 1, k.queued)
	k.Pause(0, time.Minute)
	require.Zero(t, k.queued)
}
