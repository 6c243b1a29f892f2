package main

import (
	"context"
	"runtime"
	"strconv"
	"sync"
	"time"

	"github.com/failsafe-go/failsafe-go/ratelimiter"
	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"

	"example.com/fairlead/bucket"
	"example.com/fairlead/scheduler"
)

// Workload I: keys with a limit each, such as tenants or hosts. How the keys share one limit is in
// neighbors.go.

// The names of contestants with keys.
const (
	fairleadEach = "Fairlead, a Scheduler each"
	xrateMap     = "x/time/rate, in a map"
	xrateLRU     = "x/time/rate, in an LRU"
	failsafeMap  = "failsafe-go, in a map"
)

// waitOfKey waits for a token of a key.
type waitOfKey = func(ctx context.Context, key string) error

// keyed is a contestant in which each key has the same limit for itself.
type keyed struct {
	name string
	open func(l limit, keys int) waitOfKey
}

var keyedLimiters = []keyed{
	{fairlead, openFairleadKeys},
	{fairleadSubmit, openFairleadSubmitKeys},
	{fairleadEach, openFairleadEach},
	{xrateMap, openXRateMap},
	{xrateLRU, openXRateLRU},
	{failsafeMap, openFailsafeMap},
	{goLimiter, openGoLimiterKeys},
	{throttledLimit, openThrottledKeys},
}

func keyedNamed(name string) keyed {
	for _, k := range keyedLimiters {
		if k.name == name {
			return k
		}
	}
	panic("no limiter with keys " + name)
}

// byKey has something for each key, made when the key first comes and never forgotten, as most programs
// do it.
type byKey[T any] struct {
	mu   sync.Mutex
	of   map[string]T
	make func() T
}

func newByKey[T any](make func() T) *byKey[T] { return &byKey[T]{of: map[string]T{}, make: make} }

func (b *byKey[T]) get(key string) T {
	b.mu.Lock()
	defer b.mu.Unlock()
	v, ok := b.of[key]
	if !ok {
		v = b.make()
		b.of[key] = v
	}
	return v
}

func openXRateMap(l limit, _ int) waitOfKey {
	limiters := newByKey(func() *rate.Limiter { return newXRate(l) })
	return func(ctx context.Context, key string) error { return limiters.get(key).Wait(ctx) }
}

func openFailsafeMap(l limit, _ int) waitOfKey {
	limiters := newByKey(func() ratelimiter.RateLimiter[any] { return newFailsafe(l) })
	return func(ctx context.Context, key string) error { return limiters.get(key).AcquirePermit(ctx) }
}

func openFairleadEach(l limit, _ int) waitOfKey {
	schedulers := newByKey(func() *scheduler.Scheduler { return must(scheduler.New(scheduler.Config{Limit: fairleadLimit(l)})) })
	return func(ctx context.Context, key string) error { return schedulers.get(key).Do(ctx, nothing) }
}

// openXRateLRU has room for all keys, so that no key which still lacks tokens comes back with a full bucket.
func openXRateLRU(l limit, keys int) waitOfKey {
	limiters := must(lru.New[string, *rate.Limiter](keys))
	return func(ctx context.Context, key string) error {
		r, ok := limiters.Get(key)
		if !ok {
			r = newXRate(l)
			if earlier, there, _ := limiters.PeekOrAdd(key, r); there {
				r = earlier
			}
		}
		return r.Wait(ctx)
	}
}

func openGoLimiterKeys(l limit, _ int) waitOfKey {
	store := newGoLimiter(l)
	return func(ctx context.Context, key string) error { return waitInStore(ctx, store, key) }
}

func openThrottledKeys(l limit, keys int) waitOfKey {
	r := newThrottled(l, keys)
	return func(ctx context.Context, key string) error { return waitForThrottled(ctx, r, key, 1) }
}

func newFairleadKeys(l limit) *scheduler.Scheduler {
	return must(scheduler.New(scheduler.Config{Limit: bucket.Unlimited, PerKey: scheduler.PerKey{Limit: fairleadLimit(l)}}))
}

func openFairleadKeys(l limit, _ int) waitOfKey {
	s := newFairleadKeys(l)
	return func(ctx context.Context, key string) error { return s.Do(ctx, nothing, scheduler.Key(key)) }
}

// openFairleadSubmitKeys does not wait: the call is queued when it returns.
func openFairleadSubmitKeys(l limit, _ int) waitOfKey {
	s := newFairleadKeys(l)
	return func(ctx context.Context, key string) error {
		_, err := s.Submit(ctx, nothing, scheduler.Key(key))
		return err
	}
}

const (
	// keyedVariant is a call with one of N keys, in turns, that all have tokens and were used before.
	keyedVariant = "key"

	// A job of memory looks at N keys that are remembered, or at as many with a call each that waits.
	rememberedKeys = "remembered"
	waitingKeys    = "waiting"
)

func keyNames(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = "tenant-" + strconv.Itoa(i)
	}
	return names
}

// notForgotten is a limit that no call waits for, and that refills so slowly that keys are remembered.
var notForgotten = limit{rate: 1, burst: 100_000, per: time.Minute}

// openKeyedCalls returns calls from one goroutine, with a key after the other. Each key has tokens, and was
// used shortly before, so that it is remembered.
func openKeyedCalls(j job) func() bool {
	const stride = 7919 // a prime, so that all keys have their turns, and not as neighbors in memory
	keys, ctx, at := keyNames(j.N), context.Background(), 0
	wait := keyedNamed(j.Who).open(notForgotten, j.N)
	for _, key := range keys {
		check(wait(ctx, key))
	}
	return func() bool {
		at = (at + stride) % len(keys)
		return wait(ctx, keys[at]) == nil
	}
}

// measureKeyBytes measures what each of N keys costs that has used its only token, and has a call that waits
// for the next one if the job says so.
func measureKeyBytes(j job) numbers {
	keys, ctx := keyNames(j.N), context.Background()
	before := memory()
	wait := keyedNamed(j.Who).open(limit{rate: 1, burst: 1, per: time.Hour}, j.N)
	for _, key := range keys {
		check(wait(ctx, key))
	}
	if j.Variant == waitingKeys {
		for _, key := range keys {
			if j.Who == fairleadSubmit {
				check(wait(ctx, key))
			} else {
				go func() { _ = wait(ctx, key) }()
			}
		}
	}
	settle()
	found := numbers{"bytes": (memory() - before) / float64(j.N)}
	runtime.KeepAlive(wait)
	runtime.KeepAlive(keys)
	return found
}
