package main

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	failsafego "github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/ratelimiter"
	uber "go.uber.org/ratelimit"
	"golang.org/x/time/rate"
	"k8s.io/client-go/util/workqueue"

	"example.com/fairlead/bucket"
	"example.com/fairlead/scheduler"
)

const (
	xratePkg      = "golang.org/x/time/rate"
	backoffPkg    = "github.com/cenkalti/backoff/v5"
	uberPkg       = "go.uber.org/ratelimit"
	failsafePkg   = "github.com/failsafe-go/failsafe-go/"
	flowPkg       = "k8s.io/client-go/util/flowcontrol"
	workqueuePkg  = "k8s.io/client-go/util/workqueue"
	awsRetryPkg   = "github.com/aws/aws-sdk-go-v2/aws/retry"
	awsLimitPkg   = "github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	limiterPkg    = failsafePkg + "ratelimiter"
	notesUberTake = "`Take()` is all there is"
)

// limitFeatures are those of budgets and of waiting for them.
var limitFeatures = []row{
	{"Weighted cost", [6]cell{
		{yes, "", all(tested("TestH33_BigCallIsNotStarved"), costs(drainedFairlead(5)))},
		{yes, "", costs(drained(openXRate, 5))},
		{no, "", onlyTake},
		{yes, "`AcquirePermits`; as a policy, each call takes one", failsafeCosts},
		{no, "", absent("RateLimiter.Wait", "acceptn|waitn|reserve|cost|weight|permits|tokens$", flowPkg)},
		{partly, "the quota of retries alone has costs; an attempt always costs `AdaptiveModeOptions.RequestCost`", awsCosts},
	}},
	{"First come, first served, also for big calls", [6]cell{
		{yes, "", all(tested("TestTwoHundredThousandCalls", "TestH33_BigCallIsNotStarved"), inOrder(drainedFairlead(5), 5))},
		{partly, "once a call has left the queue, newcomers can go before those who wait", inOrder(drained(openXRate, 5), 5)},
		{yes, "", inOrder(drained(openUber, 1), 1)},
		{yes, "", inOrder(drained(openFailsafe, 1), 5)},
		{yes, "", inOrder(drained(openK8s, 1), 1)},
		{no, "who waits asks again later: who comes in between is faster", awsOrder},
	}},
	{"Cancelling gives others the tokens, exactly", [6]cell{
		{yes, "", all(tested("TestH12_CancelledWaitsCostNothing", "TestH07_NextIsGrantedAtItsOwnTime"), gaveBack(drainedFairlead(1)))},
		{partly, "unless others queue behind it: they keep their times, and its tokens are lost", gaveBack(drained(openXRate, 1))},
		{no, notesUberTake, onlyTake},
		{no, "", gaveBack(drained(openFailsafe, 1))},
		{partly, "unless others queue behind it: they keep their times, and its tokens are lost", gaveBack(drained(openK8s, 1))},
		{yes, "", awsGaveBack},
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
		{partly, "what it cost more can be reserved; what it cost less does not come back", xrateSettles},
		{no, "", onlyTake},
		{partly, "what it cost more can be reserved; what it cost less does not come back", noMore(failsafeSettles, "RateLimiter.ReservePermits", "settle|refund|release|return|adjust|cancel", limiterPkg)},
		{no, "", absent("PassiveRateLimiter.TryAccept", "settle|refund|release|return|adjust|reserve|cancel", flowPkg)},
		{partly, "in the quota of retries: tokens come back, but a debt is refused", awsSettles},
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
		{partly, "for those who come later", k8sReplans},
		{no, "", absent("AdaptiveMode.GetAttemptToken", "\\.(set|update|change|resize)|rate$|fill", awsRetryPkg)},
	}},
}

// emptied opens a limiter of 10 tokens a second that has just been emptied.
type emptied func(t *testing.T) taker

func drained(open func(limit) taker, burst int) emptied {
	return func(*testing.T) taker {
		l := open(perSecond(10, burst))
		for range burst {
			check(l.wait(context.Background()))
		}
		return l
	}
}

func newFairlead(t *testing.T, c scheduler.Config) *scheduler.Scheduler {
	s := must(scheduler.New(c))
	t.Cleanup(s.Close)
	return s
}

func drainedFairlead(burst int64) emptied {
	return func(t *testing.T) taker {
		s := newFairlead(t, scheduler.Config{Limit: bucket.Per(10, time.Second).Burst(burst)})
		check(s.Do(t.Context(), nothing, scheduler.Cost(burst)))
		return fairleadTaker(s)
	}
}

func (l taker) of(cost int) func(context.Context) error {
	if cost == 1 {
		return l.wait
	}
	return func(ctx context.Context) error { return l.waitN(ctx, cost) }
}

// crew is callers who wait, and who of them was served when.
type crew struct {
	began  time.Time
	mu     sync.Mutex
	served []string
	at     map[string]time.Duration
}

func newCrew() *crew { return &crew{began: time.Now(), at: map[string]time.Duration{}} }

func (l *crew) note(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.served = append(l.served, name)
	l.at[name] = time.Since(l.began)
}

// call has somebody wait, after all who were called before. It returns how to leave.
func (l *crew) call(name string, wait func(context.Context) error) (leave func()) {
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer cancel()
		if wait(ctx) == nil {
			l.note(name)
		}
	}()
	synctest.Wait()
	return func() { cancel(); synctest.Wait() }
}

// until lets time pass.
func (l *crew) until(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// about is equal but for what floating point does to a limiter's nanoseconds.
func about(a, b time.Duration) bool { return (a - b).Abs() <= time.Microsecond }

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
		if !slices.Equal(l.served, []string{"a", "c", "d"}) {
			return partly
		}
		return yes
	}
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
		return no
	}
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

// onlyTake: uber's limiter has one method, without arguments.
func onlyTake(t *testing.T) mark {
	var _ interface{ Take() time.Time } = uber.New(1)
	if reflect.TypeFor[uber.Limiter]().NumMethod() == 1 {
		return no
	}
	return partly
}

func failsafeCosts(t *testing.T) mark {
	absent("Builder.WithMaxWaitTime", "with.*(permit|cost|weight)", limiterPkg)(t)
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
	if errors.Is(err, ratelimiter.ErrExceeded) && a.TryAcquirePermit() {
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
	lim := rate.NewLimiter(10, 10)
	call := lim.ReserveN(time.Now(), 10)
	time.Sleep(time.Millisecond)
	before := lim.Tokens()
	call.Cancel()
	if lim.Tokens() != before {
		return yes
	}
	l := newCrew()
	lim.ReserveN(time.Now(), 5)
	l.call("next", lim.Wait)
	l.until(2 * time.Second)
	if !about(l.at["next"], 599*time.Millisecond) {
		return no
	}
	return partly
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
