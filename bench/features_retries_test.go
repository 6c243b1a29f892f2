package main

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	awsretry "github.com/aws/aws-sdk-go-v2/aws/retry"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/cenkalti/backoff/v5"
	failsafego "github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/bulkhead"
	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/failsafe-go/failsafe-go/failsafehttp"
	"github.com/failsafe-go/failsafe-go/ratelimiter"
	"github.com/failsafe-go/failsafe-go/retrypolicy"
	"golang.org/x/time/rate"
	"k8s.io/client-go/util/workqueue"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

// retryFeatures are those of calls that fail.
var retryFeatures = []row{
	{"Retries pay tokens again", [6]cell{
		{yes, "", all(tested("TestH39_EveryAttemptPays", "TestRetryFreesItsSlot"), pays(fairleadRetries(10)))},
		{partly, "if you put `Wait` into the operation", xratePays},
		{no, "no retries", onlyTake},
		{yes, "", pays(failsafeRetries(10))},
		{yes, "", k8sPays},
		{yes, "in adaptive mode; else from a quota of retries, which fills when calls succeed", awsPays},
	}},
	{"A retry keeps its place", [6]cell{
		{yes, "", all(tested("TestFastPathSeniority", "TestTranscripts"), keepsPlace(fairleadRetries(1)))},
		{no, "", keepsPlace(xrateRetries(1))},
		{no, "no retries", onlyTake},
		{no, "", keepsPlace(failsafeRetries(1))},
		{partly, "with a `workqueue.Queue` that you write", k8sKeepsPlace},
		{no, "who waits asks again later: who comes in between is faster", awsOrder},
	}},
	{"Concurrency cap, and a retry that waits leaves room", [6]cell{
		{yes, "", all(tested("TestRetryFreesItsSlot", "TestSetMaxInFlight"), leavesRoom(fairleadCapped))},
		{no, "", absent("Retry", "concurren|in_?flight|semaphore|slots", xratePkg, backoffPkg)},
		{no, "", onlyTake},
		{yes, "", leavesRoom(failsafeCapped)},
		{partly, "as many as you start workers; one whose item waits goes on with the next", k8sLeavesRoom},
		{no, "", absent("AdaptiveMode", "concurren|in_?flight|semaphore|slots", awsRetryPkg, awsLimitPkg)},
	}},
	{"Retry-After is heeded, and by all calls", [6]cell{
		{yes, "", all(tested("TestServerWait", "TestServerWaitHoldsEverybody", "TestR5_ServerIsNeverUndercut"), heeds(30*time.Second, fairleadToldToWait))},
		{partly, "by the call that was told", heeds(30*time.Second, backoffToldToWait)},
		{no, "no retries", onlyTake},
		{partly, "by the call that was told; by others if you add a circuit breaker and have retries wait for it", failsafeHeeds},
		{partly, "by the call that was told", all(k8sToldToWait, says("k8s.io/client-go", "rest/with_retry.go", "delay = r.retryAfter.Wait", "request.backoff.SleepWithContext(ctx, delay)"))},
		{partly, "`X-Amz-Retry-After` alone, up to 5 s beyond its own backoff, by the call that was told", awsToldToWait},
	}},
	{"Time limit of each attempt", [6]cell{
		{yes, "", all(tested("TestAttemptTimeout"), fairleadTimesOut)},
		{no, notesOwnTimeout, absentBeside("timeout", "WithMaxElapsedTime", timeoutWords, xratePkg, backoffPkg)},
		{no, "", onlyTake},
		{yes, "", failsafeTimesOut},
		{no, "`rest.Config.Timeout` is for all attempts together", k8sTimesOut},
		{partly, "inside its own clients", all(has(awsHTTPPkg, "BuildableClient.WithTimeout"), says("github.com/aws/aws-sdk-go-v2", "aws/transport/http/client.go", "b.clientTimeout"))},
	}},
	{"Retry budget: a bound on all retries together", [6]cell{
		{yes, "", all(tested("TestRetryBudget"), retriesBounded(fairleadBudget))},
		{no, "", absentBeside("retrypolicy", "WithMaxTries", budgetWords, xratePkg, backoffPkg)},
		{no, "", onlyTake},
		{yes, "", retriesBounded(failsafeBudget)},
		{no, "", absentBeside("retrypolicy", "TypedRateLimiter.NumRequeues", budgetWords, workqueuePkg, flowPkg)},
		{yes, "", retriesBounded(awsBudget)},
	}},
}

var errFails = errors.New("fails")

// runner runs a function, and again when it has failed.
type runner func(context.Context, work) error

