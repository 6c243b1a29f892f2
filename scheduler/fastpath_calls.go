package scheduler

import (
	"sync"
	"weak"
)

// The owner does not know the calls that run by the fast path. Of those without options there is
// nothing to know but how many they are. Those with options have a cost and a name, and those whose
// policy has MaxElapsed the instant at which they began. So each of them stands in a slot, where the
// owner finds it when it needs the cost or the name: for Learn, and for the report of Shutdown. From
// then on the owner knows the call, and the call ends as if it had been granted by the owner. Settle
// and a call made inside it have the same effect.

// fastSlot is the place of one such call that runs by the fast path. It belongs to a call
// of Do, and is used again with it.
type fastSlot struct {
	mu      sync.Mutex // held for a few instructions
	call    *call      // nil if no call runs, or the owner knows it
	claimed bool       // the owner is about to be told of the call
	_       [32]byte   // fills a cache line
}

// fastSlots has all slots that are in use.
type fastSlots struct {
	mu    sync.Mutex // held for a short time
	slots []weak.Pointer[fastSlot]
}

// add returns a new slot.
func (f *fastSlots) add() *fastSlot {
	s := new(fastSlot)
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.slots) == cap(f.slots) { // forget those whose calls were collected, before it grows
		kept := f.slots[:0]
		for _, p := range f.slots {
			if p.Value() != nil {
				kept = append(kept, p)
			}
		}
		clear(f.slots[len(kept):])
		f.slots = kept
	}
	f.slots = append(f.slots, weak.Make(s))
	return s
}

// calls returns the calls that stand in slots.
func (f *fastSlots) calls() (calls []*call) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range f.slots {
		if s := p.Value(); s != nil {
			s.mu.Lock()
			if s.call != nil {
				calls = append(calls, s.call)
				s.claimed = true
			}
			s.mu.Unlock()
		}
	}
	return calls
}

// slot returns the slot of a call, or nil if it has never had one.
func (c *call) slot() *fastSlot {
	if c.runner == nil {
		return nil
	}
	return c.runner.slot
}

// claim reports whether the owner does not know the call. The call's runner calls it before it
// tells the owner of the call.
func (c *call) claim() bool {
	slot := c.slot()
	if slot == nil {
		return false
	}
	slot.mu.Lock()
	defer slot.mu.Unlock()
	unknown := slot.call == c && !slot.claimed
	slot.claimed = slot.call == c
	return unknown
}

// makeKnown tells the owner of a call that runs by the fast path, if it does not know it.
func (s *Scheduler) makeKnown(c *call) {
	if c.claim() {
		s.post(message{op: opFastKnown, call: c})
	}
}

// leaveSlot empties the slot of a call that the owner knows.
func (c *call) leaveSlot() {
	if slot := c.slot(); slot != nil {
		slot.mu.Lock()
		slot.call, slot.claimed = nil, false
		slot.mu.Unlock()
	}
}

// inSlot reports whether the call runs by the fast path and the owner does not know it yet.
func (c *call) inSlot() bool {
	slot := c.slot()
	if slot == nil {
		return false
	}
	slot.mu.Lock()
	defer slot.mu.Unlock()
	return slot.call == c
}
