package bucket

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Store keeps a budget that several processes share, for example in Redis. A process does not ask it
// for each call. In one exchange it buys the next tokens of the shared bucket, including some that come later, and
// spends each when it is valid. So all processes together keep the limit exactly, with few exchanges.
type Store interface {
	// Exchange takes an ask in one atomic step, and returns the store's answer. If the answer is lost, the
	// caller sends the same Ask again, and gets the same answer. A scheduler
	// calls Exchange from one goroutine at a time, and never from its owner, so Exchange may take its time.
	// A store calls [Ask.Normalize] first, and may rely on its bounds.
	Exchange(ctx context.Context, a Ask) (Answer, error)
}

// Hinter is a [Store] that can tell processes to exchange at once, for example since a server asked one of
// them to wait. Without hints they learn of that at their next exchange. A process that has tokens exchanges within five
// eighths of [Grace].
type Hinter interface {
	// Hints calls hint when the process should exchange now, because a hold has begun, the limit has changed,
	// or hints may have been missed. It connects again by itself. It returns when ctx is done, or when the
	// store can't give hints. The function hint must not block.
	Hints(ctx context.Context, hint func()) error
}

// ErrExists is returned by a store that should create a budget and has it already.
var ErrExists = errors.New("bucket: the shared budget exists already")

// Ask has what a process tells the store of a shared budget, and what it asks for. A zero field tells nothing.
type Ask struct {
	Process string // the name of the process; no other process ever has the same
	Seq     uint64 // counts the asks of the process from 1; an ask with the same Seq again gets the same answer

	Want  int64         // how many tokens the process would like to buy, for calls that need them soon
	Least int64         // how many it needs at once, for the cost of one call
	Ahead time.Duration // how far ahead tokens are sold, at most a second; 0: [Shared] decides

	Back   int64  // tokens that the process has bought and gives back
	Charge int64  // tokens that were spent without having been bought
	Epoch  string // the store's epoch, as the process knows it; Back is of this epoch
	Mine   int64  // tokens that the process has bought and not spent

	Hold         time.Duration // a server's wait: nothing is sold before it is over
	Remaining    int64         // with HasRemaining, how many tokens there are at most, as a server says
	HasRemaining bool

	Limit   Limit // of the budget, as the process knows it
	Version int64 // of the limit, from 1; the store keeps the limit with the highest version

	Leave bool // the process buys no more, so it no longer counts as one that shares the budget
}

// maxHold bounds a server's wait, so that the instant of its end is exact. It is more than 35 years.
const maxHold = 1 << 50 * time.Microsecond

// Normalize returns the ask as every store counts it. Numbers below zero count as 0, and those above 2^52 as
// 2^52. Durations are rounded up to whole microseconds. Hold is at most 35 years, Ahead at most [MaxAhead],
// and Version at least 1. Normalize returns an error if the Process is empty, if Seq is 0 or above 2^52, or
// if the Limit can't be shared.
func (a Ask) Normalize() (Ask, error) {
	if a.Process == "" || a.Seq == 0 || a.Seq > maxExact {
		return Ask{}, fmt.Errorf("bucket: ask has Process %q and Seq %d: a Process needs a name, and Seq counts from 1 to at most 2^52", a.Process, a.Seq)
	}
	if err := a.Limit.ValidateShared(); err != nil {
		return Ask{}, err
	}
	a.Limit = a.Limit.WithDefaults()
	for _, n := range []*int64{&a.Want, &a.Least, &a.Back, &a.Charge, &a.Mine, &a.Remaining, &a.Version} {
		*n = min(max(*n, 0), maxExact)
	}
	a.Version = max(a.Version, 1)
	a.Hold, a.Ahead = micros(min(a.Hold, maxHold)), micros(min(a.Ahead, MaxAhead))
	return a, nil
}

// micros rounds a duration up to whole microseconds. Below zero it is 0.
func micros(d time.Duration) time.Duration {
	return (max(d, 0) + time.Microsecond - 1).Truncate(time.Microsecond)
}