// failsOnce is a function that fails at first.
func failsOnce(attempted func(), err error) work {
	attempts := 0
	return func(context.Context) error {
		attempted()
		if attempts++; attempts == 1 {
			return err
		}
		return nil
	}
}

// fairleadRetries and those below wait a millisecond between attempts, and have one token
// at the start and so many a second.
func fairleadRetries(perSecond int64) func(t *testing.T) runner {
	return func(t *testing.T) runner {
		s := newFairlead(t, scheduler.Config{Limit: bucket.Per(perSecond, time.Second).Burst(1), Classify: always, Retry: soon})
		return func(ctx context.Context, fn work) error { return s.Do(ctx, fn) }
	}
}

var soon = retry.Policy{MaxRetries: maxRetries, Initial: time.Millisecond, Jitter: retry.None}

func always(err error) retry.Verdict { return retry.Classify(retry.Transient(err)) }

func xrateRetries(perSecond rate.Limit) func(t *testing.T) runner {
	return func(t *testing.T) runner { return openCenkalti(time.Millisecond, rate.NewLimiter(perSecond, 1).Wait) }
}

func failsafeRetries(perSecond uint) func(t *testing.T) runner {
	return func(t *testing.T) runner {
		limiter := ratelimiter.NewSmoothBuilder[any](perSecond, time.Second).WithMaxWaitTime(time.Hour).Build()
		return failsafeRun(failsafego.With[any](failsafeRetryPolicy(time.Millisecond), limiter), nil)
	}
}

// pays: the second attempt has to wait for a token.
func pays(open func(t *testing.T) runner) proof {
	return func(t *testing.T) mark {
		c, run := newCrew(), open(t)
		check(run(t.Context(), failsOnce(func() { c.note("attempt") }, errFails)))
		if len(c.served) == 2 && about(c.at["attempt"], 100*time.Millisecond) {
			return yes
		}
		return no
	}
}

// xratePays: that depends on where you call Wait.
func xratePays(t *testing.T) mark {
	if pays(xrateRetries(10))(t) == no {
		return no
	}
	return max(partly, pays(func(t *testing.T) runner {
		limiter, run := rate.NewLimiter(10, 1), openCenkalti(time.Millisecond, nil)
		return func(ctx context.Context, fn work) error {
			check(limiter.Wait(ctx))
			return run(ctx, fn)
		}
	})(t))
}

func k8sPays(t *testing.T) mark {
	c := newCrew()
	q := workqueue.NewTypedRateLimitingQueue[string](&workqueue.TypedBucketRateLimiter[string]{Limiter: rate.NewLimiter(10, 1)})
	defer q.ShutDown()
	q.AddRateLimited("item")
	for range 2 {
		item, _ := q.Get()
		c.note("attempt")
		q.AddRateLimited(item)
		q.Done(item)
	}
	if !about(c.at["attempt"], 100*time.Millisecond) {
		return no
	}
	return yes
}

// awsPays: once a server has refused, attempts cost tokens, of which there is one every 2 s.
func awsPays(t *testing.T) mark {
	c := newCrew()
	m := awsretry.NewAttemptMiddleware(awsAdaptive(), func(request any) any { return request })
	check(awsRun(m, nil)(t.Context(), failsOnce(func() { c.note("attempt") }, errThrottled)))
	if c.at["attempt"] != 2*time.Second {
		return no
	}
	return yes
}

// keepsPlace: a fails while b and c wait, and its second attempt is before theirs.
func keepsPlace(open func(t *testing.T) runner) proof {
	return func(t *testing.T) mark {
		c, run := newCrew(), open(t)
		first := failsOnce(func() { c.note("attempt") }, errFails)
		began := make(chan struct{})
		c.call("a", func(ctx context.Context) error {
			return run(ctx, func(ctx context.Context) error {
				<-began
				return first(ctx)
			})
		})
		c.call("b", func(ctx context.Context) error { return run(ctx, nothing) })
		c.call("c", func(ctx context.Context) error { return run(ctx, nothing) })
		close(began)
		c.until(time.Minute)
		switch {
		case slices.Equal(c.served, []string{"attempt", "attempt", "a", "b", "c"}):
			return yes
		case slices.Equal(c.served, []string{"attempt", "b", "c", "attempt", "a"}):
			return no
		}
		t.Errorf("in the order %v", c.served)
		return no
	}
}

// bySeniority is a workqueue.Queue that hands out by rank, which is that of the first arrival
// unless it was given.
type bySeniority struct {
	items []string
	ranks map[string]int
}

