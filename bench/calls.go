package main

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"example.com/fairlead/events"
	"example.com/fairlead/scheduler"
)

// Workloads A, B and C and the cost of features: calls that need not wait.
//
// The variant of a job says what a call is: "try" takes a token, "wait" waits for one,
// "both" limits and retries a function, "owner" goes through Fairlead's owner; any other
// is the name of a feature, or a call with a key.

// measureCalls measures what a call costs if Callers goroutines make it again and again.
func measureCalls(j job) numbers {
	call := opener(j)()
	n, spent := 1000, time.Duration(0)
	for {
		spent, _ = timed(j.Callers, n, call)
		if spent > j.Duration/10 || n > 1<<27 {
			break
		}
		n *= 4
	}
	n = max(1000, int(float64(n)*float64(j.Duration)/float64(spent+1)))
	runtime.GC()
	found := measureOnce(j.Callers, n, call)
	if j.Callers == 1 || j.Variant == "owner" {
		return found // the owner's path is one after the other by its nature
	}
	// Calls that never meet are cheaper: try again if the system had us on fewer processors.
	for range 10 {
		if found["cores"] >= 0.8*float64(runtime.GOMAXPROCS(0)) {
			break
		}
		if again := measureOnce(j.Callers, n, call); again["cores"] > found["cores"] {
			found = again
		}
	}
	return found
}

// measureOnce makes n calls and says what each has cost, and how many processors were busy.
func measureOnce(callers, n int, call func() bool) numbers {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	cpu, _ := usage()
	spent, failed := timed(callers, n, call)
	cpuAfter, _ := usage()
	runtime.ReadMemStats(&after)
	calls := float64(n)
	return numbers{
		"ns":     float64(spent) / calls,
		"allocs": float64(after.Mallocs-before.Mallocs) / calls,
		"bytes":  float64(after.TotalAlloc-before.TotalAlloc) / calls,
		"failed": float64(failed) / calls,
		"cores":  float64(cpuAfter-cpu) / float64(spent),
	}
}

// spread keeps all processors busy until the system has put each thread on one of its
// own. A young process often has but one for longer than we measure.
func spread() {
	procs := runtime.GOMAXPROCS(0)
	for range 10 {
		before, _ := usage()
		begin := time.Now()
		var over sync.WaitGroup
		for range procs {
			over.Go(func() {
				for time.Since(begin) < 10*time.Millisecond {
				}
			})
		}
		over.Wait()
		after, _ := usage()
		if (after - before).Seconds() > 0.8*float64(procs)*time.Since(begin).Seconds() {
			return
		}
	}
}

// timed makes n calls from a number of goroutines together, which begin at the same time.
func timed(callers, n int, call func() bool) (spent time.Duration, failed int64) {
	if callers == 1 {
		begin := time.Now()
		failed = repeat(n, call)
		return time.Since(begin), failed
	}
	var ready, over sync.WaitGroup
	var failures atomic.Int64
	gate := make(chan struct{})
	for i := range callers {
		share := n*(i+1)/callers - n*i/callers
		ready.Add(1)
		over.Go(func() {
			ready.Done()
			<-gate
			failures.Add(repeat(share, call))
		})
	}
	ready.Wait()
	begin := time.Now()
	close(gate)
	over.Wait()
	return time.Since(begin), failures.Load()
}

func repeat(n int, call func() bool) (failed int64) {
	for range n {
		if !call() {
			failed++
		}
	}
	return failed
}

// opener returns what makes the call of a job. It reports whether it succeeded.
func opener(j job) func() func() bool {
	ctx := context.Background()
	switch j.Who {
	case noLimiter:
		return func() func() bool { return func() bool { return nothing(ctx) == nil } }
	case floorWord:
		return func() func() bool { return openFloor(1) }
	case floorCells:
		return func() func() bool { return openFloor(16) }
	case bare:
		return openBare
	case floorOwner:
		return openFloorOwner
	}
	switch j.Variant {
	case "try":
		return func() func() bool { return limiterNamed(j.Who).open(unfelt).try }
	case "wait":
		return func() func() bool {
			wait := limiterNamed(j.Who).open(unfelt).wait
			return func() bool { return wait(ctx) == nil }
		}
	case "both":
		for _, p := range pairs {
			if p.name == j.Who {
				return func() func() bool {
					do := p.open()
					return func() bool { return do(ctx, nothing) == nil }
				}
			}
		}
		return opener(job{Variant: "wait", Who: j.Who})
	case keyedVariant:
		return func() func() bool { return openKeyedCalls(j) }
	}
	for _, f := range slices.Concat(configured, optional, owned) {
		if f.name == j.Variant || j.Variant == "owner" && f.name == ownersPath {
			return func() func() bool { return f.open(nil) }
		}
	}
	panic("no variant " + j.Variant + " of " + j.Who)
}

// measureEvents measures how many events a subscriber to everything is told in a second.
func measureEvents(j job) numbers {
	s, ctx := newUnfelt(scheduler.Config{}), context.Background()
	seen := new(atomic.Int64)
	missed := new(atomic.Int64)
	sub := s.Subscribe(events.All)
	go func() {
		for ev := range sub.C {
			seen.Add(1)
			missed.Add(int64(ev.Missed))
		}
	}()
	begin := time.Now()
	var over sync.WaitGroup
	for range j.Callers {
		over.Go(func() {
			for time.Since(begin) < j.Duration {
				_ = s.Do(ctx, nothing)
			}
		})
	}
	over.Wait()
	told, lost := float64(seen.Load()), float64(missed.Load())
	return numbers{"per second": told / time.Since(begin).Seconds(), "missed": lost / (told + lost)}
}

// measureIdle measures what a scheduler that was busy does while it has nothing to do,
// or, for a Who that is empty, what a program without one does.
func measureIdle(j job) numbers {
	if j.Who == fairlead {
		s := newUnfelt(scheduler.Config{})
		for range 100_000 {
			_ = s.Do(context.Background(), nothing)
		}
		defer s.Close()
	}
	time.Sleep(time.Second) // the garbage collector and its like come to rest
	cpu, sleeps := usage()
	time.Sleep(j.Duration)
	cpuAfter, sleepsAfter := usage()
	return numbers{"cpu us": float64(cpuAfter-cpu) / 1e3, "sleeps": float64(sleepsAfter - sleeps)}
}
