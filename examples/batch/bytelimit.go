package main

import (
	"context"
	"sync"
)

// mostInHand is the most bytes of lines that are read ahead, and of answers that are not yet
// written.
const mostInHand = 64 << 20

// byteLimit bounds how many bytes are in memory. A single item that is larger than the bound is let in
// alone.
type byteLimit struct {
	mu   sync.Mutex
	held int64
	most int64
	room chan struct{} // closed and replaced when there is more room
}

func newByteLimit(most int64) *byteLimit { return &byteLimit{most: most, room: make(chan struct{})} }

// take takes n bytes as soon as there is room for them, or at once if ctx is done.
func (l *byteLimit) take(ctx context.Context, n int64) {
	l.mu.Lock()
	for l.held > 0 && n > l.most-l.held && ctx.Err() == nil {
		room := l.room
		l.mu.Unlock()
		select {
		case <-room:
		case <-ctx.Done():
		}
		l.mu.Lock()
	}
	l.held += n
	l.mu.Unlock()
}

// give gives n bytes back.
func (l *byteLimit) give(n int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held -= n
	close(l.room)
	l.room = make(chan struct{})
}
