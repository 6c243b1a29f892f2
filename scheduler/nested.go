package scheduler

import (
	"context"
	"errors"
	"fmt"
)

// With MaxInFlight, a call that is made inside another and waited for there can deadlock: the
// outer call keeps its slot and waits for the inner one, which waits for a slot. Where the
// inner call is given the context of the outer one, or one derived from it, the core knows of
// both. Once every slot is held by a call that waits for an inner one, no slot will ever be
// free, and the core ends inner calls until that is no longer so.

// ErrDeadlock is what every [DeadlockError] is, for errors.Is.
var ErrDeadlock = errors.New("deadlock: every slot is held by a call that waits for a call made inside it")

// DeadlockError ends a call that was made inside another call of the same scheduler, with the
// context of that one, when none of [Config.MaxInFlight] slots would ever be free. It is marked
// as [retry.Permanent], so the outer call is not retried for it.
type DeadlockError struct {
	Outer       uint64 // the number of the call inside which this one was made
	MaxInFlight int    // how many slots there are
}

func (e *DeadlockError) Error() string {
	return fmt.Sprintf("scheduler: deadlock: the call was made inside call %d and needs a slot of its own, but all slots (MaxInFlight is %d) are held by calls that wait for calls made inside them: give the inner calls a scheduler of their own, or raise MaxInFlight", e.Outer, e.MaxInFlight)
}

// Is says that e is [ErrDeadlock].
func (e *DeadlockError) Is(target error) bool { return target == ErrDeadlock }

// insideKey is the key for the attempt, of a call of this scheduler, inside which a context was made.
// Calls of other schedulers may lie in between.
type insideKey struct{ s *Scheduler }

// nest notes inside which call of the same scheduler a call is made by a caller who waits for it.
func (s *Scheduler) nest(c *call, ctx context.Context) {
	if !s.capped.Load() {
		return
	}
	a, _ := ctx.Value(insideKey{s}).(*attempt)
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.over {
		a.call.follow()
		a.call.pinned = true
		x := c.extras()
		x.outer, x.attempt = a.call, a.number
	}
}
