//go:build race

package scheduler_test

// poolLoses is how many allocations a call may cost because, with the race detector on,
// a sync.Pool loses things at random.
const poolLoses = 2.5

// racing is whether the race detector is on, which makes everything slow.
const racing = true
