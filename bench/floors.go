package main

import (
	"context"
	"sync/atomic"
	"unsafe"
)

// Floors are the least that any library could do for a call, with no feature at all. They run
// beside the others, and show which targets can hardly be met.
const (
	// noLimiter is the call alone. So much of each number is the measuring.
	noLimiter = "no limiter, the bare call"

	// floorWord takes a token from a word and gives a slot back, also after a panic.
	floorWord = "floor: two atomic operations and a defer"

	// floorCells spreads the same over 16 words, so that processors don't contend for one.
	floorCells = "floor: the same with 16 words"
)

func isFloor(name string) bool {
	switch name {
	case noLimiter, floorWord, floorCells, bare, floorOwner, floorDo, floorSubmit, floorJob:
		return true
	}
	return false
}

// word is a count of tokens, alone on its cache lines.
type word struct {
	_    [64]byte
	left atomic.Int64
	_    [56]byte
}

// openFloor returns a call that takes from one of the words, 1 or 16 of them.
func openFloor(words int) func() bool {
	list := make([]word, words)
	for i := range list {
		list[i].left.Store(1 << 60)
	}
	ctx, call := context.Background(), protectedOne
	if words > 1 {
		call = protectedCells
	}
	return func() bool { return call(ctx, list, nothing) == nil }
}

func protectedOne(ctx context.Context, list []word, fn work) error {
	return protected(ctx, &list[0].left, fn)
}

// protectedCells picks a word by the address of the caller's stack.
func protectedCells(ctx context.Context, list []word, fn work) error {
	var here byte
	at := uint64(uintptr(unsafe.Pointer(&here))) >> 11 * 0x9e3779b97f4a7c15 >> 60
	return protected(ctx, &list[at].left, fn)
}

func protected(ctx context.Context, left *atomic.Int64, fn work) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	for {
		n := left.Load()
		if n == 0 {
			return errFlaky
		}
		if left.CompareAndSwap(n, n-1) {
			break
		}
	}
	unwinds := true
	defer func() {
		if unwinds {
			left.Add(1)
		}
	}()
	err := fn(ctx)
	unwinds = false
	left.Add(1)
	return err
}
