package events

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
)

// DefaultBuffer is the number of events that a subscription holds by default.
const DefaultBuffer = 1024

// MaxBuffer is the largest buffer of a subscription. The buffer is allocated at once, at some
// hundred bytes an event.
const MaxBuffer = 1 << 20

// Hub publishes events to subscriptions. The zero Hub is ready to use. Only one goroutine
// may publish; all other methods may be called from any goroutine.
type Hub struct {
	wanted atomic.Uint32 // the kinds of all subscriptions together, read without the lock

	mu     sync.Mutex // held briefly, never while a goroutine waits
	subs   []*Subscription
	seq    uint64
	closed bool
}

// Subscription is a bounded stream of events. Close it after use.
type Subscription struct {
	// C delivers the events. Close closes it, and so does the hub after its last event.
	C <-chan Event

	c      chan Event
	kinds  Kinds
	hub    *Hub
	missed uint64  // lost events that no event has reported yet
	kept   []Event // scratch space of makeRoom, empty outside of it
}

// Subscribe returns a subscription to a set of kinds, with a buffer of that many events.
// A buffer of 0 means [DefaultBuffer]. Subscribe panics if the buffer is negative or above
// [MaxBuffer], or if the set is empty.
func (h *Hub) Subscribe(kinds Kinds, buffer int) *Subscription {
	if buffer < 0 || buffer > MaxBuffer {
		panic(fmt.Sprintf("events: subscription buffer of %d: it must be from 1 to %d, or 0 for %d", buffer, MaxBuffer, DefaultBuffer))
	}
	if kinds&All == 0 {
		panic("events: subscription to no kind of event: name at least one, or use events.All")
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

// Wanted returns the kinds that have a subscriber. It costs one atomic load, so a publisher
// can check it before it makes an event.
func (h *Hub) Wanted() Kinds { return Kinds(h.wanted.Load()) }

// Publish numbers the event and sends it to the subscriptions to its kind. It never waits for
// a subscriber.
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

// Close ends all subscriptions. Events in their buffers can still be read. Afterwards nothing
// is published, and new subscriptions are closed from the start.
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

// Close ends the subscription and closes its channel. It may be called more than once, at any
// time, even inside the loop that ranges over the channel.
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

// update stores the kinds that have a subscriber. The caller holds the lock, as for all functions below.
func (h *Hub) update() {
	var all Kinds
	for _, sub := range h.subs {
		all |= sub.kinds
	}
	h.wanted.Store(uint32(all))
}

// send puts an event into the channel. If the channel is full, it makes room first.
func (s *Subscription) send(ev Event) {
	if !s.offer(ev) {
		s.makeRoom()
		s.offer(ev) // no other goroutine sends, so there is room
	}
}

// offer puts an event into the channel and reports whether there was room.
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

// makeRoom drops the older half of a full channel, so that many later events find room.
//
// The first event that stays has to report how many were dropped before it, and an event in a
// channel can't be changed. So makeRoom takes all events out and puts the newer half back.
// If the channel's length shows that the reader took an event meanwhile, the events taken out
// so far may be older than that one. To keep the order they are dropped, too.
func (s *Subscription) makeRoom() {
	for left := len(s.c); left > 0; {
		select {
		case ev := <-s.c:
			s.missed += ev.Missed
			s.kept = append(s.kept, ev)
			left--
		default: // the reader took it
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

// drop discards the n oldest of the events that makeRoom took out.
func (s *Subscription) drop(n int) {
	s.missed += uint64(n)
	s.kept = append(s.kept[:0], s.kept[n:]...)
}
