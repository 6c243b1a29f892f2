//go:build !race

package scheduler_test

// poolLoses is how many allocations a call may need because the collector emptied a sync.Pool.
const poolLoses = 0.5

// racing is whether the race detector is on, which makes everything slow.
const racing = false
