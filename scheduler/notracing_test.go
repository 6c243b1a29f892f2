//go:build !race

package scheduler_test

// racing is whether the race detector is on, which makes everything slow.
const racing = false
