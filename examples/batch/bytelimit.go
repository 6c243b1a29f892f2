package main

import (
	"context"
	"sync"
)

// mostInHand is how many bytes of lines are read ahead at most, and of answers not yet written.
const mostInHand = 64 << 20

// byteLimit bounds how many bytes are in memory. One thing is let in that is larger than the bound, alone.
type byteLimit struct {
	mu   sync.Mutex
	held int64
	most int64
	room chan struct{} // closed and replaced when there is more room
}

func newByteLimit(most int64) *byteLimit { return &byteLimit{most: most, room: make(chan struct{})} }

// take waits until there is room for n bytes, or ctx is done, and takes it in either case.
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
