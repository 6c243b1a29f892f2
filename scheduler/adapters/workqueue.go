package adapters

import (
	"math/rand/v2"
	"sync"
	"time"

	"example.com/fairlead/retry"
)

// Workqueue makes a policy decide how long an item waits before it is queued again, as a
// workqueue.TypedRateLimiter of k8s.io/client-go. Its methods may be called from any goroutine, and
// never block. It must not be copied after first use. The zero Workqueue has the default policy.
//
// An item is remembered until the queue's user calls Forget of the queue. When all items are
// forgotten, the memory is given back.
type Workqueue[T comparable] struct {
	// Policy says how long to wait. Its MaxRetries is ignored, because a queue can't give up an
	// item. Its user can, by NumRequeues. If its Seed is zero, the jitter differs each time. Otherwise
	// it is the same for the same order of failures.
	Policy retry.Policy

	mu    sync.Mutex
	items map[T]failures
	seen  uint64 // the number of items that have ever failed
}

// failures holds the failures of an item since it was last forgotten.
type failures struct {
	call  uint64
	count int
}

// When counts one more failure of an item, and returns how long the item has to wait.
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

// Forget resets the count of an item's failures.
func (w *Workqueue[T]) Forget(item T) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.items, item)
	if len(w.items) == 0 {
		w.items = nil // a map never shrinks
	}
}

// NumRequeues returns how often an item has failed since it was last forgotten.
func (w *Workqueue[T]) NumRequeues(item T) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.items[item].count
}
