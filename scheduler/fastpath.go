package scheduler

import (
	"sync/atomic"
	"time"
	"unsafe"
)

// fastPath lets calls of Do start without asking the owner, while no call is queued. The owner
// grants a lease: it puts the tokens of the budgets into a cell, which is one atomic word. A call
// takes its cost from the word with a compare-and-swap, runs, and is subtracted from the word when it
// is over. That reads no clock and wakes no goroutine.
//
// When many goroutines want the same word at once, processors wait for its cache line. Then the owner
// spreads the lease over several cells, and each goroutine begins with a cell of its own.
type fastPath struct {
	_     [64]byte      // keeps other fields out of this cache line
	mask  atomic.Uint32 // how many cells are in use, minus one
	_     [124]byte
	cells [maxCells]fastCell
}

// fastCell has a part of the lease. Its word holds all that has to change at once. From the lowest
// bit:
//
//	23 bits  tokens: what is left of the lease
//	 1 bit   notify: the owner has to be told of each call that is over
//	20 bits  in flight: calls that have paid and are not over
//	20 bits  taken: how many calls have paid, plus one for each lease; it wraps around
type fastCell struct {
	word    atomic.Uint64
	lease   atomic.Pointer[lease]
	clashes atomic.Uint32 // how often a call found that another had changed the word
	_       [104]byte     // fills two cache lines, since processors fetch them in pairs
}

const (
	fastTokens   = 1<<23 - 1
	fastNotify   = 1 << 23
	fastInFlight = 1 << 24
	fastTaken    = 1 << 44

	// maxCells is how many cells there are. It is a power of two.
	maxCells = 16

	// maxFast limits the calls in flight. It leaves room for those that are about to be subtracted.
	maxFast = 1 << 19

	// maxLease limits the tokens in a cell, so that calls can be numbered by a count that wraps around.
	maxLease = 1 << 18
)

// lease describes a lease to the calls that pay from it. The owner publishes it before the tokens.
type lease struct {
	cell   *fastCell
	taken  uint64        // the word's count when the owner last looked
	lastID uint64        // the number of the latest call then
	since  time.Duration // when that was
	slots  uint64        // how many calls may be in flight

	// until is when tokens of a shared budget are void, so that a process that stood still spends none of
	// them. 0: never; then a call reads no clock.
	until time.Duration
	read  func() time.Duration
}

// permit shows that a call has paid by the fast path.
type permit struct {
	number uint64 // the call's number, which does not change while it runs; 0 if the core numbers the call
	lease  *lease // nil if the owner knows the call
}

// take pays for a call, if the tokens and a slot are there. It returns the word before and its
// lease, or a nil lease.
func (f *fastPath) take(cost uint64) (word uint64, from *lease) {
	mask := f.mask.Load()
	if mask == 0 {
		return f.cells[0].take(cost)
	}
	first := stackHash()
	for i := range mask + 1 {
		if word, from = f.cells[(first+i)&mask&(maxCells-1)].take(cost); from != nil {
			break
		}
	}
	return word, from
}

// stackHash returns a number that most likely differs between goroutines that run at the same time.
func stackHash() uint32 {
	var here byte
	return uint32(uint64(uintptr(unsafe.Pointer(&here))) >> 11 * 0x9E3779B97F4A7C15 >> 56)
}

// take pays for a call from this cell.
//
// Between its two loads and the compare-and-swap, the owner may revoke the lease, grant calls, and
// grant the next lease. The swap must fail then, or the call would have another call's number and
// too many slots (the ABA problem). It does, since each new lease adds one to the word's count.
func (c *fastCell) take(cost uint64) (word uint64, from *lease) {
	for {
		w := c.word.Load()
		if w&fastTokens < cost {
			return 0, nil
		}
		l := c.lease.Load() // after the word, so that it is not older than the tokens
		if inFlight(w) >= l.slots || l.until != 0 && l.read() >= l.until {
			return 0, nil
		}
		if c.word.CompareAndSwap(w, w-cost+fastInFlight+fastTaken) {
			return w, l
		}
		c.clashes.Add(1)
	}
}

// permit returns the permit of the call that took tokens from the word w.
func (l *lease) permit(w uint64) permit {
	return permit{number: l.lastID + (taken(w)-l.taken)%(1<<20) + 1, lease: l}
}

// release notes that a call is over. It reports whether the owner has to be told.
func (l *lease) release() (notify bool) {
	return l.cell.word.Add(^uint64(fastInFlight-1))&fastNotify != 0
}

// capped reports whether the latest lease has a cap on the calls in flight.
func (f *fastPath) capped() bool {
	l := f.cells[0].lease.Load()
	return l != nil && l.slots < maxFast
}

func inFlight(w uint64) uint64 { return w >> 24 % (1 << 20) }
func taken(w uint64) uint64    { return w >> 44 }
