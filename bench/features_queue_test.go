package main

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/smithy-go/logging"
	"github.com/aws/smithy-go/middleware"
	"github.com/cenkalti/backoff/v5"
	failsafego "github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/adaptivelimiter"
	"github.com/failsafe-go/failsafe-go/failsafehttp"
	"github.com/failsafe-go/failsafe-go/retrypolicy"
	uber "go.uber.org/ratelimit"
	"golang.org/x/time/rate"
	"k8s.io/client-go/util/flowcontrol"
	"k8s.io/client-go/util/workqueue"

	"example.com/fairlead/bucket"
	"example.com/fairlead/clock/clocktest"
	"example.com/fairlead/events"
	"example.com/fairlead/scheduler"
	"example.com/fairlead/scheduler/ratehttp"
)

// queueFeatures are those of what waits, and of what is around it.
var queueFeatures = []row{
	{"Priority, without starvation", [6]cell{
		{yes, "", all(tested("TestH34_PriorityCannotStarve", "TestSimulation"), fairleadPriority)},
		{no, "", absent("Limiter.Wait", "priorit|urgen|rank|level", xratePkg, backoffPkg)},
		{no, "", onlyTake},
		{partly, "`adaptivelimiter` refuses the low ones first; its rate limiters know none", noMore(has(failsafePkg+"adaptivelimiter", "PriorityLimiter.AcquirePermitWithPriority"), "RateLimiter.AcquirePermit", "priorit|urgen|rank|level", limiterPkg)},
		{partly, "with a `workqueue.Queue` that you write", k8sPriority},
		{no, "", absent("AdaptiveMode", "priorit|urgen|rank|level", awsRetryPkg, awsLimitPkg)},
	}},
	{"Bounded queue: wait, refuse or drop", [6]cell{
		{yes, "", all(tested("TestWaitForRoom", "TestRefuseNew", "TestDropLowest"), fairleadBounded)},
		{no, "", absent("Limiter.Wait", "queue|overflow|maxwait|room|pending", xratePkg)},
		{no, "", onlyTake},
		{partly, "`adaptivelimiter` refuses; its rate limiters are bounded by `WithMaxWaitTime`", failsafeBounded},
		{no, "", k8sUnbounded},
		{no, "", absent("AdaptiveModeOptions.FailOnNoAttemptTokens", "queue|overflow|maxwait|room|pending", awsRetryPkg)},
	}},
	{"Drain, with a report of what is left", [6]cell{
		{yes, "", all(tested("TestShutdownReport", "TestShutdownDrains"), fairleadDrains)},
		{no, "", absent("Limiter", "drain|shut|close|unfinished", xratePkg, backoffPkg)},
		{no, "", onlyTake},
		{no, "", absent("RateLimiter", "drain|shut|close|unfinished", limiterPkg, failsafePkg+"retrypolicy", failsafePkg+"bulkhead")},
		{partly, "`ShutDownWithDrain` waits for what runs; what waits for its time is dropped without a word", k8sDrains},
		{no, "", absent("Standard", "drain|shut|close|unfinished", awsRetryPkg, awsLimitPkg)},
	}},
	{"Events that can't hold calls up", [6]cell{
		{yes, "", all(tested("TestDeadSubscriber", "TestH21_StalledSubscriber", "TestOldestLost"), stalled(fairleadEvents))},
		{partly, "a callback that the call waits for", stalled(backoffEvents)},
		{no, "", onlyTake},
		{partly, "a callback that the call waits for", stalled(failsafeEvents)},
		{partly, "a callback that the call waits for", k8sEvents},
		{partly, "a callback that the call waits for", stalled(awsEvents)},
	}},
	{"Injectable clock", [6]cell{
		{yes, "", all(tested("TestD2_ThreeWaysOneTrace"), fairleadClock)},
		{partly, "`ReserveN` and `AllowN` are told the time; `Wait` and retries are not", xrateClock},
		{yes, "", uberClock},
		{no, "", absent("NewSmoothBuilder", "clock|stopwatch|timer|now$", limiterPkg, failsafePkg+"retrypolicy", failsafePkg+"bulkhead")},
		{partly, "`Accept` and work queues have one; `Wait` has not", k8sClock},
		{no, "", absent("NewStandard", "clock$|stopwatch|timer|now$|nowtime|sleep", awsRetryPkg, awsLimitPkg)},
	}},
	{"HTTP transport", [6]cell{
		{yes, "", all(tested("TestH39_EveryAttemptPays", "TestH48_NoHerd"), transport(fairleadTransport))},
		{no, "", absent("Limiter", "http|transport|round_?trip", xratePkg, backoffPkg)},
		{no, "", onlyTake},
		{yes, "", transport(failsafeTransport)},
		{partly, "inside its own clients", all(has("k8s.io/client-go/rest", "Config.RateLimiter"), says("k8s.io/client-go", "rest/request.go", "err := r.rateLimiter.Wait(ctx)"))},
		{partly, "inside its own clients", has(awsRetryPkg, "AddRetryMiddlewares", "NewAttemptMiddleware")},
	}},
}

