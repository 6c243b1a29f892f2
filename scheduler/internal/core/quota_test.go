package core

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry"
)

const hour = time.Hour

// quotaCore returns a core with n tokens for each hour, at a quarter to the hour.
func quotaCore(t *testing.T, n int64) *Core {
	k, err := New(Config{Origin: simOrigin.Add(45 * time.Minute), Limits: bucket.Limits{"": bucket.Every(n, hour)}, Retry: retry.Policy{MaxServerWait: hour}})
	require.NoError(t, err)
	return k
}

// TestFastPathBeforeAReset checks that the owner looks before a reset at what the fast path has taken, and
// that what it finds after one counts in the new period (B15, resets).
func TestFastPathBeforeAReset(t *testing.T) {
	k := quotaCore(t, 100)
	const reset = 15 * time.Minute
	require.Equal(t, reset-maxLate, k.Budgets.FullAt(), "even if it is full")
	k.TookFast(reset-1, 60, 60)
	require.EqualValues(t, 40, k.Budgets[0].Available())
	k.TookFast(reset, 10, 10)
	require.EqualValues(t, 90, k.Budgets[0].Available())
	require.Equal(t, reset+hour-maxLate, k.Budgets.FullAt())

	// A call that falls due before the reset does not make the tokens be those of before.
	c := &Call{Cost: 1, Deadline: bucket.Forever}
	k.Submit(reset, c)
	k.Finish(reset, c, errFailed, retry.Verdict{Kind: retry.KindTransient, Wait: hour - time.Minute})
	require.Less(t, k.Wake(), reset+hour)
	k.TookFast(reset+hour, 20, 20)
	require.EqualValues(t, 80, k.Budgets[0].Available())
	k.Advance(reset + hour)
	require.EqualValues(t, 79, k.Budgets[0].Available())

	first, err := New(Config{Origin: simOrigin, Limits: bucket.Limits{"": bucket.Quota(100, bucket.Reset{Every: hour, FromFirst: true})}})
	require.NoError(t, err)
	first.Advance(time.Minute)
	require.Equal(t, time.Minute, first.Budgets.FullAt(), "a period begins as soon as a token is taken")
	first.TookFast(2*time.Minute, 1, 1)
	require.Equal(t, 2*time.Minute+hour-maxLate, first.Budgets.FullAt())
}

// TestEstimatesOfQuotas checks that an estimate is exact if the costs use up each period, and otherwise
// the least (C7, estimates).
func TestEstimatesOfQuotas(t *testing.T) {
	for _, c := range []struct {
		cost               int64
		estimated, granted []int // in hours after the first reset; -1 is at once
	}{
		{5, []int{-1, -1, 0, 0, 1, 1}, []int{-1, -1, 0, 0, 1, 1}},
		{6, []int{-1, 0, 0, 1}, []int{-1, 0, 1, 2}},
	} {
		k := quotaCore(t, 10)
		var calls []*Call
		for i, want := range c.estimated {
			call := &Call{Cost: c.cost, Deadline: bucket.Forever}
			k.Submit(0, call)
			if want >= 0 {
				wait := k.EstimateOf(0, call).Wait
				require.Equal(t, 15*time.Minute+time.Duration(want)*hour, wait, "call %d of cost %d", i, c.cost)
			}
			calls = append(calls, call)
		}
		k.Advance(24 * hour)
		for i, want := range c.granted {
			granted := time.Duration(0)
			if want >= 0 {
				granted = 15*time.Minute + time.Duration(want)*hour
			}
			require.Equal(t, granted, calls[i].detail.granted, "call %d of cost %d", i, c.cost)
		}
	}
}

