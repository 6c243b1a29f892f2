package main

import (
	"context"
	"time"

	"github.com/go-redis/redis_rate/v10"
	"github.com/redis/go-redis/v9"
	"github.com/redis/rueidis"
	"github.com/throttled/throttled/v2"
	goredisstore "github.com/throttled/throttled/v2/store/goredisstore.v9"

	"example.com/fairlead/bucket/redisbucket"
	"example.com/fairlead/scheduler"
)

// The names of contestants of which several processes share a limit in Redis.
const (
	fairleadAhead  = "Fairlead, Ahead of 100 ms"
	redisRate      = "redis_rate"
	throttledRedis = "throttled, in Redis"
)

// waitInFleet waits for a token, and calls granted once the caller has it, which may fail as a server may.
type waitInFleet = func(ctx context.Context, granted func() error) error

// fleetLimiter is a contestant of which several processes share a limit in Redis.
type fleetLimiter struct {
	name     string
	commands []string // those of which it sends one a request, as Redis counts them
	begin    func(addr string, l limit)
	open     func(addr string, l limit) waitInFleet
}

const fleetBudget = "fleet"

var fleetLimiters = []fleetLimiter{
	{fairlead, []string{"evalsha", "eval"}, beginFairlead, openFairleadFleet(0)},
	{fairleadAhead, []string{"evalsha", "eval"}, beginFairlead, openFairleadFleet(100 * time.Millisecond)},
	{redisRate, []string{"evalsha", "eval"}, beginFull, openRedisRate},
	{throttledRedis, []string{"time", "eval", "setnx", "expire"}, beginFull, openThrottledRedis},
}

func fleetLimiterNamed(name string) fleetLimiter {
	for _, f := range fleetLimiters {
		if f.name == name {
			return f
		}
	}
	panic("no limiter in Redis " + name)
}

// beginFull does nothing, for limiters whose bucket is full at the first call.
func beginFull(string, limit) {}

func rueidisClient(addr string) rueidis.Client {
	return must(rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{addr}, DisableCache: true, ForceSingleClient: true}))
}

// beginFairlead makes a budget that is full, as an operator does.
func beginFairlead(addr string, l limit) {
	client := rueidisClient(addr)
	defer client.Close()
	check(must(redisbucket.New(client, fleetBudget)).Create(context.Background(), fairleadLimit(l)))
}

// newFairleadFleet returns the scheduler of one process.
func newFairleadFleet(addr string, l limit, ahead time.Duration) *scheduler.Scheduler {
	store := must(redisbucket.New(rueidisClient(addr), fleetBudget))
	return must(scheduler.New(scheduler.Config{Limit: fairleadLimit(l), Store: store, Ahead: ahead}))
}

func openFairleadFleet(ahead time.Duration) func(string, limit) waitInFleet {
	return func(addr string, l limit) waitInFleet {
		s := newFairleadFleet(addr, l, ahead)
		return func(ctx context.Context, granted func() error) error {
			return s.Do(ctx, func(context.Context) error { return granted() })
		}
	}
}

// awayPause is how long a caller waits who was told an error, before it asks again.
const awayPause = 50 * time.Millisecond

// askAgain asks until it is let through, when it is told to. After an error it asks again, too.
func askAgain(ctx context.Context, granted func() error, ask func() (ok bool, after time.Duration, err error)) error {
	for {
		ok, after, err := ask()
		if err == nil && ok {
			return granted()
		}
		if err != nil {
			after = awayPause
		}
		if err := sleep(ctx, after); err != nil {
			return err
		}
	}
}

func openRedisRate(addr string, l limit) waitInFleet {
	limiter := redis_rate.NewLimiter(redis.NewClient(&redis.Options{Addr: addr}))
	quota := redis_rate.Limit{Rate: l.rate, Burst: l.burst, Period: l.per}
	return func(ctx context.Context, granted func() error) error {
		return askAgain(ctx, granted, func() (bool, time.Duration, error) {
			res, err := limiter.Allow(ctx, fleetBudget, quota)
			if err != nil {
				return false, 0, err
			}
			return res.Allowed > 0, res.RetryAfter, nil
		})
	}
}

func openThrottledRedis(addr string, l limit) waitInFleet {
	store := must(goredisstore.NewCtx(redis.NewClient(&redis.Options{Addr: addr}), "throttled:"))
	limiter := must(throttled.NewGCRARateLimiterCtx(store, throttled.RateQuota{
		MaxRate: throttled.PerDuration(l.rate, l.per), MaxBurst: l.burst - 1,
	}))
	return func(ctx context.Context, granted func() error) error {
		return askAgain(ctx, granted, func() (bool, time.Duration, error) {
			limited, res, err := limiter.RateLimitCtx(ctx, fleetBudget, 1)
			return !limited, res.RetryAfter, err
		})
	}
}
