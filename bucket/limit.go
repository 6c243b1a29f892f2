package bucket

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// The default limit, which the zero [Limit] means.
const (
	DefaultCapacity = 1000
	DefaultRefill   = 100
	DefaultPer      = time.Minute
)

// Limit is the rate at which a bucket refills and the number of tokens that it can hold.
//
// The zero Limit means the default (100 tokens a minute, capacity 1000), not "nothing allowed":
// code that computes a Limit must not produce one by accident. For no limit there is [Unlimited]. In
// any other Limit every number must be positive, except that Refill and Per are 0 with a Reset. Limits
// are comparable with ==.
type Limit struct {
	// Capacity is the most tokens that the bucket holds. It is the largest burst, and the largest
	// cost of a single call.
	Capacity int64 `json:"capacity"`

	// Refill tokens arrive every Per, evenly spread. In JSON, Per is in nanoseconds.
	Refill int64         `json:"refill"`
	Per    time.Duration `json:"per"`

	// Strict is for a server that counts requests in windows of time. With Strict, a scheduler
	// counts tokens as spent when the call starts, so no window gets more than the limit allows
	// even if the process stalls. Without it, a scheduler makes up for a start that is up to 25 ms
	// late. A [Bucket] ignores Strict. [Window] sets it.
	Strict bool `json:"strict,omitzero"`

	// Reset, if not zero, makes the tokens come all at once, as with a quota for each calendar day.
	// [Quota], [Daily], [Monthly] and [Every] set it.
	Reset Reset `json:"reset,omitzero"`
}

// Unlimited is a limit that no call has to wait for, for a scheduler that only retries or only caps
// what runs at once. It is a bucket so large and so fast that its tokens don't run out.
var Unlimited = Limit{Capacity: 1e15, Refill: 1e15, Per: time.Nanosecond}

// PerSecond returns a limit of n tokens a second with a capacity of n.
func PerSecond(n int64) Limit { return Per(n, time.Second) }

// PerMinute returns a limit of n tokens a minute with a capacity of n.
func PerMinute(n int64) Limit { return Per(n, time.Minute) }

// Per returns a limit of n tokens every per, evenly spread, with a capacity of n.
//
// A full bucket grants its capacity at once and refills meanwhile, so up to 2n tokens can be granted
// within the first per. Every token bucket does so. For a server that counts requests in windows of
// time, use [Window].
func Per(n int64, per time.Duration) Limit {
	return Limit{Capacity: n, Refill: n, Per: per}
}

// Burst returns the limit with the same rate and the given capacity.
func (l Limit) Burst(capacity int64) Limit {
	l.Capacity = capacity
	return l
}

// Window returns a limit for a server that counts requests in windows of time. It grants at most n
// tokens in any window of length per, wherever the window starts, and at most burst of them at once.
// The burst must be from 1 to n. A larger burst starts faster and then refills more slowly.
//
// A bucket of capacity c grants, within any closed window of length w, fewer than
// c + rate·(w + 1ns) tokens. With c = burst and a rate of n−burst+1 every per + 1ns,
// that is fewer than n + 1.
//
// The limit is [Limit.Strict], so a scheduler keeps it after a stall too. The price is a lower rate
// for a caller that asks again as soon as it got its token. A burst of 2 or more avoids that.
func Window(n int64, per time.Duration, burst int64) Limit {
	refill := n - burst + 1
	if burst > n {
		refill = -1 // invalid; the difference might have overflowed
	}
	if 0 < per && per < math.MaxInt64 {
		per++ // an invalid per stays invalid
	}
	return Limit{Capacity: burst, Refill: refill, Per: per, Strict: true}
}

// WithDefaults returns the default limit for the zero Limit, and any other limit unchanged.
func (l Limit) WithDefaults() Limit {
	if l == (Limit{}) {
		return Limit{Capacity: DefaultCapacity, Refill: DefaultRefill, Per: DefaultPer}
	}
	return l
}

// Validate returns nil for the zero Limit, for a limit whose numbers are all positive, and for one with
// a capacity and a valid Reset. Otherwise it returns one error for each invalid field, joined.
func (l Limit) Validate() error {
	l = l.WithDefaults()
	var faults []error
	if l.Capacity < 1 {
		faults = append(faults, fmt.Errorf("bucket: limit's Capacity is %d: it must be at least 1", l.Capacity))
	}
	if l.Reset != (Reset{}) {
		if l.Refill != 0 || l.Per != 0 {
			faults = append(faults, fmt.Errorf("bucket: limit has a Reset, Refill %d and Per %v: the tokens come at the resets, so leave Refill and Per 0", l.Refill, l.Per))
		}
		return errors.Join(append(faults, l.Reset.validate())...)
	}
	if l.Refill < 1 {
		faults = append(faults, fmt.Errorf("bucket: limit's Refill is %d: it must be at least 1 token every Per (a Window needs a burst from 1 to n)", l.Refill))
	}
	if l.Per < 1 {
		faults = append(faults, fmt.Errorf("bucket: limit's Per is %v: it must be a positive duration", l.Per))
	}
	return errors.Join(faults...)
}

// Limits are several limits by name, such as "requests" and "tokens". A call pays from each of
// them.
type Limits map[string]Limit

// CheckCost returns a [*CostError] if n is negative or above the capacity. A bucket with this limit
// could never grant n tokens at once.
func (l Limit) CheckCost(n int64) error {
	if 0 <= n && n <= l.Capacity { // most often
		return nil
	}
	if capacity := l.WithDefaults().Capacity; n < 0 || n > capacity {
		return &CostError{Cost: n, Capacity: capacity}
	}
	return nil
}

// String returns a text such as "100 per 1m0s, capacity 1000", "91 per 1m0s, capacity 10, strict",
// "1000 at once every day at 00:00 UTC" or "unlimited".
func (l Limit) String() string {
	if l = l.WithDefaults(); l == Unlimited {
		return "unlimited"
	}
	s := fmt.Sprintf("%d per %v, capacity %d", l.Refill, l.Per, l.Capacity)
	if l.Reset != (Reset{}) {
		s = fmt.Sprintf("%d at once %v", l.Capacity, l.Reset)
	}
	if l.Strict {
		s += ", strict"
	}
	return s
}

// CostError is the error for a cost that can never be granted.
type CostError struct {
	Budget   string // the budget's name, if it has one
	Cost     int64  // the requested tokens
	Capacity int64  // the most tokens that can be granted at once
}

func (e *CostError) Error() string {
	of := ""
	if e.Budget != "" {
		of = fmt.Sprintf(" of %q", e.Budget)
	}
	if e.Cost < 0 {
		return fmt.Sprintf("bucket: cost %d%s is negative: a call costs 0 tokens or more", e.Cost, of)
	}
	s := fmt.Sprintf("bucket: cost %d%s is above the capacity of %d tokens and could never be granted: split the call or raise the limit's Capacity", e.Cost, of, e.Capacity)
	if e.Budget != "" {
		s += ", or give each budget a cost of its own by CostOf, since a Cost is paid from all of them"
	}
	return s
}

// Permanent returns true: a retry can't help. Package retry knows this method.
func (e *CostError) Permanent() bool { return true }