func fairleadPriority(t *testing.T) mark {
	s := newFairlead(t, scheduler.Config{Limit: bucket.Per(1, time.Minute).Burst(1)})
	check(s.Do(t.Context(), nothing))
	c := newCrew()
	ranked := func(p int) func(context.Context) error {
		return func(ctx context.Context) error { return s.Do(ctx, nothing, scheduler.Priority(p)) }
	}
	c.call("low", ranked(0))
	c.call("high", ranked(1))
	c.until(61 * time.Second)
	c.call("high, later", ranked(1))
	c.until(time.Hour)
	if !slices.Equal(c.served, []string{"high", "low", "high, later"}) {
		return no
	}
	return yes
}

func k8sPriority(t *testing.T) mark {
	q := workqueue.NewTypedWithConfig(workqueue.TypedQueueConfig[string]{Queue: &bySeniority{ranks: map[string]int{"old": 2, "new": 1}}})
	defer q.ShutDown()
	q.Add("old")
	q.Add("new")
	if item, _ := q.Get(); item != "new" {
		return no
	}
	return noMore(func(*testing.T) mark { return yes }, "Queue.Touch", "priorit|urgen|rank", workqueuePkg)(t)
}

func fairleadBounded(t *testing.T) mark {
	s := newFairlead(t, scheduler.Config{Limit: bucket.Per(1, time.Second).Burst(1), MaxQueued: 1, Overflow: scheduler.RefuseNew})
	check(s.Do(t.Context(), nothing))
	must(s.Submit(t.Context(), nothing))
	if err := s.Do(t.Context(), nothing); !errors.Is(err, scheduler.ErrQueueFull) {
		return no
	}
	return yes
}

func failsafeBounded(t *testing.T) mark {
	l := adaptivelimiter.NewBuilder[any]().WithLimits(1, 1, 1).WithQueueing(1, 1).Build()
	permit := must(l.AcquirePermit(t.Context()))
	c := newCrew()
	leave := c.call("waits", func(ctx context.Context) error { _, err := l.AcquirePermit(ctx); return err })
	defer leave()
	_, err := l.AcquirePermit(t.Context())
	permit.Drop()
	if !errors.Is(err, adaptivelimiter.ErrExceeded) {
		return no
	}
	return noMore(func(*testing.T) mark { return yes }, "Builder.WithMaxWaitTime", "queue|overflow|room|pending", limiterPkg)(t)
}

// k8sUnbounded: a work queue takes whatever comes, and has no setting.
func k8sUnbounded(t *testing.T) mark {
	q := workqueue.NewTyped[int]()
	defer q.ShutDown()
	for i := range 100_000 {
		q.Add(i)
	}
	if q.Len() != 100_000 {
		return partly
	}
	return absent("TypedQueueConfig.Queue", "maxlen|maxsize|capacity|bound|overflow|refuse|reject", workqueuePkg, flowPkg)(t)
}

