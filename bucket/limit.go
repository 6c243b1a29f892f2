package bucket

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// The default limit: what the zero [Limit] stands for.
const (
	DefaultCapacity = 1000
	DefaultRefill   = 100
	DefaultPer      = time.Minute
)

// Limit says how fast a bucket refills and how much it can hold.
//
// The zero Limit means the default (100 tokens a minute, capacity 1000), not "nothing allowed":
// code that computes a Limit must not produce one by accident. In any other Limit every number
// must be positive. Limits are comparable with ==.
type Limit struct {
	// Capacity is the most tokens the bucket ever holds: the largest burst, and
	// the largest cost that a single call may have.
	Capacity int64 `json:"capacity"`

	// Refill tokens arrive every Per, evenly: one every Per/Refill. In JSON, Per is
	// in nanoseconds.
	Refill int64         `json:"refill"`
	Per    time.Duration `json:"per"`

	// Strict is for a server that counts requests in windows of time. A scheduler counts the
	// tokens of a strict limit as spent when it hands them over. So even if the process stalls,
	// no window gets more than the limit says. Without Strict a scheduler makes up for a
	// hand-over that is up to 25 ms late. A [Bucket] ignores Strict. [Window] sets it.
	Strict bool `json:"strict,omitzero"`
}

// PerSecond is n tokens a second with a capacity of n.
func PerSecond(n int64) Limit { return Per(n, time.Second) }

// PerMinute is n tokens a minute with a capacity of n.
func PerMinute(n int64) Limit { return Per(n, time.Minute) }

// Per is n tokens every per, evenly spread, with a capacity of n.
//
// A bucket that starts full lets its capacity go at once and refills meanwhile,
// so up to 2n tokens can pass within the first per. That is what a token bucket
// is; for a server that counts requests in windows of time, use [Window].
func Per(n int64, per time.Duration) Limit {
	return Limit{Capacity: n, Refill: n, Per: per}
}

// Burst returns the limit with another capacity and the same rate.
func (l Limit) Burst(capacity int64) Limit {
	l.Capacity = capacity
	return l
}

// Window is a limit for servers that count windows of time: never more than n
// tokens in any window of length per, wherever the window starts, of which at
// most burst (from 1 to n) at one instant. A larger burst starts faster and
// then refills more slowly.
//
// A bucket of capacity c grants, within any closed window of length w, fewer than
// c + rate·(w + 1ns) tokens. With c = burst and a rate of n−burst+1 every per + 1ns,
// that is fewer than n + 1.
//
// A scheduler keeps that promise for what it hands over, also after a stall, because the limit
// is [Limit.Strict]. The price is a lower rate for a caller that asks again as soon as it was
// served. A burst of 2 or more avoids that.
func Window(n int64, per time.Duration, burst int64) Limit {
	refill := n - burst + 1
	if burst > n {
		refill = -1 // invalid, and the difference might have overflowed
	}
	if 0 < per && per < math.MaxInt64 {
		per++ // a per that is invalid stays so
	}
	return Limit{Capacity: burst, Refill: refill, Per: per, Strict: true}
}

// WithDefaults returns the default limit for the zero Limit, and any other as it is.
func (l Limit) WithDefaults() Limit {
	if l == (Limit{}) {
		return Limit{Capacity: DefaultCapacity, Refill: DefaultRefill, Per: DefaultPer}
	}
	return l
}

// Validate returns nil for the zero Limit and for one whose fields are all
// positive; otherwise it joins one error for each field at fault.
func (l Limit) Validate() error {
	l = l.WithDefaults()
	var faults []error
	if l.Capacity < 1 {
		faults = append(faults, fmt.Errorf("bucket: limit's Capacity is %d: it must be at least 1", l.Capacity))
	}
	if l.Refill < 1 {
		faults = append(faults, fmt.Errorf("bucket: limit's Refill is %d: it must be at least 1 token every Per (a Window needs a burst from 1 to n)", l.Refill))
	}
	if l.Per < 1 {
		faults = append(faults, fmt.Errorf("bucket: limit's Per is %v: it must be a positive duration", l.Per))
	}
	return errors.Join(faults...)
}

// Limits are several limits by name, for calls that pay from each of them, such as
// "requests" and "tokens".
type Limits map[string]Limit

// CheckCost returns a [*CostError] if no bucket with this limit could ever
// grant n tokens at once: n is negative or above the capacity.
func (l Limit) CheckCost(n int64) error {
	if capacity := l.WithDefaults().Capacity; n < 0 || n > capacity {
		return &CostError{Cost: n, Capacity: capacity}
	}
	return nil
}

// String returns text like "100 per 1m0s, capacity 1000". The text of a strict limit ends in ",
// strict".
func (l Limit) String() string {
	l = l.WithDefaults()
	s := fmt.Sprintf("%d per %v, capacity %d", l.Refill, l.Per, l.Capacity)
	if l.Strict {
		s += ", strict"
	}
	return s
}

// CostError says that a cost can never be granted.
type CostError struct {
	Budget   string // its name, if it has one
	Cost     int64  // what was asked for, in tokens
	Capacity int64  // the most that can be had at once
}

func (e *CostError) Error() string {
	of := ""
	if e.Budget != "" {
		of = fmt.Sprintf(" of %q", e.Budget)
	}
	if e.Cost < 0 {
		return fmt.Sprintf("cost %d%s is negative: a call costs 0 tokens or more", e.Cost, of)
	}
	return fmt.Sprintf("cost %d%s is above the capacity of %d tokens and could never be granted: split the call or raise the limit's Capacity", e.Cost, of, e.Capacity)
}
