package main

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	failsafego "github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/adaptivelimiter"
	"github.com/failsafe-go/failsafe-go/budget"
	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/failsafe-go/failsafe-go/hedgepolicy"
	"github.com/failsafe-go/failsafe-go/priority"
	"github.com/failsafe-go/failsafe-go/retrypolicy"
	"github.com/failsafe-go/failsafe-go/timeout"
)

const (
	ourPkg      = "example.com/fairlead/scheduler"
	ourRetryPkg = "example.com/fairlead/retry"
	ourHTTPPkg  = ourPkg + "/ratehttp"
	awsHTTPPkg  = "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	restPkg     = "k8s.io/client-go/rest"
)

// What these features are called.
const (
	budgetWords   = "withbudget|retry_?(budget|quota|cost|rate)"
	hedgeWords    = "hedg"
	breakerWords  = "breaker|half_?open"
	timeoutWords  = "timeout"
	adaptiveWords = "adaptivelimiter|withlimits|concurrencylimit"
	userWords     = "withuser|usage_?tracker|tenant|fairness"
	grpcWords     = "grpc|interceptor|unary"
)

// peersFeatures are those that a peer has and Fairlead lacks, or has in part.
var peersFeatures = []row{
	{"Hedging: a second attempt while the first is slow", [6]cell{
		{no, "", absentBeside("hedgepolicy", "Scheduler.Do", hedgeWords, ourPkg, ourRetryPkg)},
		{no, "", absentBeside("hedgepolicy", "Retry", hedgeWords, xratePkg, backoffPkg)},
		{no, "", onlyTake},
		{yes, "", failsafeHedges},
		{no, "", absentBeside("hedgepolicy", "TypedInterface.Add", hedgeWords, workqueuePkg, flowPkg)},
		{no, "", absentBeside("hedgepolicy", "NewAttemptMiddleware", hedgeWords, awsRetryPkg)},
	}},
	{"Circuit breaker: fail at once while a server is down", [6]cell{
		{no, "", absentBeside("circuitbreaker", "Scheduler.Pause", breakerWords, ourPkg, ourRetryPkg)},
		{no, "", absentBeside("circuitbreaker", "Retry", breakerWords, xratePkg, backoffPkg)},
		{no, "", onlyTake},
		{yes, "", failsafeBreaks},
		{no, "", absentBeside("circuitbreaker", "TypedInterface.Add", breakerWords, workqueuePkg, flowPkg)},
		{no, "", absentBeside("circuitbreaker", "NewAttemptMiddleware", breakerWords, awsRetryPkg)},
	}},
	{"Concurrency that adapts to response times", [6]cell{
		{no, notesAdaptiveRate, absentBeside("adaptivelimiter", "Config.MaxInFlight", adaptiveWords, ourPkg)},
		{no, "", absentBeside("adaptivelimiter", "Limiter", adaptiveWords, xratePkg, backoffPkg)},
		{no, "", onlyTake},
		{yes, "", failsafeAdapts},
		{no, "", absentBeside("adaptivelimiter", "TypedInterface.Add", adaptiveWords, workqueuePkg, flowPkg)},
		{no, notesAdaptiveRate, absentBeside("adaptivelimiter", "AdaptiveMode", adaptiveWords, awsRetryPkg, awsLimitPkg)},
	}},
	{"Fair among users: who used most is refused first", [6]cell{
		{partly, "while the queue is full, a key that has calls in it is refused", fairleadRefuses},
		{no, "", absentBeside("priority", "Limiter", userWords, xratePkg, backoffPkg)},
		{no, "", onlyTake},
		{yes, "", failsafeFair},
		{no, "", absentBeside("priority", "TypedInterface.Add", userWords, workqueuePkg, flowPkg)},
		{no, "", absentBeside("priority", "AdaptiveMode", userWords, awsRetryPkg, awsLimitPkg)},
	}},
	{"gRPC interceptors", [6]cell{
		{partly, "`adapters.Limiter` in those of go-grpc-middleware, which wait and do not retry", all(tested("TestGRPC_ClientWaits", "TestGRPC_ServerRefuses"), has(ourPkg+"/adapters", "Limiter.Limit"))},
		{no, "", absentBeside("failsafegrpc", "Limiter", grpcWords, xratePkg, backoffPkg)},
		{no, "", onlyTake},
		{yes, "", offers(failsafePkg+"failsafegrpc", "NewUnaryClientInterceptor", "NewUnaryServerInterceptor")},
		{no, "", absentBeside("failsafegrpc", "TypedInterface.Add", grpcWords, workqueuePkg, flowPkg)},
		{no, "", absentBeside("failsafegrpc", "NewAttemptMiddleware", grpcWords, awsRetryPkg, awsLimitPkg)},
	}},
}

const (
	notesOwnTimeout   = "a `context.WithTimeout` in your function, where its attempt begins"
	notesAdaptiveRate = "the rate adapts to refusals, and not the concurrency to response times"
)

// offers: a package exports these names, and no more is needed.
func offers(pkg string, names ...string) proof {
	return func(t *testing.T) mark {
		if has(pkg, names...)(t) == no {
			return no
		}
		return yes
	}
}

// retriesBounded: each of ten calls that run at once may be tried four times, and there are ten retries for all.
func retriesBounded(open func(t *testing.T) runner) proof {
	return func(t *testing.T) mark {
		run, attempts := open(t), atomic.Int64{}
		for range 10 {
			go run(t.Context(), func(context.Context) error {
				attempts.Add(1)
				time.Sleep(time.Minute)
				return errFails
			})
		}
		synctest.Wait()
		time.Sleep(time.Hour)
		synctest.Wait()
		if n := attempts.Load(); n <= 10 || n > 20 {
			t.Logf("%d attempts", n)
			return no
		}
		return yes
	}
}

