package main

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	failsafego "github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/ratelimiter"
	"golang.org/x/time/rate"
	"k8s.io/client-go/util/workqueue"

	"example.com/fairlead/bucket"
	"example.com/fairlead/scheduler"
)

// tokenFeatures are those of what calls cost.
var tokenFeatures = []row{
	{"Weighted cost", [6]cell{
		{yes, "", all(tested("TestH33_BigCallIsNotStarved"), costs(drainedFairlead(5)))},
		{yes, "", costs(drained(openXRate, 5))},
		{no, "", onlyTake},
		{yes, "`AcquirePermits`; as a policy, each call takes one", failsafeCosts},
		{no, "", absent("RateLimiter.Wait", "acceptn|waitn|reserve|cost|weight|permits|tokens$", flowPkg)},
		{partly, "the quota of retries alone has costs; an attempt always costs `AdaptiveModeOptions.RequestCost`", awsCosts},
	}},
	{"Several budgets, all or nothing", [6]cell{
		{yes, "", all(tested("TestSeveralBudgets", "TestSimulation"), fairleadSeveral)},
		{partly, "by hand: a `Reservation` of each, and the longer delay", noMore(xrateSeveral, "Limiter.ReserveN", "multi|budget|compos|combine", xratePkg)},
		{no, "", absent("Limiter.Take", "multi|budget|compos|combine", uberPkg)},
		{no, "policies are asked in turn: what the first gave is lost when the second refuses", failsafeSeveral},
		{partly, "`workqueue.MaxOfRateLimiter`, and each costs one", k8sSeveral},
		{no, "", absent("TokenRateLimit.GetToken", "multi|budget|compos|combine", awsRetryPkg, awsLimitPkg)},
	}},
	{"True cost settled afterwards", [6]cell{
		{yes, "", all(tested("TestSettle", "TestSettleLetsOthersIn"), fairleadSettles)},
		{partly, "more is paid by reserving it; less comes back by a negative `ReserveN`, which is not documented and speeds up no call that waits", xrateSettles},
		{no, "", onlyTake},
		{partly, "more is paid by reserving it; less does not come back", noMore(failsafeSettles, "RateLimiter.ReservePermits", "settle|refund|release|return|adjust|cancel", limiterPkg)},
		{no, "", absent("PassiveRateLimiter.TryAccept", "settle|refund|release|return|adjust|reserve|cancel", flowPkg)},
		{partly, "in the quota of retries: tokens come back, but a debt is refused", awsSettles},
	}},
	{"Canceling gives others the tokens, exactly", [6]cell{
		{yes, "", all(tested("TestH12_CanceledWaitsCostNothing", "TestH07_NextIsGrantedAtItsOwnTime"), gaveBack(drainedFairlead(1)))},
		{partly, "unless others queue behind it: they keep their times, and its tokens are lost", gaveBack(drained(openXRate, 1))},
		{no, notesUberTake, onlyTake},
		{no, "", gaveBack(drained(openFailsafe, 1))},
		{partly, "unless others queue behind it: they keep their times, and its tokens are lost", gaveBack(drained(openK8s, 1))},
		{yes, "", awsGaveBack},
	}},
}

// costs: a call of 5 waits for 5 tokens.
func costs(open emptied) proof {
	return func(t *testing.T) mark {
		l, tk := newCrew(), open(t)
		l.call("big", tk.of(5))
		l.until(2 * time.Second)
		if !about(l.at["big"], 500*time.Millisecond) {
			return no
		}
		return yes
	}
}

func failsafeCosts(t *testing.T) mark {
	absent("Builder.WithMaxWaitTime", "cost|weight", limiterPkg)(t)
	return costs(drained(openFailsafe, 1))(t)
}

func awsCosts(t *testing.T) mark {
	q := ratelimit.NewTokenRateLimit(10)
	must(q.GetToken(t.Context(), 4))
	if q.Remaining() != 6 {
		return no
	}
	return has(awsRetryPkg, "AdaptiveModeOptions.RequestCost")(t)
}

func fairleadSeveral(t *testing.T) mark {
	s := newFairlead(t, scheduler.Config{Limits: bucket.Limits{"a": bucket.Per(1, time.Second).Burst(2), "b": bucket.Per(1, time.Second).Burst(2)}})
	check(s.Do(t.Context(), nothing, scheduler.CostOf("a", 0), scheduler.CostOf("b", 2)))
	if err := s.Do(t.Context(), nothing, scheduler.NoWait()); !errors.Is(err, scheduler.ErrWouldWait) {
		return no
	}
	check(s.Do(t.Context(), nothing, scheduler.CostOf("a", 2), scheduler.CostOf("b", 0), scheduler.NoWait()))
	return yes
}

