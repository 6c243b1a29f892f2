package core

import "time"

// heap is a heap in which each entry has four children, so that it is half as deep as a binary one. The value of
// an entry keeps its index, so that it can be removed.
type heap[T indexed] []entry[T]

type indexed interface{ setIndex(i int) }

// entry is an entry of a heap. It holds what orders it, so that comparing two entries does not load their values.
type entry[T indexed] struct {
	first, second time.Duration
	id            uint64 // orders entries that are otherwise equal
	value         T
}

func (e *entry[T]) before(f *entry[T]) bool {
	if e.first != f.first {
		return e.first < f.first
	}
	return e.second < f.second || e.second == f.second && e.id < f.id
}

func (h *heap[T]) push(e entry[T]) {
	*h = append(*h, entry[T]{})
	h.up(len(*h)-1, e)
}

// remove removes the i-th entry.
func (h *heap[T]) remove(i int) {
	last := len(*h) - 1
	e := (*h)[last]
	(*h)[last] = entry[T]{}
	*h = (*h)[:last]
	if i < last {
		h.replace(i, e)
	}
}

// replace puts an entry into the place of the i-th, and then where it belongs.
func (h heap[T]) replace(i int, e entry[T]) {
	if i > 0 && e.before(&h[(i-1)/4]) {
		h.up(i, e)
	} else {
		h.down(i, e)
	}
}

// up puts e at index i or nearer to the top.
func (h heap[T]) up(i int, e entry[T]) {
	for i > 0 {
		parent := (i - 1) / 4
		if !e.before(&h[parent]) {
			break
		}
		h.set(i, h[parent])
		i = parent
	}
	h.set(i, e)
}

// down puts e at index i or farther from the top.
func (h heap[T]) down(i int, e entry[T]) {
	for {
		first := 4*i + 1
		if first >= len(h) {
			break
		}
		least := first
		for child := first + 1; child < min(first+4, len(h)); child++ {
			if h[child].before(&h[least]) {
				least = child
			}
		}
		if !h[least].before(&e) {
			break
		}
		h.set(i, h[least])
		i = least
	}
	h.set(i, e)
}

func (h heap[T]) set(i int, e entry[T]) {
	h[i] = e
	e.value.setIndex(i)
}