// failsafeBudget takes no retry beyond the first while more than 5 % of the running attempts are retries.
func failsafeBudget(*testing.T) runner {
	bound := budget.NewBuilder().WithMaxRate(0.05).WithMinConcurrency(1).Build()
	policy := retrypolicy.NewBuilder[any]().WithMaxRetries(3).WithDelay(time.Millisecond).WithBudget(bound).Build()
	return failsafeRun(failsafego.With[any](policy), nil)
}

// awsBudget has 50 tokens, which are enough for three retries.
func awsBudget(*testing.T) runner {
	return awsRun(awsMiddleware(time.Millisecond, ratelimit.NewTokenRateLimit(50)), nil)
}

// failsafeHedges: the first attempt takes an hour, and the second, which begins after a second, succeeds at once.
func failsafeHedges(t *testing.T) mark {
	began, attempts := time.Now(), atomic.Int64{}
	err := failsafego.With[any](hedgepolicy.NewWithDelay[any](time.Second)).RunWithExecution(func(e failsafego.Execution[any]) error {
		if attempts.Add(1) == 1 {
			<-e.Context().Done()
		}
		return nil
	})
	if err != nil || attempts.Load() != 2 || time.Since(began) != time.Second {
		return no
	}
	return yes
}

// failsafeBreaks: after three failures the function is not called any more, and a minute later it is.
func failsafeBreaks(t *testing.T) mark {
	breaker := circuitbreaker.NewBuilder[any]().WithFailureThreshold(3).WithDelay(time.Minute).Build()
	calls := 0
	call := func() error {
		return failsafego.With[any](breaker).Run(func() error { calls++; return errFails })
	}
	for range 3 {
		if err := call(); !errors.Is(err, errFails) {
			t.Errorf("failed with %v", err)
		}
	}
	refused := errors.Is(call(), circuitbreaker.ErrOpen) && calls == 3
	time.Sleep(time.Minute)
	if err := call(); !refused || !errors.Is(err, errFails) || calls != 4 {
		return no
	}
	return yes
}

// failsafeTimesOut: the first attempt would take for ever, and is ended after a second.
func failsafeTimesOut(t *testing.T) mark {
	began, attempts := time.Now(), 0
	executor := failsafego.With[any](failsafeRetryPolicy(time.Millisecond), timeout.New[any](time.Second))
	err := executor.RunWithExecution(func(e failsafego.Execution[any]) error {
		if attempts++; attempts == 1 {
			<-e.Context().Done()
		}
		return e.Context().Err()
	})
	if err != nil || attempts != 2 || time.Since(began) != time.Second+time.Millisecond {
		t.Logf("%v after %v, %d attempts", err, time.Since(began), attempts)
		return no
	}
	return yes
}

// k8sTimesOut: what a client is given as a timeout ends the request with all its attempts.
func k8sTimesOut(t *testing.T) mark {
	if says("k8s.io/client-go", "rest/request.go", "timeout = c.Client.Timeout", "ctx, cancel = context.WithTimeout(ctx, r.timeout)")(t) == no {
		t.Error("a request's timeout is no longer for all attempts: look again")
	}
	if has(restPkg, "Config.Timeout", "Request.Timeout")(t) == no {
		t.Error("there is no timeout any more: look again")
	}
	return absentBeside("timeout", "TypedInterface.Add", timeoutWords, workqueuePkg, flowPkg)(t)
}

// failsafeAdapts: when a server takes ten times as long as before, fewer requests may run at once.
func failsafeAdapts(t *testing.T) mark {
	l := adaptivelimiter.NewBuilder[any]().WithLimits(1, 40, 20).Build()
	began, takes := time.Now(), atomic.Int64{}
	takes.Store(int64(10 * time.Millisecond))
	for range 40 {
		go func() {
			for time.Since(began) < 2*time.Minute {
				permit, ok := l.TryAcquirePermit()
				time.Sleep(time.Duration(takes.Load()))
				if ok {
					permit.Record()
				}
			}
		}()
	}
	time.Sleep(time.Minute)
	before := l.Limit()
	takes.Store(int64(100 * time.Millisecond))
	time.Sleep(10 * time.Second)
	after := l.Limit()
	time.Sleep(time.Minute)
	if after >= before {
		t.Logf("the limit is %d, and was %d", after, before)
		return no
	}
	return yes
}

// failsafeFair: while a limiter is full, a user who has used much is refused, and one who has used little is not.
func failsafeFair(t *testing.T) mark {
	usage := priority.NewUsageTracker(time.Hour, 10)
	ranks := adaptivelimiter.NewPrioritizerBuilder().WithUsageTracker(usage).Build()
	l := adaptivelimiter.NewBuilder[any]().WithLimits(1, 1, 1).WithQueueing(1, 8).BuildPrioritized(ranks)
	usage.RecordUsage("much", 1000)
	usage.RecordUsage("little", 1)
	usage.Calibrate()
	of := func(user string) context.Context {
		return priority.ContextWithUser(priority.ContextWithPriority(t.Context(), priority.Medium), user)
	}
	permit := must(l.AcquirePermit(of("much")))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for _, user := range []string{"much", "little", "much", "little", "much", "little"} {
		go l.AcquirePermit(priority.ContextWithUser(priority.ContextWithPriority(ctx, priority.Medium), user))
		synctest.Wait()
	}
	ranks.Calibrate()
	much, little := l.CanAcquirePermit(of("much")), l.CanAcquirePermit(of("little"))
	permit.Drop()
	if much || !little {
		t.Logf("the threshold is %d", ranks.RejectionThreshold())
		return no
	}
	return yes
}
