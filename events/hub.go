package events

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
)

// DefaultBuffer is how many events a subscription holds unless told otherwise.
const DefaultBuffer = 1024

// MaxBuffer is the most events that a subscription can hold. Its buffer is allocated as a whole, with some hundred bytes for
// each.
const MaxBuffer = 1 << 20

// Hub publishes events to subscriptions. The zero Hub is ready to use. One
// goroutine publishes; all other methods may be called from anywhere.
type Hub struct {
	wanted atomic.Uint32 // the union of what the subscriptions want, to be read without the lock

	mu     sync.Mutex // held for short, never while anybody waits
	subs   []*Subscription
	seq    uint64
	closed bool
}

// Subscription is a bounded stream of events. Close it when done with it.
type Subscription struct {
	// C delivers the events. It is closed by Close, or after the last event of the hub.
	C <-chan Event

	c      chan Event
	kinds  Kinds
	hub    *Hub
	missed uint64  // lost, and not yet told
	kept   []Event // empty but in makeRoom
}

// Subscribe returns a subscription to the kinds in the set, which holds up to
// buffer events; 0 stands for [DefaultBuffer]. It panics if buffer is negative or above
// [MaxBuffer], or the set is empty: these are mistakes in the program.
func (h *Hub) Subscribe(kinds Kinds, buffer int) *Subscription {
	if buffer < 0 || buffer > MaxBuffer {
		panic(fmt.Sprintf("events: subscription buffer of %d: it must be from 1 to %d, or 0 for %d", buffer, MaxBuffer, DefaultBuffer))
	}
	if kinds&All == 0 {
		panic("events: subscription to no kind of event: name kinds that there are, or all of them")
	}
	if buffer == 0 {
		buffer = DefaultBuffer
	}
	c := make(chan Event, buffer)
	sub := &Subscription{C: c, c: c, kinds: kinds & All, hub: h}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		close(sub.c)
		return sub
	}
	h.subs = append(h.subs, sub)
	h.update()
	return sub
}

// Wanted returns the set of kinds that somebody is subscribed to. It costs one
// atomic load: whoever publishes need not make events that nobody wants.
func (h *Hub) Wanted() Kinds { return Kinds(h.wanted.Load()) }

// Publish numbers the event and hands it to the subscriptions that want it,
// without ever waiting for one.
func (h *Hub) Publish(ev Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.seq++
	ev.Seq = h.seq
	for _, sub := range h.subs {
		if sub.kinds.Has(ev.Kind) {
			sub.send(ev)
		}
	}
}

// Close ends all subscriptions. What they hold can still be read. Nothing is
// published afterwards, and later subscriptions are closed from the start.
func (h *Hub) Close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for _, sub := range h.subs {
		close(sub.c)
	}
	h.subs = nil
	h.update()
}

// Close ends the subscription and closes its channel. It may be called more than
// once, at any time, also from the loop that ranges over the channel.
func (s *Subscription) Close() {
	h := s.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	if i := slices.Index(h.subs, s); i >= 0 {
		h.subs = slices.Delete(h.subs, i, i+1)
		close(s.c)
		h.update()
	}
}

// update works out what is wanted. It expects the lock to be held, like all below.
func (h *Hub) update() {
	var all Kinds
	for _, sub := range h.subs {
		all |= sub.kinds
	}
	h.wanted.Store(uint32(all))
}

// send puts an event into the channel, making room if there is none.
func (s *Subscription) send(ev Event) {
	if !s.offer(ev) {
		s.makeRoom()
		s.offer(ev) // nobody but us sends, so there is room
	}
}

func (s *Subscription) offer(ev Event) bool {
	ev.Missed = s.missed
	select {
	case s.c <- ev:
		s.missed = 0
		return true
	default:
		return false
	}
}

// makeRoom drops the older half of a full channel; so its cost is shared by as
// many later events.
//
// The first event that stays must tell how many went before it, and a value in a
// channel can't be changed: so all are taken out, and the newer half is put back.
// If the reader takes one meanwhile, which shows in the length, what we had taken by
// then may be older than what it has seen: that can't be put back and goes too.
func (s *Subscription) makeRoom() {
	for left := len(s.c); left > 0; {
		select {
		case ev := <-s.c:
			s.missed += ev.Missed
			s.kept = append(s.kept, ev)
			left--
		default: // the reader was faster
		}
		if n := len(s.c); n < left {
			s.drop(len(s.kept))
			left = n
		}
	}
	s.drop((len(s.kept) + 1) / 2)
	for _, ev := range s.kept {
		s.offer(ev)
	}
	s.kept = s.kept[:0]
}

// drop gives up the n oldest of the events that were taken out.
func (s *Subscription) drop(n int) {
	s.missed += uint64(n)
	s.kept = append(s.kept[:0], s.kept[n:]...)
}
