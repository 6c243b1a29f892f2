package core

import (
	"example.com/fairlead/events"
)

// Effects collects what the owner has to do after calling the core: start calls, wake callers,
// publish events.
type Effects struct {
	Admitted []*Call        // their Submit can return
	Granted  []*Call        // to be started
	Ended    []*Call        // have ended with their err
	Away     []*Call        // calls with a gate that back off or arrive later
	Due      []*Call        // calls with a gate that want to come back: see Core.Return
	Updates  []Update       // progress of calls
	Events   []events.Event // to be published
}

// Update is an event of a call that has OnProgress.
type Update struct {
	Call  *Call
	Event events.Event
}

// Clear makes the effects empty, for the next call of the core.
func (e *Effects) Clear() {
	drop(&e.Admitted)
	drop(&e.Granted)
	drop(&e.Ended)
	drop(&e.Away)
	drop(&e.Due)
	drop(&e.Updates)
	drop(&e.Events)
}

// drop empties a slice, if it is not empty. It is inlined.
func drop[T any](s *[]T) {
	if len(*s) > 0 {
		*s = Emptied(*s)
	}
}

// maxKept is the largest capacity of a slice, in entries, that is kept for the next turn. A
// larger one is freed after its burst.
const maxKept = 1024

// Emptied returns an empty slice with the capacity of s, whose entries are not needed any more.
func Emptied[T any](s []T) []T {
	if cap(s) > maxKept {
		return nil
	}
	clear(s)
	return s[:0]
}

// reportPlace tells subscribers and the call's own caller how long it will have to wait.
func (k *Core) reportPlace(c *Call) {
	ev := k.event(events.Queued, c)
	ev.Attempt = int(c.Attempts) + 1
	if ev.Position, ev.Wait = k.estimate(c); k.shared {
		ev.Wait, _ = k.likelyWait(c)
	}
	k.report(c, ev, ev.Wait > 0)
}

// emit adds an event about a call, with the fields that every call has.
func (k *Core) emit(kind events.Kind, c *Call) {
	if k.Wanted.Has(kind) {
		k.Effects.Events = append(k.Effects.Events, k.event(kind, c))
	}
}

func (k *Core) event(kind events.Kind, c *Call) events.Event {
	return events.Event{
		Kind: kind, At: k.Time(k.Now), Call: c.ID, Name: c.Options().Name, Key: c.Key(), Cost: c.Cost,
		Attempt: int(c.Attempts), MaxAttempts: k.policyOf(c).Attempts(), Budget: k.Budgets[0].Name, Available: k.Budgets[0].Available(),
	}
}

// emitEvent adds an event about the scheduler.
func (k *Core) emitEvent(ev events.Event) { k.emitOf(0, ev) }

// emitOf adds an event about the i-th budget.
func (k *Core) emitOf(i int, ev events.Event) {
	if k.Wanted.Has(ev.Kind) {
		ev.At, ev.Budget, ev.Available = k.Time(k.Now), k.Budgets[i].Name, k.Budgets[i].Available()
		k.Effects.Events = append(k.Effects.Events, ev)
	}
}

// report adds an event about a call that waits, for subscribers and, as progress, for the call's own
// caller.
func (k *Core) report(c *Call, ev events.Event, progress bool) {
	if k.Wanted.Has(ev.Kind) {
		k.Effects.Events = append(k.Effects.Events, ev)
	}
	if c.Watched && progress {
		ev.Err = c.LastErr()
		k.Effects.Updates = append(k.Effects.Updates, Update{c, ev})
	}
}