// Answer is a store's answer to an [Ask]. The process gets Tokens tokens. The
// k-th of them may be spent once
//
//	⌈((k − Level) · Per − Part) / Refill⌉
//
// microseconds have passed since the process received the answer. Since the process measures that by its
// own clock, it does not matter by how much clocks differ.
type Answer struct {
	Tokens int64

	Level  int64 // whole tokens in the bucket before this sale; below zero if later tokens were sold
	Part   int64 // the fraction of the next token, in units of 1/Per
	Refill int64 // units of 1/Per that come each microsecond
	Per    int64 // how many units are a token

	Capacity int64         // of the limit that is in force
	Version  int64         // of that limit
	Sharers  int64         // how many processes share the budget
	Ahead    time.Duration // how far ahead tokens are sold
	Held     time.Duration // until a server's wait is over; 0: none
	Learning time.Duration // until the store sells again: it may have lost what it knew; 0: it sells
	Epoch    string        // changes when the store may have lost what it knew
}

// How long a store and the processes that share its budget rely on each other.
const (
	// Grace is how long a process spends tokens after the sending of its latest exchange that succeeded.
	// Then it drops what is left.
	Grace = 2 * time.Second

	// LearnTime is how long a store sells nothing after it may have lost what it knew. By then no
	// process spends tokens that the store does not know of, even if its clock is an eighth slower.
	LearnTime = Grace + Grace/8

	// SharerTime is how long after its latest exchange a process counts as one that shares the budget.
	SharerTime = 3 * time.Second

	// MemoryTime is how long a store remembers a process after its latest exchange, so that it can repeat the
	// answer and take back what a long call did not need. Tokens that come back later are void.
	MemoryTime = 10 * time.Minute

	// MaxAhead is the longest time for which tokens are sold ahead.
	MaxAhead = time.Second

	minAhead = 50 * time.Millisecond
)

// maxExact bounds the numbers of a store, since Lua has only float64, which holds whole numbers up to 2^53 exactly.
//
//   - (Capacity − level) · Per is at most 2^52, as no level is lower. ValidateShared leaves that room, even for a
//     debt of three times the capacity. It is also the most by which an Answer multiplies.
//   - elapsed · Refill is computed only if it is at most that and another Per, which is at most 2^50.
//   - Ahead · Refill is at most 2^52 by ValidateShared, and 100 · Per is computed only if Per < 10^4 · Refill.
//   - Shares multiply numbers of processes, of which there are far fewer than 2^26.
//   - Sums of a level and what an Ask tells are at most 2^53, as Ask.Normalize bounds the latter by 2^52.
//
// Quotients need no more. Rounding can't lift a quotient of whole numbers below 2^53 to the next whole number.
const maxExact = 1 << 52

// MicroRate returns the rate of a limit as a store counts it: refill units of 1/per token come each
// microsecond. A Per that is not a whole number of microseconds is rounded up, so the rate is never
// higher than that of the limit. The limit must be valid, and without a Reset.
func (l Limit) MicroRate() (refill, per int64) {
	l = l.WithDefaults()
	r, p := uint64(l.Refill), uint64((l.Per-1)/time.Microsecond+1)
	d := gcd(r, p)
	return int64(r / d), int64(p / d)
}

// ValidateShared returns nil if several processes can share a budget with this limit. It returns an
// error if the limit is invalid or so large that a store could not count exactly, and for a limit with
// a Reset or that is Strict.
func (l Limit) ValidateShared() error {
	l = l.WithDefaults()
	if err := l.Validate(); err != nil {
		return err
	}
	switch {
	case l.Reset != Reset{}:
		return fmt.Errorf("bucket: limit has a Reset: a shared budget can't have one yet, so use a rate, such as PerMinute")
	case l.Strict:
		return fmt.Errorf("bucket: limit is Strict, as a Window is: processes that share a budget spend some tokens later than they came, so use a rate with a small burst, such as PerMinute(n).Burst(10)")
	}
	if refill, per := l.MicroRate(); refill > maxExact/int64(MaxAhead/time.Microsecond) || l.Capacity > maxExact/4/per {
		return fmt.Errorf("bucket: limit has Capacity %d and Refill %d in %v, which is too large to be counted exactly in a store: use a smaller Capacity, or a Refill and Per with a common divisor (4·Capacity·Per in microseconds, and Refill·10^6, both reduced by that divisor, must be at most 2^52)", l.Capacity, l.Refill, l.Per)
	}
	return nil
}