func (q *bySeniority) Touch(string) {}
func (q *bySeniority) Len() int     { return len(q.items) }
func (q *bySeniority) Push(item string) {
	if _, known := q.ranks[item]; !known {
		q.ranks[item] = len(q.ranks)
	}
	q.items = append(q.items, item)
}
func (q *bySeniority) Pop() string {
	slices.SortFunc(q.items, func(a, b string) int { return q.ranks[a] - q.ranks[b] })
	first := q.items[0]
	q.items = q.items[1:]
	return first
}

// k8sKeepsPlace: in the queue as it comes, an item that is added again goes to the end.
func k8sKeepsPlace(t *testing.T) mark {
	next := func(queue workqueue.Queue[string]) string {
		q := workqueue.NewTypedWithConfig(workqueue.TypedQueueConfig[string]{Queue: queue})
		defer q.ShutDown()
		for _, item := range []string{"a", "b", "c"} {
			q.Add(item)
		}
		item, _ := q.Get()
		q.Add(item)
		q.Done(item)
		item, _ = q.Get()
		return item
	}
	switch {
	case next(nil) == "a":
		return yes
	case next(&bySeniority{ranks: map[string]int{}}) == "a":
		return partly
	}
	return no
}

// leavesRoom: one call at a time may run. The first takes a second and fails, and waits an
// hour; the second runs meanwhile, and not before.
func leavesRoom(open func(t *testing.T) runner) proof {
	return func(t *testing.T) mark {
		c, run := newCrew(), open(t)
		fail := failsOnce(func() {}, errFails)
		c.call("a", func(ctx context.Context) error {
			return run(ctx, func(ctx context.Context) error { time.Sleep(time.Second); return fail(ctx) })
		})
		c.call("b", func(ctx context.Context) error { return run(ctx, nothing) })
		c.until(2 * time.Hour)
		if c.at["b"] == time.Second && c.at["a"] == time.Hour+2*time.Second {
			return yes
		}
		return no
	}
}

func fairleadCapped(t *testing.T) runner {
	s := newFairlead(t, scheduler.Config{MaxInFlight: 1, Classify: always, Retry: retry.Policy{Initial: time.Hour, Max: time.Hour, Jitter: retry.None}})
	return func(ctx context.Context, fn work) error { return s.Do(ctx, fn) }
}

func failsafeCapped(t *testing.T) runner {
	room := bulkhead.NewBuilder[any](1).WithMaxWaitTime(24 * time.Hour).Build()
	return failsafeRun(failsafego.With[any](failsafeRetryPolicy(time.Hour), room), nil)
}

// k8sLeavesRoom: one worker comes to b while a waits. The queue itself caps nothing.
func k8sLeavesRoom(t *testing.T) mark {
	q := workqueue.NewTypedRateLimitingQueue(workqueue.NewTypedItemExponentialFailureRateLimiter[string](time.Hour, time.Hour))
	defer q.ShutDown()
	q.Add("a")
	q.Add("b")
	q.Add("c")
	item, _ := q.Get()
	q.AddRateLimited(item)
	q.Done(item)
	if next, _ := q.Get(); next != "b" {
		return no
	}
	if q.Len() > 0 {
		q.Get() // b is not done yet
		return partly
	}
	return yes
}

// heeds: a is told to wait; b comes a second later.
func heeds(wait time.Duration, open func(t *testing.T, told time.Duration) (first, other runner)) proof {
	return func(t *testing.T) mark {
		c := newCrew()
		first, other := open(t, wait)
		c.call("a", func(ctx context.Context) error { return first(ctx, failsOnce(func() {}, errFails)) })
		c.until(time.Second)
		c.call("b", func(ctx context.Context) error { return other(ctx, nothing) })
		c.until(2 * wait)
		if len(c.served) != 2 {
			t.Errorf("served are %v", c.served)
		}
		switch {
		case c.at["a"] < wait:
			return no
		case c.at["b"] < wait:
			return partly
		}
		return yes
	}
}

// telling has a function's error say what a server says.
func telling(run runner, say func(error) error) runner {
	return func(ctx context.Context, fn work) error {
		return run(ctx, func(ctx context.Context) error {
			if err := fn(ctx); err != nil {
				return say(err)
			}
			return nil
		})
	}
}

func fairleadToldToWait(t *testing.T, wait time.Duration) (first, other runner) {
	s := newFairlead(t, scheduler.Config{})
	run := func(ctx context.Context, fn work) error { return s.Do(ctx, fn) }
	return telling(run, func(err error) error { return retry.After(err, wait) }), run
}

