package main

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/go-redis/redis_rate/v10"
	"github.com/redis/go-redis/v9"
	"github.com/throttled/throttled/v2"
	goredisstore "github.com/throttled/throttled/v2/store/goredisstore.v9"

	"example.com/fairlead/bucket/redisbucket"
	"example.com/fairlead/scheduler"
)

const (
	redisRatePkg = "github.com/go-redis/redis_rate/v10"
	throttledPkg = "github.com/throttled/throttled/v2"
	storeWords   = "store|redis|distributed"
)

// sharedFeatures is what the libraries lack whose limits are those of one process.
var sharedFeatures = []row{
	{"One limit for several processes and machines", [6]cell{
		{yes, "", all(tested("TestFleetSharesExactly"), offers(ourPkg, "Config.Store"))},
		{no, "", absent("Limiter.Wait", storeWords, xratePkg, backoffPkg)},
		{no, "", onlyTake},
		{no, "", absent("RateLimiter.AcquirePermit", storeWords, limiterPkg)},
		{no, "", absent("RateLimiter.Wait", storeWords, flowPkg, workqueuePkg)},
		{no, "", absent("AdaptiveMode.GetAttemptToken", storeWords, awsRetryPkg, awsLimitPkg)},
	}},
}

// narrowRow is a row of a table of three libraries.
type narrowRow struct {
	name  string
	cells [3]cell
}

var fleetColumns = [3]string{"Fairlead", "redis_rate", "throttled"}

var fleetModules = []string{redisRatePkg, throttledPkg}

// fleetFeatures are proved in real time, with a Redis server each.
var fleetFeatures = []narrowRow{
	{"One limit for several processes, and never a token over", [3]cell{
		{yes, "", all(tested("TestFleetSharesExactly", "TestSharedBound"), inRedis(fairlead, sharesExactly))},
		{yes, "", inRedis(redisRate, sharesExactly)},
		{yes, "", inRedis(throttledRedis, sharesExactly)},
	}},
	{"Also when Redis comes back empty", [3]cell{
		{yes, "", all(tested("TestKilled", "TestFailover", "TestEviction"), inRedis(fairlead, survivesEmpty))},
		{no, "", inRedis(redisRate, survivesEmpty)},
		{no, "", inRedis(throttledRedis, survivesEmpty)},
	}},
	{"Far fewer requests to Redis than calls", [3]cell{
		{yes, "", inRedis(fairlead, asksSeldom)},
		{no, "", inRedis(redisRate, asksSeldom)},
		{no, "", inRedis(throttledRedis, asksSeldom)},
	}},
	{"Calls wait in a queue, first come, first served", [3]cell{
		{partly, "exactly in each process; processes take turns, each with up to its part of `Config.Ahead`", all(tested("TestFleetOneTokenASecond"), inRedis(fairlead, ordersItsOwn))},
		{no, "", absent("Limiter.Allow", "wait|queue|reserve", redisRatePkg)},
		{no, "", absent("GCRARateLimiterCtx.RateLimitCtx", "wait|queue|reserve", throttledPkg)},
	}},
	{"While the store is away, a part of the rate in each process, if you like", [3]cell{
		{yes, "", all(tested("TestStoreAway", "TestShareWhenAway"), offers(ourPkg, "Config.ShareWhenAway"))},
		{no, "", absent("Limiter.Allow", "away|fallback", redisRatePkg)},
		{no, "", absent("GCRARateLimiterCtx.RateLimitCtx", "away|fallback", throttledPkg)},
	}},
	{"A server's Retry-After holds all processes", [3]cell{
		{yes, "", tested("TestHoldReachesTheFleet", "TestHoldReachesAll")},
		{no, "", absent("Limiter.Allow", "hold|pause", redisRatePkg)},
		{no, "", absent("GCRARateLimiterCtx.RateLimitCtx", "hold|pause", throttledPkg)},
	}},
	{"A new limit counts in all processes", [3]cell{
		{yes, "", tested("TestFleetLimits")},
		{partly, "each call says its limit, so each process has to be told", has(redisRatePkg, "Limiter.Allow", "Limit.Rate")},
		{no, "", absent("GCRARateLimiterCtx.RateLimitCtx", "setlimit|setquota", throttledPkg)},
	}},
	{"Weighted cost", [3]cell{
		{yes, "", tested("TestFleetSettles")},
		{yes, "", inRedis(redisRate, costsInRedis)},
		{yes, "", inRedis(throttledRedis, costsInRedis)},
	}},
	{"Any number of keys, each with a limit that all processes share", [3]cell{
		{partly, "a store and a scheduler for each key; the limits of `Config.PerKey` are those of one process", all(tested("TestOneSharedOfTwo"), has(ourPkg, "Config.Store", "Config.PerKey"))},
		{yes, "", inRedis(redisRate, keysInRedis)},
		{yes, "", inRedis(throttledRedis, keysInRedis)},
	}},
}

// inRedis runs a proof about a contestant with a Redis server.
func inRedis(who string, shown func(t *testing.T, who string, server *redisServer) mark) proof {
	return func(t *testing.T) mark {
		server := newRedisServer()
		server.start()
		defer server.close()
		return shown(t, who, server)
	}
}