func fairleadDrains(t *testing.T) mark {
	s := newFairlead(t, scheduler.Config{Limit: bucket.Per(1, time.Second).Burst(1)})
	for range 3 {
		must(s.Submit(t.Context(), nothing))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
	defer cancel()
	if left, err := s.Shutdown(ctx); len(left) != 1 || left[0].State != "queued" || !errors.Is(err, scheduler.ErrClosed) {
		return no
	}
	return yes
}

func k8sDrains(t *testing.T) mark {
	q := workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[string]())
	q.Add("runs")
	q.AddAfter("waits", time.Minute)
	synctest.Wait()
	item, _ := q.Get()
	began, c := time.Now(), newCrew()
	go func() {
		time.Sleep(time.Hour)
		q.Done(item)
		if next, over := q.Get(); !over {
			c.note(next)
		}
	}()
	q.ShutDownWithDrain()
	if time.Since(began) != time.Hour {
		return no
	}
	synctest.Wait()
	if len(c.served) > 0 {
		return yes
	}
	return partly
}

// stalled: a call fails once and is run again at once. What listens to its events takes an
// hour over the first of them.
func stalled(listen func(t *testing.T, took func()) runner) proof {
	return func(t *testing.T) mark {
		c, told := newCrew(), 0
		run := listen(t, func() {
			if told++; told == 1 {
				time.Sleep(time.Hour)
			}
		})
		check(run(t.Context(), failsOnce(func() { c.note("attempt") }, errFails)))
		c.until(2 * time.Hour)
		switch d := c.at["attempt"]; {
		case d < time.Minute && told > 0:
			return yes
		case d >= time.Hour:
			return partly
		}
		return no
	}
}

func fairleadEvents(t *testing.T, took func()) runner {
	s := newFairlead(t, scheduler.Config{Classify: always, Retry: soon})
	sub := s.Subscribe(events.Of(events.Retrying))
	go func() {
		for range sub.C {
			took()
		}
	}()
	return func(ctx context.Context, fn work) error { return s.Do(ctx, fn) }
}

func backoffEvents(t *testing.T, took func()) runner {
	return func(ctx context.Context, fn work) error {
		_, err := backoff.Retry(ctx, func() (struct{}, error) { return struct{}{}, fn(ctx) }, backoff.WithNotify(func(error, time.Duration) { took() }))
		return err
	}
}

func failsafeEvents(t *testing.T, took func()) runner {
	policy := retrypolicy.NewBuilder[any]().OnRetryScheduled(func(failsafego.ExecutionScheduledEvent[any]) { took() }).Build()
	return failsafeRun(failsafego.With[any](policy), nil)
}

func awsEvents(t *testing.T, took func()) runner {
	m := awsMiddleware(time.Millisecond, ratelimit.None)
	m.LogAttempts = true
	logger := logging.LoggerFunc(func(logging.Classification, string, ...any) { took() })
	run := awsRun(m, nil)
	return func(ctx context.Context, fn work) error { return run(middleware.SetLogger(ctx, logger), fn) }
}

// slowMetrics takes the metrics of a work queue.
type slowMetrics struct{ took func() }

func (m slowMetrics) NewDepthMetric(string) workqueue.GaugeMetric            { return m }
func (m slowMetrics) NewAddsMetric(string) workqueue.CounterMetric           { return m }
func (m slowMetrics) NewLatencyMetric(string) workqueue.HistogramMetric      { return m }
func (m slowMetrics) NewWorkDurationMetric(string) workqueue.HistogramMetric { return m }
func (m slowMetrics) NewRetriesMetric(string) workqueue.CounterMetric        { return m }
func (m slowMetrics) NewUnfinishedWorkSecondsMetric(string) workqueue.SettableGaugeMetric {
	return m
}
func (m slowMetrics) NewLongestRunningProcessorSecondsMetric(string) workqueue.SettableGaugeMetric {
	return m
}
func (m slowMetrics) Inc()            { m.took() }
func (m slowMetrics) Dec()            {}
func (m slowMetrics) Set(float64)     {}
func (m slowMetrics) Observe(float64) {}

