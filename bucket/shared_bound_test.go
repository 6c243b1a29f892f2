package bucket_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/fairlead/bucket"
)

// TestSharedFleetBound: whatever happens to the network and to the store, processes spend no more than the limit, since
// the budget has begun and in any window.
func TestSharedFleetBound(t *testing.T) {
	var spent, most float64
	for seed := range uint64(25) {
		f := newFleet(t, seed)
		rate := float64(f.limit.Refill) / 1e6
		least := math.Inf(1) // of all windows that have begun, what may be spent by the origin of time
		for range 3000 {
			f.tick()
			if f.spent == 0 {
				continue
			}
			require.LessOrEqual(t, float64(f.spent), rate*float64(f.now-f.begins), "seed %d", seed)
			require.LessOrEqual(t, float64(f.spent)-rate*float64(f.now), least+1+1e-3, "seed %d", seed)
			least = min(least, float64(f.spent)-rate*float64(f.now)+float64(f.atHand()))
		}
		spent += float64(f.spent)
		most += rate * float64(f.now-f.begins)
	}
	require.Greater(t, spent, most/3, "the fleet is busy")
}

// atHand returns how many tokens are in the bucket, in the hands of processes, and on their way between the two.
func (f *fleet) atHand() (n int64) {
	probe := bucket.Ask{Process: "probe", Seq: 1, Limit: f.limit}
	n = max(0, f.exchange(f.store.Clone(), probe).Level)
	for _, p := range f.processes {
		n += int64(len(p.tokens))
		if p.open {
			n += p.ask.Back + p.sold
		}
	}
	return n
}
