package main

import (
	"context"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"time"

	"example.com/fairlead/scheduler"
)

// Workload I: a noisy neighbor. Tenants share one limit. One of them makes N calls at once, and the other
// Callers make a few each, at random instants until a queue would have let the N through.

const (
	fairleadQueue = "Fairlead, one queue"
	xrateSplit    = "x/time/rate, a part each"

	callsPerNeighbor = 10
)

// neighborly is a contestant, with what sends in the call of a tenant. It calls back when the call is let
// through. The l is what all tenants share.
type neighborly struct {
	name string
	open func(l limit, tenants int) func(tenant string, through func())
}

// together are all that take part.
var together = []neighborly{
	{fairlead, func(l limit, _ int) func(string, func()) {
		s := must(scheduler.New(scheduler.Config{Limit: fairleadLimit(l)}))
		return onGoroutines(func(ctx context.Context, key string) error { return s.Do(ctx, nothing, scheduler.Key(key)) })
	}},
	{fairleadSubmit, func(l limit, _ int) func(string, func()) {
		s := must(scheduler.New(scheduler.Config{Limit: fairleadLimit(l)}))
		return func(tenant string, through func()) {
			must(s.Submit(context.Background(), func(context.Context) error { through(); return nil }, scheduler.Key(tenant)))
		}
	}},
	{fairleadQueue, oneForAll(fairlead)},
	{xrate, oneForAll(xrate)},
	{failsafe, oneForAll(failsafe)},
	{jujuLimit, oneForAll(jujuLimit)},
	{xrateSplit, func(l limit, tenants int) func(string, func()) {
		l.per *= time.Duration(tenants)
		return onGoroutines(openXRateMap(l, tenants))
	}},
}

// onGoroutines gives each call a goroutine.
func onGoroutines(wait waitOfKey) func(string, func()) {
	return func(tenant string, through func()) {
		go func() {
			check(wait(context.Background(), tenant))
			through()
		}()
	}
}

// oneForAll has one limiter, that knows no tenants.
func oneForAll(name string) func(limit, int) func(string, func()) {
	return func(l limit, _ int) func(string, func()) {
		wait := limiterNamed(name).open(l).wait
		return onGoroutines(func(ctx context.Context, _ string) error { return wait(ctx) })
	}
}

func neighborlyNamed(name string) neighborly {
	for _, n := range together {
		if n.name == name {
			return n
		}
	}
	panic("no contestant " + name)
}

// measureNeighbors measures how long the calls of the others wait, and which part of the rate is used until
// the last of them is let through.
func measureNeighbors(j job) numbers {
	l := j.limit()
	call := neighborlyNamed(j.Who).open(l, j.Callers+1)
	arrivals := make([]time.Duration, j.Callers*callsPerNeighbor)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range arrivals {
		arrivals[i] = time.Duration(random.Float64() * float64(j.N) / l.perSecond() * float64(time.Second))
	}
	slices.Sort(arrivals)
	waits := make([]float64, len(arrivals))
	g := newGrants(j.N + len(arrivals))
	var over sync.WaitGroup
	for range j.N {
		call("noisy", func() { g.note() })
	}
	for i, at := range arrivals {
		time.Sleep(at - time.Since(g.begin))
		over.Add(1)
		arrived := time.Now()
		call(strconv.Itoa(i%j.Callers), func() {
			waits[i] = float64(time.Since(arrived)) / 1e6
			g.note()
			over.Done()
		})
	}
	over.Wait()
	end := time.Since(g.begin)
	list := g.until(end)
	return numbers{
		"p50 ms": median(waits), "p99 ms": quantile(waits, 0.99), "worst ms": quantile(waits, 1),
		"used":             float64(len(list)) / (float64(l.burst) + l.perSecond()*end.Seconds()),
		"over since start": float64(overSince(l, 0, list)),
	}
}
