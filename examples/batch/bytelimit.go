package main

import (
	"context"
	"sync"
)

// maxInMemory bounds the bytes of lines that are read ahead, and also the bytes of answers that are not written
// yet.
const maxInMemory = 64 << 20

// byteLimit bounds how many bytes are in memory. An item above the limit is let in alone.
type byteLimit struct {
	mu    sync.Mutex
	used  int64
	limit int64
	room  chan struct{} // closed and replaced at each release
}

func newByteLimit(limit int64) *byteLimit { return &byteLimit{limit: limit, room: make(chan struct{})} }

// acquire takes n bytes as soon as there is room for them, or at once if ctx is done.
func (l *byteLimit) acquire(ctx context.Context, n int64) {
	l.mu.Lock()
	for l.used > 0 && n > l.limit-l.used && ctx.Err() == nil {
		room := l.room
		l.mu.Unlock()
		select {
		case <-room:
		case <-ctx.Done():
		}
		l.mu.Lock()
	}
	l.used += n
	l.mu.Unlock()
}

// release gives n bytes back.
func (l *byteLimit) release(n int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.used -= n
	close(l.room)
	l.room = make(chan struct{})
}
