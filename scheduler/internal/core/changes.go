package core

import "example.com/fairlead/events"

// Kind says who works when a call is granted, and whether changes of the call are noted.
type Kind uint8

const (
	Plain    Kind = iota // a function
	Reserved             // the holder of a reservation
	Tracked              // a function; changes of the call are noted for TakeChanges
	noted                // likewise, and TakeChanges has yet to return the call
)

// noteChange notes that a call has changed, if it is tracked.
func (k *Core) noteChange(c *Call) {
	if c.Kind == Tracked {
		c.Kind = noted
		k.changed = append(k.changed, c)
	}
}

// HasChanges reports whether a tracked call has changed since TakeChanges was last called.
func (k *Core) HasChanges() bool { return len(k.changed) > 0 }

// MaxChanges is how many calls TakeChanges returns at most.
const MaxChanges = 1024

// TakeChanges returns the tracked calls that have changed since it last returned them, in the order of their first
// change. A call changes when it is accepted, begins to back off, gets another rank or ends. Each call is listed once, as
// it is now. Calls that Close or Drain has ended are left out.
func (k *Core) TakeChanges() []*Call {
	some := k.changed[:min(len(k.changed), MaxChanges)]
	calls := make([]*Call, 0, len(some))
	for _, c := range some {
		c.Kind = Tracked
		if c.EndKind() != events.Closed {
			calls = append(calls, c)
		}
	}
	if len(some) == len(k.changed) {
		k.changed = Emptied(some)
	} else {
		clear(some)
		k.changed = k.changed[len(some):]
	}
	return calls
}

// EndKind returns how a call has ended, as the kind of its event. It returns 0 for a call that has not.
func (c *Call) EndKind() events.Kind {
	if c.State != Ended {
		return 0
	}
	return c.detail.ended
}
