package main

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/failsafe-go/failsafe-go/ratelimiter"
	juju "github.com/juju/ratelimit"
	golimiter "github.com/sethvargo/go-limiter"
	"github.com/sethvargo/go-limiter/memorystore"
	"github.com/throttled/throttled/v2"
	"github.com/throttled/throttled/v2/store/memstore"
	uber "go.uber.org/ratelimit"
	"golang.org/x/time/rate"
	"k8s.io/client-go/util/flowcontrol"

	"example.com/fairlead/bucket"
	"example.com/fairlead/scheduler"
)

// limit is rate tokens every per, and at most burst at once.
type limit struct {
	rate, burst int
	per         time.Duration
}

func perSecond(rate, burst int) limit { return limit{rate, burst, time.Second} }

// unfelt is a limit that no caller ever has to wait for.
var unfelt = perSecond(1_000_000_000, 1_000_000_000)

func (l limit) interval() time.Duration { return l.per / time.Duration(l.rate) }

func (l limit) perSecond() float64 { return float64(l.rate) / l.per.Seconds() }

// taker is a limiter in the form in which all are used here. What it can't do is nil.
type taker struct {
	try   func() bool                      // take a token now or not at all
	wait  func(context.Context) error      // take a token as soon as may be
	waitN func(context.Context, int) error // several at once
	set   func(limit) error                // change the limit

	keepsWaiting bool // wait does not heed its context
	ticks        bool // with a burst of one, tokens come at whole intervals since it was opened
}

// limiter is a library that limits.
type limiter struct {
	name string
	how  string // the calls used
	open func(limit) taker
}

// The names of contestants.
const (
	fairlead       = "Fairlead"
	fairleadSubmit = "Fairlead, Submit"
	xrate          = "x/time/rate"
	xratePolled    = "x/time/rate, polled"
	uberLimit      = "uber"
	jujuLimit      = "juju"
	failsafe       = "failsafe-go"
	goLimiter      = "go-limiter"
	throttledLimit = "throttled"
	k8s            = "client-go"
	awsSDK         = "aws-sdk-go-v2"
)

func isOurs(name string) bool { return name == fairlead || name == fairleadSubmit }

var limiters = []limiter{
	{fairlead, "Do", openFairlead},
	{xrate, "Allow, Wait, WaitN, SetLimit", openXRate},
	{xratePolled, "AllowN, and Sleep for one token's time", openXRatePolled},
	{uberLimit, "Take", openUber},
	{jujuLimit, "TakeAvailable, Wait", openJuju},
	{failsafe, "TryAcquirePermit, AcquirePermits", openFailsafe},
	{goLimiter, "Take of a memorystore, and Sleep until reset", openGoLimiter},
	{throttledLimit, "RateLimitCtx with a memstore, and Sleep for RetryAfter", openThrottled},
	{k8s, "flowcontrol: TryAccept, Wait", openK8s},
	{awsSDK, "ratelimit: GetToken; it never refills with time", openAWS},
	{floorDo, "", openFloorDo},
	{floorSleep, "", openFloorSleep},
}

