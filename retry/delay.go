package retry

import (
	"math"
	"math/bits"
	"time"
)

// Delay returns the wait of a call after a failed attempt. The first attempt is 1. The wait is
//
//	min(Initial·Multiplier^(attempt-1), Max), then jitter
//
// and is never negative nor above Max. A wait that jitter would lift above Max is reflected at Max, so
// that waits do not pile up there. The wait depends only on the policy, call and attempt. No attempt is
// too large, and one below 1 counts as 1.
func (p Policy) Delay(call uint64, attempt int) time.Duration {
	p.fill()
	return p.delay(call, attempt)
}

// delay does the work of Delay, for a policy with its defaults filled in.
func (p *Policy) delay(call uint64, attempt int) time.Duration {
	return p.jittered(p.backoff(attempt), p.random(forBackoff, call, attempt))
}

// maxServerSpread is the most that [Policy.ServerWait] adds to the server's wait.
const maxServerSpread = 5 * time.Second

// ServerWait returns the wait of a call after a failed attempt if the server asked to wait d. It is d
// plus a random part of up to d/10 or 5 s, whichever is shorter. Jitter is only added, so a call never
// comes sooner than the server asked for. It spreads calls that were told the same wait, so that they
// do not come back as a thundering herd. ServerWait saturates at the longest duration. If d is zero or
// less, it returns zero.
//
// Servers ask for such waits by Retry-After (RFC 9110, section 10.2.3).
func (p Policy) ServerWait(call uint64, attempt int, d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	spread := min(d/10, maxServerSpread)
	return plus(d, time.Duration(upTo(uint64(spread), p.random(forServer, call, attempt))))
}

// backoff returns the delay before jitter, for a policy with its defaults filled in.
//
// It squares the factor, so it takes at most 63 steps. It stops at Max, so the float may become +Inf,
// but it is compared with Max before it is converted to an integer (H41). The float64 conversions
// prevent fused operations, which some machines round differently.
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

// maxTerms is how many different delays TotalWait adds up.
const maxTerms = 1 << 16

// TotalWait returns the sum of the delays of the given number of retries, without jitter. That is how
// long a call waits between its attempts if all of them fail. It ignores MaxElapsed and
// MaxRetries, so pass p.Attempts()-1 for the whole policy. It saturates at the longest duration.
//
// The sum is exact if the delay reaches Max, or the retries end, within 65,536 retries. Otherwise it is
// a lower bound, in which the delay does not grow any more after that.
func (p Policy) TotalWait(retries int) time.Duration {
	p.fill()
	var total time.Duration
	for attempt := 1; attempt <= retries; attempt++ {
		d := p.backoff(attempt)
		if d >= p.Max || p.Multiplier == 1 || attempt == maxTerms {
			return plus(total, times(d, retries-attempt+1))
		}
		total = plus(total, d)
	}
	return total
}

// plus adds two durations that are not negative. It saturates.
func plus(a, b time.Duration) time.Duration {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

// times returns n times a duration that is not negative, or zero if n is negative. It saturates.
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