func xrateSeveral(t *testing.T) mark {
	a, b := rate.NewLimiter(1, 2), rate.NewLimiter(1, 2)
	b.AllowN(time.Now(), 2)
	ofA, ofB := a.ReserveN(time.Now(), 2), b.ReserveN(time.Now(), 2)
	waits := ofA.Delay() == 0 && ofB.Delay() == 2*time.Second
	ofA.Cancel()
	ofB.Cancel()
	if !waits || a.Tokens() != 2 || b.Tokens() != 0 {
		return no
	}
	return yes
}

func failsafeSeveral(t *testing.T) mark {
	a, b := ratelimiter.NewSmooth[any](1, time.Second), ratelimiter.NewSmooth[any](1, time.Second)
	b.TryAcquirePermit()
	err := failsafego.With[any](a, b).Run(func() error { return nil })
	if !errors.Is(err, ratelimiter.ErrExceeded) {
		t.Errorf("refused with %v", err)
	}
	if a.TryAcquirePermit() {
		return yes
	}
	return no
}

func k8sSeveral(t *testing.T) mark {
	a, b := rate.NewLimiter(1, 1), rate.NewLimiter(2, 1)
	both := workqueue.NewTypedMaxOfRateLimiter[string](&workqueue.TypedBucketRateLimiter[string]{Limiter: a}, &workqueue.TypedBucketRateLimiter[string]{Limiter: b})
	both.When("first")
	if both.When("second") != time.Second || a.Tokens() != -1 || b.Tokens() != -1 {
		return no
	}
	return partly
}

func fairleadSettles(t *testing.T) mark {
	s := newFairlead(t, scheduler.Config{Limits: bucket.Limits{"a": bucket.Per(10, time.Second).Burst(10)}})
	l := newCrew()
	for _, used := range []int64{4, 12} { // leaves 6, and 4 less than nothing
		check(s.Do(t.Context(), func(ctx context.Context) error { return scheduler.Settle(ctx, "a", used) }, scheduler.CostOf("a", 8)))
	}
	l.call("next", func(ctx context.Context) error { return s.Do(ctx, nothing) })
	l.until(2 * time.Second)
	if l.at["next"] != 700*time.Millisecond { // 200 for what the second asked for, 500 for the debt and one more
		return no
	}
	return yes
}

func xrateSettles(t *testing.T) mark {
	l, c := rate.NewLimiter(10, 10), newCrew()
	l.AllowN(time.Now(), 10)
	c.call("first", func(ctx context.Context) error { return l.WaitN(ctx, 5) })
	l.ReserveN(time.Now(), 4)
	c.call("second", l.Wait)
	if l.ReserveN(time.Now(), -4); !about(time.Duration(-l.Tokens()*1e8), 600*time.Millisecond) {
		return no
	}
	c.until(2 * time.Second)
	switch {
	case about(c.at["first"], 500*time.Millisecond) && about(c.at["second"], 600*time.Millisecond):
		return yes
	case about(c.at["first"], 500*time.Millisecond) && about(c.at["second"], time.Second):
		return partly
	}
	return no
}

func failsafeSettles(t *testing.T) mark {
	l, tk := newCrew(), ratelimiter.NewSmooth[any](10, time.Second)
	tk.ReservePermit()
	tk.ReservePermits(5)
	l.call("next", tk.AcquirePermit)
	l.until(2 * time.Second)
	if !about(l.at["next"], 600*time.Millisecond) {
		return no
	}
	return yes
}

func awsSettles(t *testing.T) mark {
	q := ratelimit.NewTokenRateLimit(10)
	must(q.GetToken(t.Context(), 8))
	check(q.AddTokens(4))
	if q.Remaining() != 6 {
		return no
	}
	if _, err := q.GetToken(t.Context(), 7); err != nil {
		return partly
	}
	return yes
}

// gaveBack: when the second of three leaves, the third is served in its place.
func gaveBack(open emptied) proof {
	return func(t *testing.T) mark {
		l, tk := newCrew(), open(t)
		l.call("a", tk.wait)
		leave := l.call("b", tk.wait)
		l.call("c", tk.wait)
		leave()
		l.until(2 * time.Second)
		if about(l.at["c"], 200*time.Millisecond) {
			return yes
		}
		l, tk = newCrew(), open(t)
		l.call("a", tk.wait)
		leave = l.call("b", tk.wait)
		leave()
		l.call("c", tk.wait)
		l.until(2 * time.Second)
		if about(l.at["c"], 200*time.Millisecond) {
			return partly
		}
		if !about(l.at["c"], 300*time.Millisecond) {
			t.Errorf("served after %v", l.at)
		}
		return no
	}
}
