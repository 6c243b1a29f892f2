package main

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"example.com/fairlead/events"
	"example.com/fairlead/scheduler"
)

// Workload D: a crowd that arrives at once and waits.
//
// The variant of a job says what contexts the callers have: "" is context.Background(), which can't
// be canceled, and cancellable is one for each caller, as the requests of a server have.
const cancellable = "cancellable"

// contexts returns the contexts of n callers, and a function that cancels them. They are made and
// asked for their channels before anything is measured, so that their own cost is not a limiter's.
func contexts(j job, n int) (of func(i int) context.Context, stop func()) {
	if j.Variant != cancellable {
		return func(int) context.Context { return context.Background() }, func() {}
	}
	parent, stop := context.WithCancel(context.Background())
	list := make([]context.Context, n)
	for i := range list {
		ctx, cancel := context.WithCancel(parent)
		_ = cancel // the parent's does
		ctx.Done()
		list[i] = ctx
	}
	return func(i int) context.Context { return list[i] }, stop
}

// crowd is N callers, when each came and when each was let through.
type crowd struct {
	arrived, granted []time.Duration
	begin            time.Time
	over             sync.WaitGroup
}

func newCrowd(n int) *crowd {
	c := &crowd{arrived: make([]time.Duration, n), granted: make([]time.Duration, n), begin: time.Now()}
	c.over.Add(n)
	return c
}

func (c *crowd) grant(i int) {
	c.granted[i] = time.Since(c.begin)
	c.over.Done()
}

// arrive sends all callers in: each on a goroutine, unless the contestant is Submit or a floor,
// which need none.
func (c *crowd) arrive(j job, ctx func(i int) context.Context) {
	n := len(c.arrived)
	switch j.Who {
	case fairleadSubmit:
		s := must(scheduler.New(scheduler.Config{Limit: fairleadLimit(j.limit())}))
		for i := range n {
			c.arrived[i] = time.Since(c.begin)
			must(s.Submit(ctx(i), func(context.Context) error { c.grant(i); return nil }))
		}
		return
	case floorSubmit:
		q := openFloorSubmit(j.limit())
		for i := range n {
			c.arrived[i] = time.Since(c.begin)
			q.submit(func() { c.grant(i) })
		}
		return
	}
	wait := limiterNamed(j.Who).open(j.limit()).wait
	for i := range n {
		go func() {
			c.arrived[i] = time.Since(c.begin)
			check(wait(ctx(i)))
			c.grant(i)
		}()
	}
}

// order returns the crowd in the order of its grants, each by its place in the order of arrival.
func (c *crowd) order() []int {
	place := make([]int, len(c.arrived))
	for at, i := range byTime(c.arrived) {
		place[i] = at
	}
	order := byTime(c.granted)
	for at, i := range order {
		order[at] = place[i]
	}
	return order
}

// measureCrowd measures all that a crowd costs and how it fares.
func measureCrowd(j job) numbers {
	ctx, stop := contexts(j, j.N)
	defer stop()
	runtime.GC()
	before, _ := usage()
	c := newCrowd(j.N)
	c.arrive(j, ctx)
	c.over.Wait()
	after, _ := usage()
	late := lateness(j.limit(), c.arrived, c.granted)
	return numbers{
		"cpu us per call":    float64(after-before) / 1e3 / float64(j.N),
		"cpu s":              (after - before).Seconds(),
		"inverted":           invertedPart(c.order()),
		"late p50 us":        median(late),
		"late p99 us":        quantile(late, 0.99),
		"over in any window": float64(over(j.limit(), c.granted)),
		"over since start":   float64(overSince(j.limit(), earliest(c.arrived), c.granted)),
		"wall s":             time.Since(c.begin).Seconds(),
	}
}

func earliest(at []time.Duration) time.Duration {
	first := at[0]
	for _, d := range at {
		first = min(first, d)
	}
	return first
}

// memory returns how many bytes the program holds after a collection, stacks included.
func memory() float64 {
	runtime.GC()
	runtime.GC() // what the first one put aside in pools
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc + m.StackInuse)
}

// settle waits until the process has nothing to do.
func settle() {
	for quiet := 0; quiet < 3; {
		before, _ := usage()
		time.Sleep(20 * time.Millisecond)
		if after, _ := usage(); after-before < 2*time.Millisecond {
			quiet++
		} else {
			quiet = 0
		}
	}
}

