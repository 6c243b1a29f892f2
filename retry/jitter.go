package retry

import (
	"math/bits"
	"time"
)

// The purposes of a random number. A backoff and a server wait of the same attempt must not use the
// same number.
const (
	forBackoff uint64 = iota
	forServer
)

// jittered returns d with jitter, for a policy with its defaults filled in.
//
// Every nanosecond of [d-width, d+width] is equally likely. A result above Max is reflected to below
// Max, which keeps results spread. Cutting them off would make them all equal to Max.
func (p *Policy) jittered(d time.Duration, random uint64) time.Duration {
	mid, limit := uint64(d), uint64(p.Max)
	switch {
	case p.FullJitter:
		return time.Duration(upTo(mid, random))
	case p.Jitter == None:
		return d
	}
	width := min(uint64(float64(d)*p.Jitter), mid) // the product of a huge d may be rounded above d
	moved := mid - width + upTo(2*width, random)
	if moved > limit {
		moved = 2*limit - moved
	}
	return time.Duration(moved)
}

// random returns a hash of its arguments and the seed, 64 evenly distributed bits. Different arguments
// give unrelated results. There is no generator with a state, so the order of calls does not matter.
func (p *Policy) random(purpose, call uint64, attempt int) uint64 {
	h := mix(p.Seed + golden)
	h = mix(h + golden*call)
	return mix(h + golden*(2*uint64(max(attempt, 1))+purpose))
}

// golden is the step of splitmix64 from one state to the next, 2^64 divided by the golden ratio.
const golden = 0x9e3779b97f4a7c15

// mix computes the output function of splitmix64 with the constants of Stafford's variant 13. See
// Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators" (OOPSLA 2014).
func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// upTo maps 64 random bits evenly to 0 to n inclusive, by Lemire's multiplication. The bias is below
// (n+1)/2^64. n must be below the largest uint64.
func upTo(n, random uint64) uint64 {
	high, _ := bits.Mul64(random, n+1)
	return high
}