// pairOfProcesses has two processes call without a pause until meanwhile returns, and returns the instants of their grants
// since the limit was begun. Each is a client of its own.
func pairOfProcesses(who string, server *redisServer, l limit, meanwhile func(*grants)) []time.Duration {
	f, g := fleetLimiterNamed(who), newGrants(100_000)
	f.begin(server.addr, l)
	ctx, stop := context.WithCancel(context.Background())
	var callers sync.WaitGroup
	for range 2 {
		wait := f.open(server.addr, l)
		for range 3 {
			callers.Go(func() {
				for ctx.Err() == nil {
					_ = wait(ctx, func() error { g.note(); return nil })
				}
			})
		}
	}
	meanwhile(g)
	stop()
	callers.Wait()
	return g.until(time.Since(g.begin))
}

// awaitMore waits for so many more grants.
func awaitMore(t *testing.T, g *grants, more int64) {
	all := g.next.Load() + more
	for begin := time.Now(); g.next.Load() < all; time.Sleep(time.Millisecond) {
		if time.Since(begin) > time.Minute {
			t.Errorf("%d calls are not let through in a minute", more)
			return
		}
	}
}

// sharesExactly: two processes get what one limit lets through, and not more.
func sharesExactly(t *testing.T, who string, server *redisServer) mark {
	l := perSecond(200, 20)
	list := pairOfProcesses(who, server, l, func(g *grants) { awaitMore(t, g, 300) })
	if tooMany := overSince(l, 0, list); tooMany > 0 {
		t.Logf("%d tokens, %d over", len(list), tooMany)
		return no
	}
	return yes
}

// survivesEmpty: Redis is killed and comes back empty. Then there is still no token over, and calls go on. A burst takes as
// long to come as a busy machine to use two of them.
func survivesEmpty(t *testing.T, who string, server *redisServer) mark {
	l, stock := perSecond(10, 200), int64(10)
	list := pairOfProcesses(who, server, l, func(g *grants) {
		awaitMore(t, g, 200)
		server.stop()
		server.start()
		awaitMore(t, g, stock+15)
	})
	if tooMany := overSince(l, 0, list); tooMany > 0 {
		t.Logf("%d tokens over", tooMany)
		return no
	}
	return yes
}

// asksSeldom: there are at least ten calls for one request to Redis.
func asksSeldom(t *testing.T, who string, server *redisServer) mark {
	before := server.use()
	list := pairOfProcesses(who, server, perSecond(1000, 20), func(g *grants) { awaitMore(t, g, 1500) })
	if asks := asked(before, server.use(), fleetLimiterNamed(who).commands); asks > float64(len(list))/10 {
		t.Logf("%v requests for %d calls", asks, len(list))
		return no
	}
	return yes
}

// ordersItsOwn: calls of one process are let through in the order in which they came. They run one at a time.
func ordersItsOwn(t *testing.T, who string, server *redisServer) mark {
	l, came := perSecond(50, 1), make([]int, 0, 12)
	fleetLimiterNamed(who).begin(server.addr, l)
	store := must(redisbucket.New(rueidisClient(server.addr), fleetBudget))
	s := must(scheduler.New(scheduler.Config{Limit: fairleadLimit(l), Store: store, MaxInFlight: 1}))
	defer s.Close()
	for i := range cap(came) {
		must(s.Submit(context.Background(), func(context.Context) error {
			came = append(came, i)
			return nil
		}))
	}
	check(s.WaitIdle(context.Background()))
	if !slices.IsSorted(came) {
		t.Logf("%v", came)
		return no
	}
	return partly
}

// askRedis asks a peer once whether a key may have n tokens. Each key has five, and gets one an hour.
func askRedis(who string, server *redisServer) func(key string, n int) bool {
	client, ctx := redis.NewClient(&redis.Options{Addr: server.addr}), context.Background()
	if who == redisRate {
		limiter := redis_rate.NewLimiter(client)
		return func(key string, n int) bool {
			return must(limiter.AllowN(ctx, key, redis_rate.Limit{Rate: 1, Burst: 5, Period: time.Hour}, n)).Allowed == n
		}
	}
	limiter := must(throttled.NewGCRARateLimiterCtx(must(goredisstore.NewCtx(client, "")), throttled.RateQuota{MaxRate: throttled.PerHour(1), MaxBurst: 4}))
	return func(key string, n int) bool {
		limited, _, err := limiter.RateLimitCtx(ctx, key, n)
		check(err)
		return !limited
	}
}

// costsInRedis: five tokens are enough for a call that costs 3 and two that cost 1.
func costsInRedis(_ *testing.T, who string, server *redisServer) mark {
	ask := askRedis(who, server)
	if ask("a", 3) && !ask("a", 3) && ask("a", 1) && ask("a", 1) && !ask("a", 1) {
		return yes
	}
	return no
}

// keysInRedis: a key that has no tokens leaves another its own.
func keysInRedis(_ *testing.T, who string, server *redisServer) mark {
	ask := askRedis(who, server)
	if ask("a", 5) && !ask("a", 1) && ask("b", 5) {
		return yes
	}
	return no
}

// TestFleetFeatures: every mark in the table of shared limits is the one that its library earns.
func TestFleetFeatures(t *testing.T) {
	needRedis(t)
	for _, f := range fleetFeatures {
		for i, c := range f.cells {
			t.Run(f.name+"/"+fleetColumns[i], func(t *testing.T) { c.prove(t) })
		}
	}
}
