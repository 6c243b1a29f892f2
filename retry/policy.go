package retry

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// None turns a field of [Policy] off, where zero means its default: no retries, no jitter, or
// no server wait accepted.
const None = -1

// The defaults of a [Policy], field by field.
const (
	defaultMaxRetries    = 5
	defaultInitial       = time.Second
	defaultMax           = time.Minute
	defaultMultiplier    = 2
	defaultJitter        = 0.1
	defaultMaxServerWait = 2 * time.Minute
)

// Policy says how often a call is retried and how long it waits in between. The zero Policy is
// the default: 5 retries, after about 1, 2, 4, 8 and 16 seconds.
//
// A Policy is a comparable value and holds no state: one may serve any number of calls at once. Its
// methods expect one that [Policy.Validate] accepts; of another they promise only not to panic.
type Policy struct {
	// MaxRetries is the number of retries after the first attempt. Zero means 5; None means that
	// the first attempt is the only one.
	MaxRetries int

	// Initial is the wait before the first retry. Zero means 1 s, or Max if that is shorter.
	Initial time.Duration

	// Max is the longest wait before a retry, jitter included. It does not bound what a server asks
	// for: see MaxServerWait. Zero means 60 s, or Initial if that is longer.
	Max time.Duration

	// Multiplier is the growth of the wait from one retry to the next, 1 or more. Zero means 2.
	Multiplier float64

	// Jitter is the part of each wait, from 0 to 1, by which chance makes it longer or shorter: at
	// 0.1, a wait of 10 s becomes 9 to 11 s. Zero means 0.1; None means no jitter.
	Jitter float64

	// FullJitter draws each wait between zero and the whole backoff instead. It takes the place
	// of Jitter, which must then be left at zero (or None). It spreads calls the widest, and some
	// retries come at once. From: AWS Architecture Blog, "Exponential Backoff And Jitter".
	FullJitter bool

	// MaxServerWait is the longest wait that is accepted from a server (Retry-After). A call that is told to
	// wait longer ends with a [WaitTooLongError], and a scheduler holds its other calls for MaxServerWait. The spread of [Policy.ServerWait] comes on
	// top. Zero means 2 minutes; None accepts no server wait, so that any ends the call.
	MaxServerWait time.Duration

	// Seed picks the sequence of jitter. Processes that should not retry in step want different seeds; a
	// replay wants the same one. Zero is a seed like any other.
	Seed uint64
}

// WithDefaults returns p with every zero field replaced by what it stands for. None stays None, and
// full jitter makes Jitter None; Seed is as it was. To apply it twice changes nothing.
func (p Policy) WithDefaults() Policy {
	p.fill()
	return p
}

// fill is WithDefaults in place: the methods that are called for every attempt fill in their own copy.
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

// Attempts is the most attempts that a call may make: the first and every retry. It is never
// below 1, and saturates at the largest int.
func (p Policy) Attempts() int {
	p.fill()
	retries := p.retries()
	if retries == math.MaxInt {
		return retries
	}
	return retries + 1
}

// retries is MaxRetries as a count. It expects p to have its defaults.
func (p *Policy) retries() int { return max(p.MaxRetries, 0) }

// String describes the policy with its defaults filled in, such as "5 retries, 1s to 1m0s ×2 ±10%,
// server waits up to 2m0s".
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
	if p.Seed != 0 {
		fmt.Fprintf(&b, ", seed %d", p.Seed)
	}
	return b.String()
}