func limiterNamed(name string) limiter {
	for _, l := range limiters {
		if l.name == name {
			return l
		}
	}
	panic("no limiter " + name)
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func nothing(context.Context) error { return nil }

func fairleadLimit(l limit) bucket.Limit {
	return bucket.Per(int64(l.rate), l.per).Burst(int64(l.burst))
}

func openFairlead(l limit) taker {
	return fairleadTaker(must(scheduler.New(scheduler.Config{Limit: fairleadLimit(l)})))
}

func fairleadTaker(s *scheduler.Scheduler) taker {
	return taker{
		try:   func() bool { return s.Do(context.Background(), nothing) == nil },
		wait:  func(ctx context.Context) error { return s.Do(ctx, nothing) },
		waitN: func(ctx context.Context, n int) error { return s.Do(ctx, nothing, scheduler.Cost(int64(n))) },
		set:   func(l limit) error { return s.SetLimit(fairleadLimit(l)) },
	}
}

func newXRate(l limit) *rate.Limiter { return rate.NewLimiter(rate.Limit(l.perSecond()), l.burst) }

func openXRate(l limit) taker {
	r := newXRate(l)
	return taker{
		try: r.Allow, wait: r.Wait, waitN: r.WaitN,
		set: func(l limit) error { r.SetLimit(rate.Limit(l.perSecond())); return nil },
	}
}

func openXRatePolled(l limit) taker {
	r := newXRate(l)
	waitN := func(ctx context.Context, n int) error {
		for !r.AllowN(time.Now(), n) {
			if err := sleep(ctx, l.interval()); err != nil {
				return err
			}
		}
		return nil
	}
	return taker{waitN: waitN, wait: func(ctx context.Context) error { return waitN(ctx, 1) }}
}

func openUber(l limit) taker {
	r := uber.New(l.rate, uber.Per(l.per), uber.WithSlack(l.burst-1))
	take := func(context.Context) error { r.Take(); return nil }
	return taker{wait: take, keepsWaiting: true}
}

func openJuju(l limit) taker {
	b := juju.NewBucket(l.interval(), int64(l.burst))
	return taker{
		try:          func() bool { return b.TakeAvailable(1) == 1 },
		wait:         func(context.Context) error { b.Wait(1); return nil },
		waitN:        func(_ context.Context, n int) error { b.Wait(int64(n)); return nil },
		keepsWaiting: true, ticks: true,
	}
}

// newFailsafe has two kinds to choose from: smooth, without a burst, and bursty, which
// lets a burst through in each period.
func newFailsafe(l limit) ratelimiter.RateLimiter[any] {
	if l.burst > 1 {
		return ratelimiter.NewBursty[any](uint(l.burst), time.Duration(l.burst)*l.interval())
	}
	return ratelimiter.NewSmooth[any](uint(l.rate), l.per)
}

func openFailsafe(l limit) taker {
	r := newFailsafe(l)
	return taker{
		try: r.TryAcquirePermit, wait: r.AcquirePermit,
		waitN: func(ctx context.Context, n int) error { return r.AcquirePermits(ctx, uint(n)) },
		ticks: true,
	}
}

// goLimiterConfig returns the limit as go-limiter has it.
func goLimiterConfig(l limit) (tokens uint64, interval time.Duration) {
	return uint64(l.burst), time.Duration(l.burst) * l.interval()
}

func newGoLimiter(l limit) golimiter.Store {
	tokens, interval := goLimiterConfig(l)
	return must(memorystore.New(&memorystore.Config{Tokens: tokens, Interval: interval}))
}

// waitInStore asks again when go-limiter says so.
func waitInStore(ctx context.Context, store golimiter.Store, key string) error {
	for {
		_, _, reset, ok, err := store.Take(ctx, key)
		if ok || err != nil {
			return err
		}
		if err := sleep(ctx, time.Until(time.Unix(0, int64(reset)))); err != nil {
			return err
		}
	}
}

func openGoLimiter(l limit) taker {
	const key = "key"
	store := newGoLimiter(l)
	return taker{
		ticks: true,
		try: func() bool {
			_, _, _, ok, err := store.Take(context.Background(), key)
			return ok && err == nil
		},
		wait: func(ctx context.Context) error { return waitInStore(ctx, store, key) },
		set: func(l limit) error {
			tokens, interval := goLimiterConfig(l)
			return store.Set(context.Background(), key, tokens, interval)
		},
	}
}

func newThrottled(l limit, keys int) *throttled.GCRARateLimiterCtx {
	return must(throttled.NewGCRARateLimiterCtx(must(memstore.NewCtx(keys)), throttled.RateQuota{
		MaxRate: throttled.PerDuration(l.rate, l.per), MaxBurst: l.burst - 1,
	}))
}

// waitForThrottled asks again when throttled says so.
func waitForThrottled(ctx context.Context, r *throttled.GCRARateLimiterCtx, key string, n int) error {
	for {
		limited, res, err := r.RateLimitCtx(ctx, key, n)
		if !limited || err != nil {
			return err
		}
		if res.RetryAfter < 0 {
			return errors.New("throttled: never")
		}
		if err := sleep(ctx, res.RetryAfter); err != nil {
			return err
		}
	}
}

func openThrottled(l limit) taker {
	const key = "key"
	r := newThrottled(l, 1024)
	waitN := func(ctx context.Context, n int) error { return waitForThrottled(ctx, r, key, n) }
	return taker{
		try: func() bool {
			limited, _, err := r.RateLimitCtx(context.Background(), key, 1)
			return !limited && err == nil
		},
		wait:  func(ctx context.Context) error { return waitN(ctx, 1) },
		waitN: waitN,
	}
}

func openK8s(l limit) taker {
	r := flowcontrol.NewTokenBucketRateLimiter(float32(l.perSecond()), l.burst)
	return taker{try: r.TryAccept, wait: r.Wait}
}

func openAWS(limit) taker {
	r := ratelimit.NewTokenRateLimit(math.MaxInt)
	return taker{try: func() bool {
		_, err := r.GetToken(context.Background(), 1)
		return err == nil
	}}
}

func sleep(ctx context.Context, d time.Duration) error {
	if ctx.Done() == nil {
		time.Sleep(d)
		return nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