// k8sEvents: Add waits for what counts it, and holds the queue's lock all the while.
func k8sEvents(t *testing.T) mark {
	told := 0
	q := workqueue.NewTypedWithConfig(workqueue.TypedQueueConfig[string]{Name: "queue", MetricsProvider: slowMetrics{func() {
		if told++; told == 1 {
			time.Sleep(time.Millisecond)
		}
	}}})
	defer q.ShutDown()
	began := time.Now()
	q.Add("item")
	switch {
	case told == 0:
		return no
	case time.Since(began) == 0:
		return yes
	}
	return partly
}

// fakeClock goes on when somebody sleeps.
type fakeClock struct{ now time.Time }

func (c *fakeClock) Now() time.Time                  { return c.now }
func (c *fakeClock) Since(t time.Time) time.Duration { return c.now.Sub(t) }
func (c *fakeClock) Sleep(d time.Duration)           { c.now = c.now.Add(d) }

func fairleadClock(t *testing.T) mark {
	mock := clocktest.NewMock()
	s := newFairlead(t, scheduler.Config{Clock: mock, Limit: bucket.Per(1, time.Hour).Burst(1)})
	check(s.Do(t.Context(), nothing))
	began, h := time.Now(), must(s.Submit(t.Context(), nothing))
	synctest.Wait()
	mock.Add(time.Hour)
	<-h.Done()
	if time.Since(began) > time.Second || h.Err() != nil { // the mock gives others a millisecond to see that they are due
		return no
	}
	return yes
}

func xrateClock(t *testing.T) mark {
	l, now := rate.NewLimiter(1, 1), time.Now().AddDate(50, 0, 0)
	if !l.AllowN(now, 1) || l.AllowN(now, 1) || l.ReserveN(now, 1).DelayFrom(now) != time.Second || l.AllowN(now.Add(time.Second), 1) {
		return no
	}
	return noMore(func(*testing.T) mark { return yes }, "Limiter.ReserveN", "clock|timer", xratePkg, backoffPkg)(t)
}

func uberClock(t *testing.T) mark {
	began, c := time.Now(), &fakeClock{now: time.Unix(1, 0)}
	l := uber.New(1, uber.Per(time.Hour), uber.WithoutSlack, uber.WithClock(c))
	l.Take()
	if at := l.Take(); !at.Equal(time.Unix(1, 0).Add(time.Hour)) || time.Since(began) != 0 {
		return no
	}
	return yes
}

func k8sClock(t *testing.T) mark {
	began, c := time.Now(), &fakeClock{now: time.Now()}
	l := flowcontrol.NewTokenBucketRateLimiterWithClock(1, 1, c)
	l.Accept()
	l.Accept()
	if !about(c.Since(began), time.Second) || time.Since(began) != 0 || !slices.Contains(exported(t, workqueuePkg), "TypedRateLimitingQueueConfig.Clock") {
		return no
	}
	check(l.Wait(t.Context()))
	if time.Since(began) > 0 {
		return partly
	}
	return yes
}

// server answers 429, and then 200.
type server struct{ requests int }

func (s *server) RoundTrip(*http.Request) (*http.Response, error) {
	if s.requests++; s.requests == 1 {
		return &http.Response{StatusCode: http.StatusTooManyRequests, Body: http.NoBody}, nil
	}
	return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}, nil
}

// transport: an http.Client with it retries what is refused.
func transport(open func(t *testing.T, next http.RoundTripper) http.RoundTripper) proof {
	return func(t *testing.T) mark {
		s := &server{}
		client := http.Client{Transport: open(t, s)}
		res := must(client.Do(must(http.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost/", nil))))
		check(res.Body.Close())
		if res.StatusCode != http.StatusOK || s.requests != 2 {
			return no
		}
		return yes
	}
}

func fairleadTransport(t *testing.T, next http.RoundTripper) http.RoundTripper {
	return &ratehttp.Transport{Base: next, Scheduler: newFairlead(t, scheduler.Config{})}
}

func failsafeTransport(t *testing.T, next http.RoundTripper) http.RoundTripper {
	return failsafehttp.NewRoundTripper(next, failsafehttp.NewRetryPolicyBuilder().Build())
}
