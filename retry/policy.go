package retry

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// None disables a field of [Policy] for which zero means the default. It stands for no retries, no
// jitter, or no server wait accepted.
const None = -1

// The defaults of a [Policy].
const (
	defaultMaxRetries    = 5
	defaultInitial       = time.Second
	defaultMax           = time.Minute
	defaultMultiplier    = 2
	defaultJitter        = 0.1
	defaultMaxServerWait = 2 * time.Minute
)

// Policy says how often a call is retried and how long it waits in between. The zero Policy is the
// default, 5 retries after about 1, 2, 4, 8 and 16 seconds.
//
// A Policy is a comparable value without state, so many calls may use one at once. Its methods expect a
// policy that [Policy.Validate] accepts. With another they do not panic, but their results may make no
// sense.
type Policy struct {
	// MaxRetries is the number of retries after the first attempt. Zero means 5, and None means no
	// retries.
	MaxRetries int

	// Initial is the wait before the first retry. Zero means 1 s, or Max if that is shorter.
	Initial time.Duration

	// Max is the longest wait before a retry, jitter included. It does not limit a server's wait;
	// MaxServerWait does. Zero means 60 s, or Initial if that is longer.
	Max time.Duration

	// Multiplier is the factor by which the wait grows from one retry to the next. It is 1 or more.
	// Zero means 2.
	Multiplier float64

	// Jitter is the fraction of each wait, from 0 to 1, by which it is randomly longer or shorter. At
	// 0.1, a wait of 10 s becomes 9 to 11 s. Zero means 0.1, and None means no jitter.
	Jitter float64

	// FullJitter replaces Jitter, which must then be zero or None. Each wait is random between zero
	// and the whole backoff. That spreads calls the most, and some retries come at once. See AWS
	// Architecture Blog, "Exponential Backoff And Jitter".
	FullJitter bool

	// MaxServerWait is the longest wait that is accepted from a server (Retry-After). If a server asks
	// for a longer one, the call ends with a [WaitTooLongError], and a scheduler holds its other calls
	// for MaxServerWait. The jitter of [Policy.ServerWait] is added to an accepted wait. Zero means 2
	// minutes. None accepts no wait, so any server's wait ends the call.
	MaxServerWait time.Duration

	// MaxElapsed is the longest time from the beginning of a call's first attempt to the beginning of
	// its last. If the next attempt would begin later, because of its delay, of the queue or of a
	// server's wait, the call ends with an [ExhaustedError]. An attempt that runs is not cut short.
	// Zero means no limit. The scheduler applies it; the methods of Policy do not.
	MaxElapsed time.Duration

	// Seed selects the jitter. Use different seeds for processes that should not retry at the same
	// times, and the same seed for a replay. Zero is a seed like any other.
	Seed uint64
}

// WithDefaults returns p with each zero field set to its default. None stays None, and MaxElapsed and
// Seed do not change. With FullJitter, a zero Jitter becomes None.
func (p Policy) WithDefaults() Policy {
	p.fill()
	return p
}

// fill sets each zero field to its default, as WithDefaults does.
func (p *Policy) fill() {
	if p.MaxRetries == 0 {
		p.MaxRetries = defaultMaxRetries
	}
	if p.Initial == 0 {
		p.Initial = defaultInitial
		if p.Max > 0 {
			p.Initial = min(p.Initial, p.Max)
		}
	}
	if p.Max == 0 {
		p.Max = max(defaultMax, p.Initial)
	}
	if p.Multiplier == 0 {
		p.Multiplier = defaultMultiplier
	}
	if p.Jitter == 0 {
		p.Jitter = defaultJitter
		if p.FullJitter {
			p.Jitter = None
		}
	}
	if p.MaxServerWait == 0 {
		p.MaxServerWait = defaultMaxServerWait
	}
}

// Attempts returns the most attempts that a call may make, which are the first one and all retries. It
// is at least 1 and saturates at the largest int.
func (p Policy) Attempts() int {
	p.fill()
	retries := p.retries()
	if retries == math.MaxInt {
		return retries
	}
	return retries + 1
}

// retries returns the number of retries, for a policy with its defaults filled in.
func (p *Policy) retries() int { return max(p.MaxRetries, 0) }

// String returns a text such as "5 retries, 1s to 1m0s ×2 ±10%, server waits up to 2m0s".
func (p Policy) String() string {
	p.fill()
	var b strings.Builder
	switch p.retries() {
	case 0:
		return "no retries"
	case 1:
		b.WriteString("1 retry")
	default:
		fmt.Fprintf(&b, "%d retries", p.MaxRetries)
	}
	fmt.Fprintf(&b, ", %v to %v ×%v", p.Initial, p.Max, p.Multiplier)
	switch {
	case p.FullJitter:
		b.WriteString(" with full jitter")
	case p.Jitter > 0:
		fmt.Fprintf(&b, " ±%.3g%%", p.Jitter*100)
	}
	if p.MaxServerWait > 0 {
		fmt.Fprintf(&b, ", server waits up to %v", p.MaxServerWait)
	} else {
		b.WriteString(", no server waits")
	}
	if p.MaxElapsed > 0 {
		fmt.Fprintf(&b, ", the last within %v", p.MaxElapsed)
	}
	if p.Seed != 0 {
		fmt.Fprintf(&b, ", seed %d", p.Seed)
	}
	return b.String()
}
