package core

import (
	"flag"
	"math/rand/v2"
	"testing"
	"time"
)

var soakFor = flag.Duration("soak.for", time.Second, "how long the soak test lasts; 0 runs it until stopped")

// TestSoak simulates runs with the model, each from a random seed, until its time is over.
func TestSoak(t *testing.T) {
	start, moves, logged := time.Now(), 0, time.Now()
	for *soakFor == 0 || time.Since(start) < *soakFor {
		s := newSim(rand.Uint64()>>32, true)
		moves += s.run()
		if s.failure != nil {
			t.Fatal(explain(t, s, func() *sim { return newSim(s.seed, true) }))
		}
		if time.Since(logged) > 10*time.Second {
			logged = time.Now()
			t.Logf("%8s: %d simulated moves", time.Since(start).Round(time.Second), moves)
		}
	}
}
