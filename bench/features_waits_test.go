package main

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/failsafe-go/failsafe-go/ratelimiter"
	"golang.org/x/time/rate"
	"k8s.io/client-go/util/workqueue"

	"example.com/fairlead/bucket"
	"example.com/fairlead/scheduler"
)

// waitFeatures are those of waiting for tokens.
var waitFeatures = []row{
	{"First come, first served, also for big calls", [6]cell{
		{yes, "", all(tested("TestTwoHundredThousandCalls", "TestH33_BigCallIsNotStarved"), inOrder(drainedFairlead(5), 5))},
		{partly, "once a call has left the queue, newcomers can go before those who wait", inOrder(drained(openXRate, 5), 5)},
		{yes, "", inOrder(drained(openUber, 1), 1)},
		{yes, "smooth ones; a bursty one lets those of a period go all at once", all(inOrder(drained(openFailsafe, 1), 5), failsafeBursts)},
		{yes, "", inOrder(drained(openK8s, 1), 1)},
		{no, "who waits asks again later: who comes in between is faster", awsOrder},
	}},
	{"A deadline that can't be met fails at once", [6]cell{
		{yes, "", all(tested("TestH14_DeadlineBeforeItsTurn"), hopeless(drainedFairlead(1)))},
		{yes, "", hopeless(drained(openXRate, 1))},
		{no, notesUberTake, onlyTake},
		{partly, "`WithMaxWaitTime`; a context's deadline is waited for", failsafeHopeless},
		{yes, "", hopeless(drained(openK8s, 1))},
		{no, "", awsHopeless},
	}},
	{"Estimated wait of a call that waits", [6]cell{
		{yes, "", all(tested("TestEstimatesAreExact"), fairleadEstimates)},
		{partly, "told with a reservation or a delay, and not of a call that simply waits", noMore(xrateEstimates, "Reservation.DelayFrom", "estimate|position|eta$|queue", xratePkg)},
		{no, "", onlyTake},
		{partly, "told with a reservation or a delay, and not of a call that simply waits", noMore(failsafeEstimates, "RateLimiter.ReservePermit", "estimate|delay|remaining|position", limiterPkg)},
		{partly, "told with a reservation or a delay, and not of a call that simply waits", noMore(k8sEstimates, "TypedRateLimiter.When", "estimate|remaining|position|eta$", workqueuePkg, flowPkg)},
		{no, "", absent("TokenRateLimit.Remaining", "estimate|when$|wait|eta$|position", awsRetryPkg, awsLimitPkg)},
	}},
	{"A new limit counts for calls that wait", [6]cell{
		{yes, "", all(tested("TestSetLimitWhileThousandsWait"), replans(drainedFairlead(1)))},
		{partly, "for those who come later", replans(drained(openXRate, 1))},
		{no, "", onlyTake},
		{no, "", absent("RateLimiter.AcquirePermits", "\\.(set|update|change|resize)", limiterPkg)},
		{partly, "`workqueue.BucketRateLimiter` alone, for those who come later", noMore(k8sReplans, "PassiveRateLimiter.QPS", "\\.set", flowPkg)},
		{no, "", absent("AdaptiveMode.GetAttemptToken", "\\.(set|update|change|resize)|rate$|fill", awsRetryPkg)},
	}},
}

// inOrder: a big call among small ones has its turn, also when one that was before others has left.
func inOrder(open emptied, big int) proof {
	return func(t *testing.T) mark {
		l, tk := newCrew(), open(t)
		l.call("a", tk.wait)
		l.call("big", tk.of(big))
		for _, name := range []string{"c", "d", "e", "f"} {
			l.call(name, tk.wait)
			l.until(50 * time.Millisecond)
		}
		l.until(5 * time.Second)
		if !slices.Equal(l.served, []string{"a", "big", "c", "d", "e", "f"}) {
			return no
		}
		if tk.keepsWaiting {
			return yes
		}
		l, tk = newCrew(), open(t)
		l.call("a", tk.wait)
		leave := l.call("big", tk.of(big))
		l.call("c", tk.wait)
		leave()
		l.call("d", tk.wait)
		l.until(5 * time.Second)
		switch {
		case slices.Equal(l.served, []string{"a", "c", "d"}):
			return yes
		case slices.Equal(l.served, []string{"a", "d", "c"}):
			return partly
		}
		return no
	}
}

