package redistest

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
	"example.com/fairlead/clock"
	"example.com/fairlead/scheduler"
)

// fleetLimit is the limit of a fleet.
var fleetLimit = bucket.PerSecond(500).Burst(20)

// Fleet is several schedulers that share a budget, each with more callers than the budget lets through.
type Fleet struct {
	members []*scheduler.Scheduler
	callers sync.WaitGroup
	begin   time.Time

	mu     sync.Mutex
	starts []time.Duration // of calls
	refuse error           // what the next call returns

	beforeLoss, afterLoss time.Duration // the instants just before and after Redis lost the budget
	losses                int           // how many servers lost it
}

// NewFleet returns a fleet whose schedulers have the given stores, and buy tokens ahead for the given time.
func NewFleet(t testing.TB, ahead time.Duration, stores ...bucket.Store) *Fleet {
	f := &Fleet{begin: clock.Plain().Now()}
	for _, store := range stores {
		m, err := scheduler.New(scheduler.Config{Limit: fleetLimit, Store: store, Ahead: ahead})
		require.NoError(t, err)
		f.members = append(f.members, m)
		for range 8 {
			f.callers.Go(func() {
				for m.Do(context.Background(), func(context.Context) error { return f.call() }) == nil {
				}
			})
		}
	}
	return f
}

// Now returns the time since the beginning.
func (f *Fleet) Now() time.Duration { return clock.Plain().Now().Sub(f.begin) }

// call notes when a call started.
func (f *Fleet) call() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.starts = append(f.starts, f.Now())
	err := f.refuse
	f.refuse = nil
	return err
}

// RefuseNext lets the next call return an error, and returns the instant.
func (f *Fleet) RefuseNext(err error) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refuse = err
	return f.Now()
}

// Close closes the schedulers and returns when their calls started.
func (f *Fleet) Close() []time.Duration {
	for _, m := range f.members {
		m.Close()
	}
	f.callers.Wait()
	slices.Sort(f.starts)
	return f.starts
}

// Lose calls lose, which makes Redis lose the budget, and notes the time. Before that, each of the servers may have sold tokens
// ahead.
func (f *Fleet) Lose(servers int, lose func()) {
	f.beforeLoss = f.Now()
	lose()
	f.afterLoss = f.Now()
	f.losses = servers
}

// Await returns when so many calls have started after an instant.
func (f *Fleet) Await(calls int, after time.Duration) {
	for {
		f.mu.Lock()
		first, _ := slices.BinarySearch(f.starts, after)
		n := len(f.starts) - first
		f.mu.Unlock()
		if n >= calls {
			return
		}
		Sleep(10 * time.Millisecond)
	}
}

// over returns by how many calls the starts were ahead of the tokens, at the worst moment. The first token comes LearnTime
// after the beginning.
func over(starts []time.Duration) (most float64) {
	for i, at := range starts {
		most = max(most, float64(i+1)-comes(at-bucket.LearnTime))
	}
	return most
}

// OverPause returns by how many calls the starts were ahead of the tokens, at the worst moment, of a Redis that stops
// selling and sells again later. Before it stops, each server may have sold a burst, and the tokens that come within ahead.
func OverPause(starts []time.Duration, stops, sells time.Duration, servers int, ahead time.Duration) (most float64) {
	before := comes(stops-bucket.LearnTime) + float64(servers)*(comes(ahead)+float64(fleetLimit.Capacity))
	for i, at := range starts {
		most = max(most, float64(i+1)-before-comes(at-sells))
	}
	return most
}

// comes returns how many tokens come in a time.
func comes(d time.Duration) float64 {
	return max(0, float64(fleetLimit.Refill)*float64(d)/float64(fleetLimit.Per))
}

// ahead is how far ahead schedulers buy under faults.
const ahead = 200 * time.Millisecond

// UnderFault lets schedulers with the given stores share a budget while a fault happens. It checks that calls are never
// ahead of the tokens, that they go on, and that Redis begins with an empty bucket if the fault calls Loses.
func UnderFault(t testing.TB, stores []bucket.Store, fault func(*Fleet)) {
	t.Helper()
	f := NewFleet(t, ahead, stores...)
	f.Await(200, 0)
	before := f.Now()
	fault(f)
	after := f.Now()
	f.Await(600, after) // some of them may have tokens that were sold before
	calls := f.Close()

	first, _ := slices.BinarySearch(calls, before)
	last, _ := slices.BinarySearch(calls, after)
	t.Logf("%d calls before, %d in the %v of the fault, %d after; %.1f over", first, last-first, after-before, len(calls)-last, over(calls))
	require.Zero(t, over(calls))
	if f.losses > 0 { // a new budget learns
		require.Zero(t, OverPause(calls, f.afterLoss, f.beforeLoss+bucket.LearnTime, f.losses, ahead))
	}
}

// Sleep waits.
func Sleep(d time.Duration) { <-clock.Plain().NewTimer(d).C() }
