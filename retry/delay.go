package retry

import (
	"math"
	"math/bits"
	"sort"
	"time"
)

// Delay is the wait after the attempt-th attempt, the first being 1, of a call has failed:
//
//	min(Initial·Multiplier^(attempt-1), Max), then jitter
//
// It is never negative and never above Max: what jitter would lift above Max is reflected at Max, so that
// delays do not gather there. It depends on the policy, call and attempt alone. No attempt,
// however large, overflows; one below 1 counts as 1.
func (p Policy) Delay(call uint64, attempt int) time.Duration {
	p.fill()
	return p.delay(call, attempt)
}

// delay is Delay. It expects p to have its defaults.
func (p *Policy) delay(call uint64, attempt int) time.Duration {
	return p.jittered(p.backoff(attempt), p.random(forBackoff, call, attempt))
}

// maxServerSpread is the most by which [Policy.ServerWait] comes after the instant the server named.
const maxServerSpread = 5 * time.Second

// ServerWait is the wait after a failed attempt when the server asked for a wait of d: d itself plus an
// even draw from zero to d/10 or 5 s, whichever is shorter. The draw is only ever added, so
// the server is never undercut, and calls that were all told the same do not come back all at once.
// It saturates at the longest duration; a d of zero or less asks for nothing and gives zero.
//
// Servers state such waits by RFC 9110, section 10.2.3, "Retry-After".
func (p Policy) ServerWait(call uint64, attempt int, d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	spread := min(d/10, maxServerSpread)
	return plus(d, time.Duration(upTo(uint64(spread), p.random(forServer, call, attempt))))
}

// backoff is the delay before jitter. It expects p to have its defaults.
//
// The power is taken by squaring: at most 63 steps, and none after the cap is reached, so the
// float may become +Inf but is never converted before it was compared with the cap. The
// float64 conversions forbid fused operations, which would round differently on some machines.
func (p *Policy) backoff(attempt int) time.Duration {
	if attempt <= 1 || p.Multiplier == 1 {
		return min(p.Initial, p.Max)
	}
	delay, limit := float64(p.Initial), float64(p.Max)
	factor := p.Multiplier
	for n := attempt - 1; n > 0 && delay < limit; n >>= 1 {
		if n&1 == 1 {
			delay = float64(delay * factor)
		}
		factor = float64(factor * factor)
	}
	if delay < limit {
		return time.Duration(delay)
	}
	return p.Max
}

// exactTerms is how many delays TotalWait adds up one by one before it turns to a formula.
const exactTerms = 1024

// TotalWait is the sum of the first retries delays without jitter: what a call waits, between attempts, if every
// one of them fails. It saturates at the longest duration. It asks nothing of MaxRetries: pass
// p.Attempts()-1 for the whole policy. None or fewer retries wait zero.
//
// The sum is exact to the nanosecond if Max is reached within 1024 retries, as it is by any
// but the slowest growth; what still grows after that is added by the formula of the geometric series.
func (p Policy) TotalWait(retries int) time.Duration {
	p.fill()
	if p.Multiplier == 1 {
		return times(p.backoff(1), retries)
	}
	var total time.Duration
	next := 1 // the first delay that is not in total
	for ; next <= min(retries, exactTerms) && p.backoff(next) < p.Max; next++ {
		total = plus(total, p.backoff(next))
	}
	if next > retries {
		return total
	}
	left := retries - next + 1
	growing := sort.Search(left, func(i int) bool { return p.backoff(next+i) >= p.Max })
	if growing > 0 {
		first, last := p.backoff(next), p.backoff(next+growing-1)
		total = plus(total, p.geometric(first, last))
	}
	return plus(total, times(p.Max, left-growing))
}

// geometric is the sum of the growing delays from first to last.
func (p *Policy) geometric(first, last time.Duration) time.Duration {
	grown := float64(float64(last) * p.Multiplier)
	sum := float64(grown-float64(first)) / (p.Multiplier - 1)
	if sum < math.MaxInt64 {
		return time.Duration(sum)
	}
	return math.MaxInt64
}

// plus adds two durations that are not negative, saturating.
func plus(a, b time.Duration) time.Duration {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

// times is n times a duration that is not negative, saturating. No times is zero.
func times(d time.Duration, n int) time.Duration {
	if n <= 0 {
		return 0
	}
	high, low := bits.Mul64(uint64(d), uint64(n))
	if high != 0 || low > math.MaxInt64 {
		return math.MaxInt64
	}
	return time.Duration(low)
}
