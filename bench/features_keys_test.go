package main

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/util/workqueue"

	"example.com/fairlead/bucket"
	"example.com/fairlead/scheduler"
)

// keyWords are what limits of keys, and their shares, are called.
const keyWords = "per_?key|of_?key|tenant|weight"

const (
	notesMap      = "a limiter of each, in a map that you keep and empty"
	notesMostUsed = "`adaptivelimiter` refuses those first that used most; its rate limiters know no users"
	notesOwnQueue = "with a `workqueue.Queue` that you write"
)

// keyFeatures are those of calls on behalf of many tenants, hosts or customers.
var keyFeatures = []row{
	{"Limits per key: tenants, hosts, customers", [6]cell{
		{yes, "", all(tested("TestKeyInEveryKindOfCall", "TestAKeyDelaysNoOther"), apart(fairleadApart))},
		{partly, notesMap, noMore(apart(unclosed(openXRateMap)), "NewLimiter", keyWords, xratePkg)},
		{partly, notesMap, noMore(apart(unclosed(openInMap(openUber))), "New", keyWords, uberPkg)},
		{partly, notesMap, noMore(apart(unclosed(openFailsafeMap)), "NewSmooth", keyWords, limiterPkg)},
		{partly, notesMap, noMore(apart(unclosed(openInMap(openK8s))), "NewTokenBucketRateLimiter", keyWords, flowPkg, workqueuePkg)},
		{partly, "an `AdaptiveMode` for each, in a map that you keep and empty", noMore(has(awsRetryPkg, "NewAdaptiveMode", "AdaptiveMode.GetAttemptToken"), "NewAdaptiveMode", keyWords, awsRetryPkg, awsLimitPkg)},
	}},
	{"Fair shares between keys: no tenant waits behind another's thousands", [6]cell{
		{yes, "", all(tested("TestKeysShareFairly"), shares(fairleadShare, nil, [2]int{50, 50}))},
		{no, "", all(shares(xrateShare, nil, [2]int{50, 50}), absent("Limiter.Wait", keyWords, xratePkg))},
		{no, "", onlyTake},
		{partly, notesMostUsed, noMore(failsafeFair, "RateLimiter.AcquirePermit", keyWords, limiterPkg)},
		{partly, notesOwnQueue, noMore(k8sTurns(nil, "abababaa"), "Queue.Pop", keyWords, workqueuePkg)},
		{no, "", absent("AdaptiveMode.GetAttemptToken", keyWords, awsRetryPkg, awsLimitPkg)},
	}},
	{"Shares by cost, such as tokens of a model", [6]cell{
		{yes, "", all(tested("TestSettledCostsCountForTheShare"), shares(fairleadShare, map[string]int{"a": 5}, [2]int{10, 50}))},
		{no, "", absent("Limiter.WaitN", keyWords, xratePkg)},
		{no, "", onlyTake},
		{partly, notesMostUsed, noMore(all(has(failsafePkg+"priority", "UsageTracker.RecordUsage"), failsafeFair), "RateLimiter.AcquirePermits", keyWords, limiterPkg)},
		{no, "", absent("RateLimiter.Wait", "cost|"+keyWords, flowPkg, workqueuePkg)},
		{no, "", absent("AdaptiveMode.GetAttemptToken", keyWords, awsRetryPkg, awsLimitPkg)},
	}},
	{"Weights of keys: one gets three times as much as another", [6]cell{
		{yes, "", all(tested("TestWeight"), shares(fairleadWeighed, nil, [2]int{75, 25}))},
		{no, "", absent("Limiter.Wait", keyWords, xratePkg)},
		{no, "", onlyTake},
		{no, "", absent("RateLimiter.AcquirePermit", keyWords, limiterPkg, failsafePkg+"adaptivelimiter", failsafePkg+"priority")},
		{partly, notesOwnQueue, noMore(k8sTurns(map[string]int{"a": 3}, "abaaabaa"), "Queue.Pop", keyWords, workqueuePkg)},
		{no, "", absent("AdaptiveMode.GetAttemptToken", keyWords, awsRetryPkg, awsLimitPkg)},
	}},
}

// openInMap makes a limiter for each key.
func openInMap(open func(limit) taker) func(limit, int) waitOfKey {
	return func(l limit, _ int) waitOfKey {
		limiters := newByKey(func() taker { return open(l) })
		return func(ctx context.Context, key string) error { return limiters.get(key).wait(ctx) }
	}
}

// unclosed opens what need not be closed, with a token a second for each key.
func unclosed(open func(limit, int) waitOfKey) func(*testing.T) waitOfKey {
	return func(*testing.T) waitOfKey { return open(perSecond(1, 1), 2) }
}

func fairleadApart(t *testing.T) waitOfKey {
	s := newFairlead(t, scheduler.Config{Limit: bucket.Unlimited, PerKey: scheduler.PerKey{Limit: bucket.PerSecond(1)}})
	return func(ctx context.Context, key string) error { return s.Do(ctx, nothing, scheduler.Key(key)) }
}

