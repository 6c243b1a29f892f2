package adapters

import (
	"math/rand/v2"
	"sync"
	"time"

	"example.com/fairlead/retry"
)

// Workqueue has a policy say how long an item waits before it is queued again, for the work
// queues of k8s.io/client-go: their workqueue.TypedRateLimiter. Its methods may be
// called from any goroutine, and never block. It must not be copied after first use.
// The zero Workqueue is that of the default policy.
//
// An item is remembered until it is forgotten, as the queue's user has to see to by calling
// Forget of the queue; when all are, the memory is given back.
type Workqueue[T comparable] struct {
	// Policy says how long to wait. Its MaxRetries does not count, since a queue has no way
	// to give up an item: its user does, by NumRequeues. If its Seed is zero, chance takes
	// another course each time; otherwise the same for the same order of failures.
	Policy retry.Policy

	mu    sync.Mutex
	items map[T]failures
	seen  uint64 // items that ever failed
}

// failures are those of an item since it was last forgotten.
type failures struct {
	call  uint64
	count int
}

// When counts one more failure of an item, and is how long it shall wait.
func (w *Workqueue[T]) When(item T) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	f, known := w.items[item]
	if !known {
		if w.items == nil {
			w.items = map[T]failures{}
		}
		w.seen++
		f.call = w.seen
		if w.Policy.Seed == 0 {
			f.call = rand.Uint64()
		}
	}
	f.count++
	w.items[item] = f
	return w.Policy.Delay(f.call, f.count)
}

// Forget ends the count of an item's failures, for good or ill.
func (w *Workqueue[T]) Forget(item T) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.items, item)
	if len(w.items) == 0 {
		w.items = nil // a map never shrinks
	}
}

// NumRequeues is how often an item has failed since it was last forgotten.
func (w *Workqueue[T]) NumRequeues(item T) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.items[item].count
}
