//go:build !race

package scheduler_test

// poolLoses is what the collector may take out of a sync.Pool.
const poolLoses = 0.5

// racing is whether the race detector is on, which makes everything slow.
const racing = false
