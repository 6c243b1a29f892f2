package core

import (
	"flag"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var (
	fleetSeed    = flag.Uint64("fleet.seed", 0, "the seed of the first run; 0 draws one at random")
	fleetSeconds = flag.Int("fleet.seconds", 500, "how many seconds of fleets are simulated")
)

// TestFleet simulates fleets with random faults, and checks that they never spend more than the shared budget has,
// and that no call waits for good.
//
// A failure prints its seed. make fleet SEED=… SECONDS=1 replays it.
func TestFleet(t *testing.T) {
	seed := *fleetSeed
	for seed == 0 {
		seed = rand.Uint64() >> 32
	}
	start, simulated, runs, granted, asked := time.Now(), time.Duration(0), 0, uint64(0), uint64(0)
	for ; simulated < time.Duration(*fleetSeconds)*time.Second; runs++ {
		f := newFleet(seed + uint64(runs))
		f.run()
		simulated += f.p.length
		granted += f.check.calls
		asked += f.store.asked
		if f.failed != nil {
			t.Fatalf("%s: %s\nreplay it: make fleet SEED=%d SECONDS=1\n\nthe last that happened:\n%s", f.failed.rule, f.failed.seen, f.seed, lastOf(f.seed))
		}
	}
	t.Logf("%d runs from seed %d, %v simulated in %v: %d grants, %d exchanges", runs, seed, simulated, time.Since(start).Round(time.Millisecond), granted, asked)
}

// lastOf returns the last that happens in the run of a seed.
func lastOf(seed uint64) string {
	f := newFleet(seed)
	f.log, f.states = []string{}, true
	f.run()
	return strings.Join(f.log[max(0, len(f.log)-30):], "\n")
}

// TestFleetWokenTooOften checks that a core that is advanced and asked more often than it has to be does the same, at
// the same instants (D2).
func TestFleetWokenTooOften(t *testing.T) {
	for seed := range uint64(15) {
		logs := [2][]string{}
		for i := range logs {
			f := newFleet(seed)
			f.log, f.p.late = []string{}, 0
			if i == 1 {
				f.extra = rand.New(rand.NewPCG(seed, 2))
			}
			f.run()
			require.Nil(t, f.failed)
			logs[i] = f.log
		}
		for i := range min(len(logs[0]), len(logs[1])) {
			require.Equal(t, logs[0][i], logs[1][i], "seed %d, line %d, after %s", seed, i, logs[0][max(0, i-1)])
		}
		require.Len(t, logs[1], len(logs[0]), "seed %d", seed)
	}
}