// TestLearnResets checks that a server's reset replaces ours only if it is another one. A clock that is a
// little off would otherwise make a reset come twice (B11, Observe and Learn; B15, resets).
func TestLearnResets(t *testing.T) {
	k := quotaCore(t, 100)
	at := func(from time.Duration) bucket.Limit {
		return bucket.Quota(100, bucket.Reset{Every: hour, From: simOrigin.Add(from).Unix()})
	}
	require.NoError(t, k.Learn(0, 0, at(20*time.Minute), 30))
	require.Equal(t, 35*time.Minute, k.Budgets[0].NextReset(), "20 minutes past the hour")
	require.EqualValues(t, 30, k.Budgets[0].Available())
	k.Advance(35 * time.Minute)
	require.EqualValues(t, 100, k.Budgets[0].Available())
	require.NoError(t, k.Learn(35*time.Minute, 0, at(80*time.Minute+2*time.Second), 50))
	k.Advance(36 * time.Minute)
	require.EqualValues(t, 50, k.Budgets[0].Available(), "it came two seconds ago")
	require.Equal(t, 95*time.Minute, k.Budgets[0].NextReset())
	require.NoError(t, k.Learn(36*time.Minute, 0, at(3*hour+50*time.Minute), 10))
	require.EqualValues(t, 10, k.Budgets[0].Available())
	require.Equal(t, 65*time.Minute, k.Budgets[0].NextReset())
}

func TestSameResets(t *testing.T) {
	every := func(d time.Duration, from int64) bucket.Reset { return bucket.Reset{Every: d, From: from} }
	days := func(n int, from int64, zone string) bucket.Reset {
		return bucket.Reset{Days: n, From: from, Zone: zone}
	}
	months := func(from int64) bucket.Reset { return bucket.Reset{Months: 1, From: from} }
	const day = 24 * 60 * 60
	for _, c := range []struct {
		r, before bucket.Reset
		same      bool
	}{
		{every(hour, 5), every(hour, 0), true},
		{every(hour, 6), every(hour, 0), false},
		{every(hour, -5), every(hour, 0), true},
		{every(hour, -6), every(hour, 0), false},
		{every(hour, 7*3600-3), every(hour, -2), true},
		{every(20*time.Second, 2), every(20*time.Second, 0), true},
		{every(20*time.Second, 3), every(20*time.Second, 0), false},
		{every(time.Second, 1), every(time.Second, 0), true},
		{every(2*hour, 0), every(hour, 0), false},
		{every(hour, 0), bucket.Reset{Every: hour, FromFirst: true}, false},
		{days(1, 3*day+1, ""), days(1, day-2, ""), true},
		{days(1, 3*day+7, ""), days(1, day-2, ""), false},
		{days(2, 2*day, ""), days(2, day, ""), false},
		{days(1, day, "Europe/Berlin"), days(1, 0, "Europe/Berlin"), false}, // 0 is midnight in Berlin
		{days(1, day, "Europe/Berlin"), days(1, day, ""), false},
		{months(day + 5), months(day), true},
		{months(day + 6), months(day), false},
		{months(31 * day), months(day), false},
		{every(hour, 3), bucket.Reset{}, false},
	} {
		want := c.r
		if c.same {
			want = c.before
		}
		require.Equal(t, want, sameResets(c.r, c.before), "%+v after %+v", c.r, c.before)
	}
}

// TestQuotaNeedsTheTime checks that a limit with a Reset is refused where the time of day is not known.
func TestQuotaNeedsTheTime(t *testing.T) {
	_, err := New(Config{Limits: bucket.Limits{"": bucket.Daily(1, "")}})
	require.ErrorContains(t, err, "time of day")
	k, err := New(Config{Limits: bucket.Limits{"": bucket.PerSecond(1)}})
	require.NoError(t, err)
	require.ErrorContains(t, k.SetLimit(0, 0, bucket.Daily(1, "")), "time of day")
	require.Equal(t, bucket.PerSecond(1), k.Budgets[0].Configured)
}

// What an attempt has paid before a reset is gone, and what it has paid since is corrected. The last call
// counts.
func TestSettleOverAReset(t *testing.T) {
	const reset = 15 * time.Minute
	for _, c := range []struct{ settled, left, paid []int64 }{
		{settled: []int64{2, 10}, left: []int64{100, 100}, paid: []int64{10, 10}},
		{settled: []int64{40, 20, 5, 11}, left: []int64{70, 90, 100, 99}, paid: []int64{40, 20, 10, 11}},
	} {
		k := quotaCore(t, 100)
		call := &Call{Cost: 10, Deadline: bucket.Forever}
		k.Submit(0, call)
		for i, tokens := range c.settled {
			k.SettleCost(reset+time.Duration(i+1), call, 1, 0, tokens)
			require.Equal(t, c.left[i], k.Budgets[0].Available())
			require.Equal(t, c.paid[i], call.Paid())
		}
	}
}
