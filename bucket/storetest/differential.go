// Package storetest helps to test what shares a budget between processes, as testing/fstest helps with file systems.
// [Differential] tests a [bucket.Store] of your own. [Memory] is a Store for tests of programs that use one.
//
// # Two schedulers in a test
//
// Give both the same Memory, which reads the clock of the test. Run the test in a bubble of testing/synctest, with
// clocktest.Run or with time.Now as the clock, and wait for [bucket.LearnTime] before the first calls are granted.
// Asks of the same instant are answered in any order. So make the second scheduler a millisecond after the first, and
// each run gives the same result.
package storetest

import (
	"testing"

	"example.com/fairlead/bucket"
)

// Differential draws steps asks of several processes, gives them to a store and to [bucket.Shared], and fails the test
// at the first answer that differs, with all that is needed to see why. The same seed draws the same asks. They are
// those of processes, networks and clocks that fail in many ways: asks that come twice or late, tokens given back of
// an earlier epoch, processes that are silent for long, stores that restart, clocks that are set back, limits so large
// that a store can just count.
//
// The function exchange is the store's Exchange, with the clock and the life of the store as arguments, like those of
// [bucket.Shared.Exchange]. It begins with a store that knows nothing. So give each seed a budget of its own:
//
//	for seed := range uint64(100) {
//		budget := newBudget(t)
//		storetest.Differential(t, seed, 1000, budget.exchangeAt)
//	}
func Differential(t testing.TB, seed uint64, steps int, exchange func(run string, now int64, a bucket.Ask) (bucket.Answer, error)) {
	t.Helper()
	var reference bucket.Shared
	f := newFleet(seed)
	for step := range steps {
		p, a := f.draw()
		want := reference.Exchange(f.run, f.now, a)
		got, err := exchange(f.run, f.now, a)
		if err != nil || got != want {
			t.Fatalf("storetest: seed %d, step %d, run %q, %d µs by the store's clock\nask    %+v\nanswer %+v, error %v\nwant   %+v",
				seed, step, f.run, f.now, a, got, err, want)
		}
		f.note(p, a, want)
	}
}