func backoffToldToWait(t *testing.T, wait time.Duration) (first, other runner) {
	run := xrateRetries(10)(t)
	return telling(run, func(error) error { return backoff.RetryAfter(int(wait.Seconds())) }), run
}

func failsafeToldToWait(t *testing.T, wait time.Duration) (first, other runner) {
	return failsafeHTTP(wait, retrypolicy.NewBuilder[*http.Response]().WithDelayFunc(failsafehttp.DelayFunc).HandleErrors(errFails).Build())
}

// failsafeTogether is a circuit breaker that opens for as long as the server says, and retries that wait for it.
func failsafeTogether(t *testing.T, wait time.Duration) (first, other runner) {
	breaker := circuitbreaker.NewBuilder[*http.Response]().WithDelayFunc(failsafehttp.DelayFunc).HandleErrors(errFails).Build()
	untilClosed := func(failsafego.ExecutionAttempt[*http.Response]) time.Duration { return breaker.RemainingDelay() }
	return failsafeHTTP(wait, retrypolicy.NewBuilder[*http.Response]().WithDelayFunc(untilClosed).Build(), breaker)
}

func failsafeHTTP(wait time.Duration, policies ...failsafego.Policy[*http.Response]) (first, other runner) {
	executor := failsafego.With(policies...)
	run := func(ctx context.Context, fn work) error {
		_, err := executor.WithContext(ctx).Get(func() (*http.Response, error) {
			header := http.Header{"Retry-After": {strconv.Itoa(int(wait.Seconds()))}}
			return &http.Response{StatusCode: http.StatusTooManyRequests, Header: header}, fn(ctx)
		})
		return err
	}
	return run, run
}

func failsafeHeeds(t *testing.T) mark {
	if heeds(30*time.Second, failsafeTogether)(t) != yes {
		t.Error("a circuit breaker does not do it any more")
	}
	return heeds(30*time.Second, failsafeToldToWait)(t)
}

func k8sToldToWait(t *testing.T) mark {
	q := workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[string]())
	defer q.ShutDown()
	q.AddAfter("a", 30*time.Second)
	q.Add("b")
	synctest.Wait()
	if q.Len() != 1 {
		return yes
	}
	q.Get()
	time.Sleep(30*time.Second - time.Nanosecond)
	synctest.Wait()
	early := q.Len()
	time.Sleep(time.Nanosecond)
	synctest.Wait()
	if early != 0 || q.Len() != 1 {
		return no
	}
	return partly
}

// awsToldToWait: 3 s are heeded, of 30 s it heeds 5, and Retry-After it does not know.
func awsToldToWait(t *testing.T) mark {
	open := func(field, value string) func(*testing.T, time.Duration) (first, other runner) {
		return func(*testing.T, time.Duration) (first, other runner) {
			run := awsRun(awsMiddleware(time.Millisecond, ratelimit.None), nil)
			return telling(run, func(err error) error {
				res := &smithyhttp.Response{Response: &http.Response{StatusCode: http.StatusTooManyRequests, Header: http.Header{field: {value}}}}
				return &smithyhttp.ResponseError{Response: res, Err: err}
			}), run
		}
	}
	if heeds(30*time.Second, open("Retry-After", "30"))(t) != no || heeds(30*time.Second, open("X-Amz-Retry-After", "30000"))(t) != no {
		return yes
	}
	return heeds(3*time.Second, open("X-Amz-Retry-After", "3000"))(t)
}

// fairleadTimesOut: the first attempt would take for ever, and is ended after a second.
func fairleadTimesOut(t *testing.T) mark {
	s := newFairlead(t, scheduler.Config{AttemptTimeout: time.Second, Retry: retry.Policy{Initial: time.Millisecond, Jitter: retry.None}})
	began, attempts := time.Now(), 0
	err := s.Do(t.Context(), func(ctx context.Context) error {
		if attempts++; attempts == 1 {
			<-ctx.Done()
		}
		return ctx.Err()
	})
	if err != nil || attempts != 2 || time.Since(began) != time.Second+time.Millisecond {
		t.Logf("%v after %v, %d attempts", err, time.Since(began), attempts)
		return no
	}
	return yes
}

// fairleadBudget has three retries, and hardly any more.
func fairleadBudget(t *testing.T) runner {
	s := newFairlead(t, scheduler.Config{Limit: bucket.Unlimited, Classify: retry.Any, Retry: retry.Policy{Initial: time.Millisecond},
		RetryBudget: &retry.Budget{Ratio: 0.001, PerSecond: 0.001, Burst: 3}})
	return func(ctx context.Context, fn work) error { return s.Do(ctx, fn) }
}