// measureWaiterBytes measures what each caller costs while it waits for a token that
// does not come while we look.
func measureWaiterBytes(j job) numbers {
	ctx, stop := contexts(j, j.N+1)
	defer stop()
	l := limit{rate: 1, burst: 1, per: time.Minute}
	residentBefore, before := float64(resident()), memory()
	var keep any
	if j.Who == fairleadSubmit {
		s := must(scheduler.New(scheduler.Config{Limit: fairleadLimit(l)}))
		for i := range j.N + 1 {
			must(s.Submit(ctx(i), nothing))
		}
		s.Snapshot()
		keep = s
	} else {
		wait := limiterNamed(j.Who).open(l).wait
		for i := range j.N + 1 {
			go func() { _ = wait(ctx(i)) }()
		}
		keep = wait
	}
	settle()
	found := numbers{"resident": (float64(resident()) - residentBefore) / float64(j.N)}
	found["bytes"] = (memory() - before) / float64(j.N)
	runtime.KeepAlive(keep)
	runtime.KeepAlive(ctx)
	return found
}

// measureGranted looks at the order and the instants in Fairlead's own account of a
// crowd, as its events tell them.
func measureGranted(j job) numbers {
	s := must(scheduler.New(scheduler.Config{Limit: fairleadLimit(j.limit()), EventBuffer: j.N + 1}))
	sub := s.Subscribe(events.Of(events.Granted))
	for range j.N {
		must(s.Submit(context.Background(), nothing))
	}
	order, at := make([]int, j.N), make([]time.Duration, j.N)
	var first time.Time
	missed := uint64(0)
	for i := range j.N {
		ev := <-sub.C
		if i == 0 {
			first = ev.At
		}
		order[i], at[i] = int(ev.Call), ev.At.Sub(first)
		missed += ev.Missed
	}
	return numbers{
		"inversions": float64(inversions(order)), "missed": float64(missed),
		"over in any window": float64(over(j.limit(), at)),
	}
}

// measureCanceled cancels every third of a crowd and measures which part of the rate
// the others get.
func measureCanceled(j job) numbers {
	l := j.limit()
	ctx, cancel := context.WithCancel(context.Background())
	var last atomic.Int64
	var granted atomic.Int64
	var over sync.WaitGroup
	begin := time.Now()
	through := func() {
		granted.Add(1)
		last.Store(int64(time.Since(begin)))
	}
	join := waitOrSubmit(j.Who, l)
	for i := range j.N {
		over.Add(1)
		of := context.Background()
		if i%3 == 2 {
			of = ctx
		}
		join(of, func(err error) {
			if err == nil {
				through()
			}
			over.Done()
		})
	}
	time.Sleep(100 * time.Millisecond)
	cancel()
	over.Wait()
	ideal := float64(granted.Load()-int64(l.burst)) / l.perSecond()
	return numbers{"rate": ideal / time.Duration(last.Load()).Seconds()}
}

// waitOrSubmit returns what sends in one caller of a crowd. It calls back when the
// caller is let through or has given up.
func waitOrSubmit(who string, l limit) func(context.Context, func(error)) {
	if who != fairleadSubmit {
		wait := limiterNamed(who).open(l).wait
		return func(ctx context.Context, back func(error)) { go func() { back(wait(ctx)) }() }
	}
	s := must(scheduler.New(scheduler.Config{Limit: fairleadLimit(l)}))
	return func(ctx context.Context, back func(error)) {
		h := must(s.Submit(ctx, nothing))
		go func() { <-h.Done(); back(h.Err()) }()
	}
}

// The calls of a queue that goes at once have no key, all the same one, or a key each.
const (
	oneKey  = "one key"
	keyEach = "a key each"
)

// measureDrain lets a queue of N go at once, for what a call costs the longer the queue.
// A short one does so often enough for the time to be measurable.
func measureDrain(j job) numbers {
	s := must(scheduler.New(scheduler.Config{Limit: fairleadLimit(unfelt)}))
	options := func(int) []scheduler.Option { return nil }
	if j.Variant != "" {
		names := keyNames(j.N)
		options = func(i int) []scheduler.Option {
			if j.Variant == oneKey {
				i = 0
			}
			return []scheduler.Option{scheduler.Key(names[i])}
		}
	}
	var submitting, draining time.Duration
	rounds := max(1, 100_000/j.N)
	for range rounds {
		var over sync.WaitGroup
		over.Add(j.N)
		done := func(context.Context) error { over.Done(); return nil }
		check(s.Pause())
		begin := time.Now()
		for i := range j.N {
			must(s.Submit(context.Background(), done, options(i)...))
		}
		s.Snapshot() // everything has come to the owner
		queued := time.Now()
		check(s.Resume())
		over.Wait()
		submitting += queued.Sub(begin)
		draining += time.Since(queued)
	}
	calls := float64(rounds * j.N)
	return numbers{"ns per submit": float64(submitting) / calls, "ns per grant": float64(draining) / calls}
}
