package main

import (
	"context"
	"sync"
)

// mostInHand is how many bytes of lines are read ahead at most, and of answers not yet written.
const mostInHand = 64 << 20

// hand bounds how many bytes are in memory. One thing is let in that is larger than the bound, alone.
type hand struct {
	mu   sync.Mutex
	held int64
	most int64
	room chan struct{} // closed and replaced when there is more room
}

func newHand(most int64) *hand { return &hand{most: most, room: make(chan struct{})} }

// take waits until there is room for n bytes, or ctx is done, and takes it in either case.
func (h *hand) take(ctx context.Context, n int64) {
	h.mu.Lock()
	for h.held > 0 && n > h.most-h.held && ctx.Err() == nil {
		room := h.room
		h.mu.Unlock()
		select {
		case <-room:
		case <-ctx.Done():
		}
		h.mu.Lock()
	}
	h.held += n
	h.mu.Unlock()
}

// give gives n bytes back.
func (h *hand) give(n int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.held -= n
	close(h.room)
	h.room = make(chan struct{})
}
