package scheduler

import (
	"context"
	"errors"
	"slices"
	"time"

	"example.com/fairlead/events"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler/internal/core"
)

// Changes tells what has changed of the tracked calls of a scheduler, for a program that keeps calls where they
// outlive it: see [Tracked]. All of it is of one instant, so that a program can save it as a whole.
type Changes struct {
	At      time.Time `json:"at"`
	Calls   []Change  `json:"calls"`   // in the order in which they first changed
	Budgets []Budget  `json:"budgets"` // all budgets, by name: see Snapshot.Budgets
}

// Change describes a tracked call after a change: it was accepted, has begun to back off, has another priority
// or has ended. A call that has changed more than once since the last Changes is there once, as it is in the end.
type Change struct {
	Unfinished // State is "ended" for a call that has ended

	End     events.Kind `json:"end,omitzero"` // how the call has ended, such as [events.Succeeded]; 0 if it has not
	Outcome error       `json:"-"`            // the error with which it has ended
}

// ErrNotStarted is for a submitted function that could not begin, for example since it could not save that it
// was about to. If the function returns an error that wraps ErrNotStarted, the attempt does not count, its tokens
// are refunded, and the call ends with that error, as if it had been canceled.
var ErrNotStarted = retry.Permanent(errors.New("scheduler: the function could not begin"))

// errTrackedAlone refuses the option Tracked.
var errTrackedAlone = retry.Permanent(errors.New("scheduler: Tracked is for Submit and Stream: Do returns the outcome itself, and the holder of a reservation ends it"))

// Tracked makes [Scheduler.Changes] tell each change of the call. It is an option for [Scheduler.Submit] and [Stream]. With
// [RefuseNew], a tracked call with [NotBefore] or [Delay] is let in even if the queue is full when it arrives.
func Tracked() Option {
	return func(o *options) { o.tracked = true }
}

// track prepares the core to note changes of the call.
func (c *call) track() error {
	if c.handle() == nil || c.Kind == core.Reserved {
		return errTrackedAlone
	}
	c.Kind = core.Tracked
	return nil
}

// Changes waits until a tracked call has changed, and returns all that has changed since it last returned. It
// loses nothing. Changes that were not read stay in memory, so a program that uses Tracked reads them in a loop. Each return
// has 1024 calls at most, and the next one the rest. If ctx is done and nothing has changed, it returns the error of ctx.
// When the scheduler is closed, Changes returns what is left, and then [ErrClosed]. Calls that the close has ended, or
// whose functions still run, are not in it: [Scheduler.Shutdown] returns them. If several goroutines call Changes, each
// change goes to one of them.
func (s *Scheduler) Changes(ctx context.Context) (Changes, error) {
	if ctx == nil {
		return Changes{}, errNilContext
	}
	reader := make(chan Changes, 1)
	if s.post(message{op: opAsk, do: func(o *owner, _ time.Duration) {
		o.readers = append(o.readers, reader)
		o.giveChanges() // also if ctx is done
	}}) {
		select {
		case ch := <-reader:
			return s.filled(ch), nil
		case <-ctx.Done():
			ask(s, func(o *owner, _ time.Duration) struct{} {
				o.readers = slices.DeleteFunc(o.readers, func(r chan Changes) bool { return r == reader })
				return struct{}{}
			})
		case <-s.done:
		}
		select {
		case ch := <-reader: // it was sent meanwhile
			return s.filled(ch), nil
		default:
		}
	}
	if ctx.Err() != nil {
		return Changes{}, causeOf(ctx)
	}
	<-s.done
	s.gate.Lock()
	defer s.gate.Unlock()
	if len(s.lastChanges) == 0 {
		return Changes{}, ErrClosed
	}
	ch := s.lastChanges[0]
	s.lastChanges = s.lastChanges[1:]
	return s.filled(ch), nil
}

// filled completes changes outside of the owner, since Error methods are user code.
func (s *Scheduler) filled(ch Changes) Changes {
	for i := range ch.Calls {
		s.fillIn(&ch.Calls[i].Unfinished)
	}
	return ch
}

// giveChanges gives the goroutines that wait in Changes what has changed. What is taken may be of calls that the close has
// ended, which are left out, and then there may be more.
func (o *owner) giveChanges() {
	for len(o.readers) > 0 && o.core.HasChanges() {
		if ch := o.takeChanges(); len(ch.Calls) > 0 {
			o.readers[0] <- ch
			o.readers = slices.Delete(o.readers, 0, 1)
		}
	}
}

// keepChanges keeps what no goroutine has read yet, since the owner ends.
func (o *owner) keepChanges() {
	for o.giveChanges(); o.core.HasChanges(); {
		if ch := o.takeChanges(); len(ch.Calls) > 0 {
			o.s.lastChanges = append(o.s.lastChanges, ch)
		}
	}
}

// takeChanges describes what has changed.
func (o *owner) takeChanges() Changes {
	now := o.core.Now
	calls := o.core.TakeChanges()
	ch := Changes{At: o.core.Time(now), Calls: make([]Change, 0, len(calls)), Budgets: o.snapshot(now).Budgets}
	for _, c := range calls {
		one := Change{Unfinished: o.describe(c), End: c.EndKind()}
		if one.End != 0 {
			one.State, one.Outcome = "ended", publicError(c.Err())
		}
		ch.Calls = append(ch.Calls, one)
	}
	return ch
}