// apart: one key waits for its own tokens, and another does not.
func apart(open func(*testing.T) waitOfKey) proof {
	return func(t *testing.T) mark {
		c, wait := newCrew(), open(t)
		of := func(key string) func(context.Context) error {
			return func(ctx context.Context) error { return wait(ctx, key) }
		}
		c.call("a", of("a"))
		c.call("a again", of("a"))
		c.call("b", of("b"))
		c.until(10 * time.Second)
		if c.at["a"] != 0 || c.at["b"] != 0 || !about(c.at["a again"], time.Second) {
			t.Logf("%v", c.at)
			return no
		}
		return yes
	}
}

// shared has a token a second for all keys, and has just been emptied. A call of a key has a cost.
type shared func(t *testing.T) func(ctx context.Context, key string, cost int) error

const mostShared = 5 // the burst

func fairleadShare(t *testing.T) func(context.Context, string, int) error {
	s := newFairlead(t, scheduler.Config{Limit: bucket.PerSecond(1).Burst(mostShared)})
	check(s.Do(t.Context(), nothing, scheduler.Cost(mostShared)))
	return func(ctx context.Context, key string, cost int) error {
		return s.Do(ctx, nothing, scheduler.Key(key), scheduler.Cost(int64(cost)))
	}
}

// fairleadWeighed has keys "a" of weight 3.
func fairleadWeighed(t *testing.T) func(context.Context, string, int) error {
	s := newFairlead(t, scheduler.Config{Limit: bucket.PerSecond(1).Burst(mostShared)})
	check(s.Do(t.Context(), nothing, scheduler.Cost(mostShared)))
	return func(ctx context.Context, key string, cost int) error {
		weight := map[string]int{"a": 3, "b": 1}[key]
		return s.Do(ctx, nothing, scheduler.Key(key), scheduler.Weight(weight))
	}
}

func xrateShare(*testing.T) func(context.Context, string, int) error {
	l := openXRate(perSecond(1, mostShared))
	check(l.waitN(context.Background(), mostShared))
	return func(ctx context.Context, _ string, cost int) error { return l.waitN(ctx, cost) }
}

// shares: 120 calls of key "a" wait, and then as many of key "b". Of the next 100 tokens, so many calls of
// each are served.
func shares(open shared, costs map[string]int, want [2]int) proof {
	return func(t *testing.T) mark {
		c, wait := newCrew(), open(t)
		for _, key := range []string{"a", "b"} {
			for i := range 120 {
				defer c.call(key+strconv.Itoa(i), func(ctx context.Context) error { return wait(ctx, key, max(1, costs[key])) })()
			}
		}
		c.until(100*time.Second + time.Millisecond)
		got := map[byte]int{}
		for _, name := range c.served {
			got[name[0]]++
		}
		for i, n := range want {
			if d := got["ab"[i]] - n; d < -1 || d > 1 {
				t.Logf("%d calls of a and %d of b", got['a'], got['b'])
				return no
			}
		}
		return yes
	}
}

// byTurns is a work queue's order in which the key goes first that has had the least for its weight. A key
// is the first letter of an item.
type byTurns struct {
	items   []string
	used    map[byte]int
	weights map[string]int
}

func (q *byTurns) Touch(string)     {}
func (q *byTurns) Len() int         { return len(q.items) }
func (q *byTurns) Push(item string) { q.items = append(q.items, item) }
func (q *byTurns) Pop() string {
	first := slices.MinFunc(q.items, func(a, b string) int { return q.used[a[0]] - q.used[b[0]] })
	q.items = slices.DeleteFunc(q.items, func(item string) bool { return item == first })
	q.used[first[0]] += 12 / max(1, q.weights[first[:1]])
	return first
}

// k8sTurns: the items of "a" are queued, and then those of "b". They are got by the keys' turns.
func k8sTurns(weights map[string]int, want string) proof {
	return func(t *testing.T) mark {
		q := workqueue.NewTypedWithConfig(workqueue.TypedQueueConfig[string]{Queue: &byTurns{used: map[byte]int{}, weights: weights}})
		defer q.ShutDown()
		for _, key := range []string{"a", "b"} {
			for i := range strings.Count(want, key) {
				q.Add(key + strconv.Itoa(i))
			}
		}
		for i := range want {
			if item, _ := q.Get(); item[0] != want[i] {
				return no
			}
		}
		return yes
	}
}

// fairleadRefuses: while the queue is full, a call of a key that has calls in it is refused, and that of
// another key is not.
func fairleadRefuses(t *testing.T) mark {
	s := newFairlead(t, scheduler.Config{Limit: bucket.PerSecond(1).Burst(1), MaxQueued: 4, Overflow: scheduler.RefuseNew})
	check(s.Do(t.Context(), nothing))
	for range 4 {
		must(s.Submit(t.Context(), nothing, scheduler.Key("much")))
	}
	much, little := s.Do(t.Context(), nothing, scheduler.Key("much")), s.Do(t.Context(), nothing, scheduler.Key("little"))
	if !errors.Is(much, scheduler.ErrQueueFull) || little != nil {
		return no
	}
	return partly
}
