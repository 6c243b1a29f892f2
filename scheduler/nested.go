package scheduler

import (
	"context"
	"errors"

	"example.com/fairlead/scheduler/internal/core"
)

// With MaxInFlight, calls made inside others can deadlock: the outer call keeps its slot and
// waits for the inner one, which waits for a slot. If the inner call has the outer call's
// context, or one derived from it, the core knows of both. When every slot is held by a call
// that waits for an inner one, no slot will ever be free. Then the core ends inner calls until
// a call can go on.

// ErrDeadlock matches every [DeadlockError] with errors.Is.
var ErrDeadlock = errors.New("scheduler: deadlock: every slot is held by a call that waits for a call made inside it")

// DeadlockError ends a call that was made inside another call of the same scheduler with that
// call's context, when none of the [Config.MaxInFlight] slots, or of its key's slots, would ever be free. It is marked as
// [retry.Permanent], so the outer call is not retried for it.
type DeadlockError struct {
	Outer       uint64 // the number of the call inside which this one was made
	MaxInFlight int    // how many slots there are
	Key         string // the key whose slots they are, by [PerKey]; "" for those of all calls
}

func (e *DeadlockError) Error() string {
	return (&core.Early{Reason: core.Deadlock, Outer: e.Outer, Most: e.MaxInFlight, Key: e.Key}).Error()
}

// Is reports whether target is [ErrDeadlock].
func (e *DeadlockError) Is(target error) bool { return target == ErrDeadlock }

// insideKey is the context key for the attempt of this scheduler inside which a call is made, even if
// calls of other schedulers lie in between.
type insideKey struct{ s *Scheduler }

// nest links c to the call of the same scheduler inside which it is made. Use it only if the
// caller waits for c.
func (s *Scheduler) nest(c *call, ctx context.Context) {
	a, _ := ctx.Value(insideKey{s}).(*attempt)
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.done {
		s.makeKnown(a.call) // so that the owner sees a deadlock
		if r := a.call.runner; r != nil {
			r.pinned = true
		}
		c.MakeInside(&a.call.Call, a.number)
	}
}
