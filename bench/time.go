package main

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Workloads F, G and H and lateness: what callers get who wait.

// measureLate measures how late tokens come after waits of 0.2 to 5 ms, on a machine
// that does nothing else: one caller asks at random.
func measureLate(j job) numbers {
	l := limit{rate: 1, burst: 1, per: 5200 * time.Microsecond}
	begin := time.Now()
	t, opened := limiterNamed(j.Who).open(l), time.Since(begin)
	ctx, random := context.Background(), rand.New(rand.NewPCG(1, 2))
	var arrived, granted []time.Duration
	for time.Since(begin) < j.Duration {
		arrived = append(arrived, time.Since(begin))
		check(t.wait(ctx))
		granted = append(granted, time.Since(begin))
		time.Sleep(time.Duration(random.Int64N(int64(4 * time.Millisecond))))
	}
	due := ideal(l, arrived)
	if t.ticks {
		due = idealOnTicks(l, opened, arrived)
	}
	var late []float64
	for i, at := range due {
		if at-arrived[i] >= 200*time.Microsecond {
			late = append(late, float64(granted[i]-at)/1e3)
		}
	}
	return numbers{"p50 us": median(late), "p99 us": quantile(late, 0.99), "waits": float64(len(late))}
}

// grants collects the instants of grants from any number of goroutines.
type grants struct {
	begin time.Time
	next  atomic.Int64
	at    []atomic.Int64
}

func newGrants(most int) *grants { return &grants{at: make([]atomic.Int64, most), begin: time.Now()} }

// note notes a grant. It reports whether there is room for more.
func (g *grants) note() bool {
	i := g.next.Add(1) - 1
	if i >= int64(len(g.at)) {
		return false
	}
	g.at[i].Store(int64(time.Since(g.begin)))
	return true
}

// until returns the grants until an instant, in order.
func (g *grants) until(end time.Duration) []time.Duration {
	var list []time.Duration
	for i := range min(g.next.Load(), int64(len(g.at))) {
		if at := time.Duration(g.at[i].Load()); at > 0 && at <= end {
			list = append(list, at)
		}
	}
	slices.Sort(list)
	return list
}

// measureLoop has Callers ask again as soon as they are served.
func measureLoop(j job) numbers {
	l, ctx := j.limit(), context.Background()
	wait := limiterNamed(j.Who).open(l).wait
	allowed := float64(l.burst) + l.perSecond()*j.Duration.Seconds()
	g := newGrants(max(1_000_000, int(30*allowed)))
	for range j.Callers {
		go func() {
			for time.Since(g.begin) < j.Duration && wait(ctx) == nil && g.note() {
			}
		}()
	}
	time.Sleep(j.Duration)
	list := g.until(j.Duration)
	tooMany := float64(overSince(l, 0, list))
	return numbers{
		"share": float64(len(list)) / allowed,
		"over":  tooMany, "over share": tooMany / allowed,
	}
}

// measureFlood has one caller ask for N tokens at once, half a bucket, among Callers that
// ask for one each again and again.
func measureFlood(j job) numbers {
	l := j.limit()
	t := limiterNamed(j.Who).open(l)
	check(t.waitN(context.Background(), l.burst)) // the bucket is empty
	begin := time.Now()
	for range j.Callers {
		go func() {
			for time.Since(begin) < j.Duration {
				_ = t.wait(context.Background())
			}
		}()
	}
	time.Sleep(100 * time.Millisecond)
	ctx, cancel := context.WithTimeout(context.Background(), j.Duration)
	defer cancel()
	begin = time.Now()
	served := make(chan error, 1)
	go func() { served <- t.waitN(ctx, j.N) }()
	never := 0.0
	select {
	case err := <-served:
		if err != nil {
			never = 1
		}
	case <-ctx.Done():
		never = 1
	}
	// At best no caller is ahead, at worst every one.
	return numbers{
		"wait ms": float64(time.Since(begin)) / 1e6, "never": never,
		"least ms": float64(j.N) / l.perSecond() * 1e3,
		"most ms":  float64(j.N+j.Callers) / l.perSecond() * 1e3,
	}
}

// measureChange changes the limit 200 ms after a crowd of N began to wait: up, to 100
// times as much, or down, to a hundredth.
func measureChange(j job) numbers {
	const after = 200 * time.Millisecond
	l := j.limit()
	t := limiterNamed(j.Who).open(l)
	g := newGrants(j.N)
	var over sync.WaitGroup
	for range j.N {
		over.Go(func() {
			check(t.wait(context.Background()))
			g.note()
		})
	}
	time.Sleep(after - time.Since(g.begin))
	changed := l
	if j.Variant == "up" {
		changed.rate *= 100
	} else {
		changed.per *= 100
	}
	at := time.Since(g.begin)
	check(t.set(changed))
	before := len(g.until(at))
	if j.Variant == "up" {
		over.Wait()
		return numbers{
			"ms":    float64(time.Since(g.begin)-at) / 1e6,
			"ideal": float64(j.N-before) / changed.perSecond() * 1e3,
		}
	}
	time.Sleep(j.Duration)
	end := time.Since(g.begin)
	return numbers{
		"granted": float64(len(g.until(end)) - before),
		"allowed": 1 + (end-at).Seconds()*changed.perSecond(),
	}
}
