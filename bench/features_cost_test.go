package main

import (
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"example.com/fairlead/clock"
)

// counted is the system's clock, and counts how often it is asked.
type counted struct {
	system clock.Clock
	reads  atomic.Int64
}

func (c *counted) Now() time.Time {
	c.reads.Add(1)
	return c.system.Now()
}

func (c *counted) NewTimer(d time.Duration) clock.Timer { return c.system.NewTimer(d) }

// readsPerCall returns how often the clock is read for each of some calls, one after the other.
// A scheduler reads it when its owner has been told something, and not in the fast path.
func readsPerCall(t *testing.T, f feature) float64 {
	t.Helper()
	const calls = 20_000
	c := &counted{system: clock.System()}
	call := f.open(c)
	for range 100 { // the fast path opens
		call()
	}
	before := c.reads.Load()
	if failed := repeat(calls, call); failed > 0 {
		t.Errorf("%s: %d of %d calls failed", f.name, failed, calls)
	}
	return float64(c.reads.Load()-before) / calls
}

// TestFeaturesTakeTheirPath: what the tables say of the owner is about calls that it hears of, and
// what they say of a configuration about calls that it does not hear of.
func TestFeaturesTakeTheirPath(t *testing.T) {
	for _, f := range configured {
		if reads := readsPerCall(t, f); reads > 0.2 {
			t.Errorf("%s: goes to the owner: the clock is read %.2f times a call", f.name, reads)
		}
	}
	for _, f := range owned {
		if reads := readsPerCall(t, f); reads < 1 {
			t.Errorf("%s: does not go to the owner: the clock is read %.2f times a call", f.name, reads)
		}
	}
	for _, f := range optional { // they may go either way
		readsPerCall(t, f)
	}
}

// TestFeaturesHaveNames: a job is told by the name of its feature.
func TestFeaturesHaveNames(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range slices.Concat(configured, optional, owned) {
		if seen[f.name] {
			t.Errorf("two features are named %q", f.name)
		}
		seen[f.name] = true
	}
}