// failsafeBursts: in a bursty one, those who come later never wait for less, though some for as long.
func failsafeBursts(t *testing.T) mark {
	l := ratelimiter.NewBursty[any](5, time.Second)
	l.TryAcquirePermits(5)
	var waits []time.Duration
	for _, permits := range []uint{1, 2, 7, 1, 4, 1} {
		waits = append(waits, l.ReservePermits(permits))
	}
	if !slices.Equal(waits, []time.Duration{1 * time.Second, 1 * time.Second, 2 * time.Second, 3 * time.Second, 3 * time.Second, 4 * time.Second}) {
		t.Errorf("the waits are %v", waits)
		return no
	}
	return yes
}

// hopeless: with 50 ms left, and a token in 100 ms, waiting is pointless.
func hopeless(open emptied) proof {
	return func(t *testing.T) mark {
		tk := open(t)
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if tk.wait(ctx) != nil && time.Since(began) == 0 {
			return yes
		}
		return no
	}
}

func failsafeHopeless(t *testing.T) mark {
	if got := hopeless(drained(openFailsafe, 1))(t); got != no {
		return got
	}
	l := ratelimiter.NewSmooth[any](10, time.Second)
	l.TryAcquirePermit()
	began := time.Now()
	if err := l.AcquirePermitWithMaxWait(t.Context(), 50*time.Millisecond); !errors.Is(err, ratelimiter.ErrExceeded) || time.Since(began) != 0 {
		return no
	}
	return partly
}

func fairleadEstimates(t *testing.T) mark {
	s := newFairlead(t, scheduler.Config{Limit: bucket.Per(1, time.Second).Burst(1)})
	check(s.Do(t.Context(), nothing))
	first, second := must(s.Submit(t.Context(), nothing)), must(s.Submit(t.Context(), nothing))
	time.Sleep(500 * time.Millisecond)
	waits := second.Estimate().Wait
	first.Cancel()
	if waits != 1500*time.Millisecond || second.Estimate().Wait != 500*time.Millisecond {
		return no
	}
	return yes
}

func xrateEstimates(t *testing.T) mark {
	l := rate.NewLimiter(1, 1)
	l.Allow()
	r := l.Reserve()
	time.Sleep(500 * time.Millisecond)
	if r.Delay() != 500*time.Millisecond {
		return no
	}
	return yes
}

func failsafeEstimates(t *testing.T) mark {
	l := ratelimiter.NewSmooth[any](1, time.Second)
	l.TryAcquirePermit()
	if l.ReservePermit() != time.Second {
		return no
	}
	return yes
}

func k8sEstimates(t *testing.T) mark {
	l := workqueue.TypedBucketRateLimiter[string]{Limiter: rate.NewLimiter(1, 1)}
	l.When("first")
	if l.When("second") != time.Second {
		return no
	}
	return yes
}

// replans: three wait, and tokens come ten times as fast from then on.
func replans(open emptied) proof {
	return func(t *testing.T) mark {
		l, tk := newCrew(), open(t)
		for _, name := range []string{"a", "b", "c"} {
			l.call(name, tk.wait)
		}
		check(tk.set(perSecond(100, 1)))
		l.call("later", tk.wait)
		l.until(2 * time.Second)
		switch {
		case about(l.at["c"], 30*time.Millisecond):
			return yes
		case about(l.at["later"], 40*time.Millisecond):
			return partly
		}
		return no
	}
}

func k8sReplans(t *testing.T) mark {
	l := workqueue.TypedBucketRateLimiter[string]{Limiter: rate.NewLimiter(1, 1)}
	l.When("first")
	q := workqueue.NewTypedRateLimitingQueue[string](&l)
	defer q.ShutDown()
	q.AddRateLimited("waits")
	l.SetLimit(100)
	synctest.Wait()
	time.Sleep(500 * time.Millisecond)
	if q.Len() != 0 {
		return yes
	}
	if l.When("later") >= time.Second {
		return no
	}
	return partly
}
