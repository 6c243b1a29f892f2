// Package observer checks the events of a scheduler or of its core, for tests.
package observer

import (
	"fmt"
	"time"

	"example.com/fairlead/events"
)

// Observer checks the events of a scheduler, all of them from the first on. It reports what no
// scheduler may do: events that are lost or out of order, impossible sequences of a call's events,
// and grants out of turn within a key, without a slot, during a hold or a pause, or before their tokens existed.
type Observer struct {
	Rank  func(events.Event) time.Duration // of a call, at its first event
	Slots int                              // the cap on running calls; 0: none
	Purse *Purse                           // nil: tokens are not counted

	Calls   map[uint64]*Call
	queued  map[uint64]*Call
	running int
	Seq     uint64
	at      time.Time            // of the latest event
	held    map[string]time.Time // the end of the hold of each key; "" is that of all calls
	paused  bool
	Over    bool
	Faults  []string
}

// Call is a call as its events tell.
type Call struct {
	id      uint64
	key     string
	rank    time.Duration
	arrived time.Time
	due     time.Time // when it arrives, if it was Later
	attempt int
	Last    events.Kind
}

// Purse is a budget that gets one token every so often. It counts in units of time, without
// rounding.
type Purse struct{ capacity, every, level time.Duration }

// NewPurse returns a full purse.
func NewPurse(tokens int64, every time.Duration) *Purse {
	full := time.Duration(tokens) * every
	return &Purse{capacity: full, every: every, level: full}
}

func (p *Purse) put(d time.Duration) { p.level = min(p.level+d, p.capacity) }

// Follows has the kinds of events that may follow each kind in a call. Kinds that end it have none.
var Follows = [...]events.Kinds{
	0:               events.Of(events.Queued, events.Later),
	events.Later:    events.Of(events.Queued, events.Canceled, events.Closed, events.Dropped, events.Failed),
	events.Queued:   events.Of(events.Granted, events.Canceled, events.Closed, events.Dropped, events.Failed, events.Exhausted),
	events.Granted:  events.Of(events.Started, events.Retrying, events.Succeeded, events.Failed, events.Exhausted, events.Canceled),
	events.Started:  events.Of(events.Retrying, events.Succeeded, events.Failed, events.Exhausted, events.Canceled),
	events.Retrying: events.Of(events.Queued, events.Canceled, events.Closed, events.Failed, events.Exhausted),
	events.ShutDown: 0,
}

func (o *Observer) fault(ev events.Event, format string, args ...any) {
	if len(o.Faults) < 10 {
		o.Faults = append(o.Faults, fmt.Sprintf("%v: ", ev)+fmt.Sprintf(format, args...))
	}
}

// Begin sets the time at which the observation begins. Without it that is the time of the first event.
func (o *Observer) Begin(at time.Time) {
	o.Calls, o.queued, o.held, o.at = map[uint64]*Call{}, map[uint64]*Call{}, map[string]time.Time{}, at
}

// See checks the next event.
func (o *Observer) See(ev events.Event) {
	if o.Calls == nil {
		o.Begin(ev.At)
	}
	o.Seq++
	switch {
	case ev.Seq != o.Seq || ev.Missed != 0:
		o.fault(ev, "its number is %d with %d missed, after number %d", ev.Seq, ev.Missed, o.Seq-1)
	case ev.At.Before(o.at):
		o.fault(ev, "%v older than the event before", o.at.Sub(ev.At))
	case o.Over:
		o.fault(ev, "after the end")
	}
	o.passTime(ev)
	switch ev.Kind {
	case events.Refused:
		if ev.Call != 0 || ev.Err == nil {
			o.fault(ev, "a refusal with call %d and error %v", ev.Call, ev.Err)
		}
	case events.Held:
		if !ev.Until.After(o.held[ev.Key]) || !ev.Until.After(ev.At) {
			o.fault(ev, "it shortens a hold")
		}
		o.held[ev.Key] = ev.Until
		if o.Purse != nil && ev.Key == "" {
			o.Purse.level = min(o.Purse.level, 0)
		}
	case events.Paused:
		o.paused = true
	case events.Resumed:
		if !o.paused {
			o.fault(ev, "there is no pause")
		}
		o.paused = false
	case events.ShutDown:
		o.Over = true
	default:
		o.callEvent(ev)
	}
	switch p, left := o.Purse, time.Duration(ev.Available); {
	case p == nil || left == p.level/p.every:
	case left > p.level/p.every:
		o.fault(ev, "%d tokens left, counted %d", ev.Available, p.level/p.every)
		p.level = left * p.every // so that the next fault is another one
	default: // a full bucket lost refill before late grants (B7, late owner)
		p.level = (left+1)*p.every - 1
	}
}

// passTime adds the refill up to an event.
func (o *Observer) passTime(ev events.Event) {
	from := o.at
	if held := o.held[""]; held.After(from) {
		from = held
	}
	if o.Purse != nil && !o.paused && ev.At.After(from) {
		o.Purse.put(ev.At.Sub(from))
	}
	o.at = ev.At
}

// callEvent checks an event of a call.
func (o *Observer) callEvent(ev events.Event) {
	c := o.Calls[ev.Call]
	if c == nil {
		c = &Call{id: ev.Call, key: ev.Key, arrived: ev.At, rank: o.Rank(ev)}
		if n := uint64(len(o.Calls)) + 1; c.id != n {
			o.fault(ev, "the number of this call should be %d", n)
		}
		o.Calls[c.id] = c
	}
	if !Follows[c.Last].Has(ev.Kind) {
		o.fault(ev, "it follows %v", c.Last)
	}
	last := c.Last
	c.Last = ev.Kind
	delete(o.queued, c.id)
	if last == events.Granted && ev.Kind != events.Started || last == events.Started {
		o.running--
	}
	switch {
	case ev.Kind == events.Queued:
		o.queued[c.id] = c
		if ev.At.Before(c.due) {
			o.fault(ev, "it arrives at %v", c.due)
		}
		if ev.Wait < 0 || ev.Attempt != c.attempt+1 {
			o.fault(ev, "attempt %d in %v, after %d", ev.Attempt, ev.Wait, c.attempt)
		}
	case ev.Kind == events.Later:
		c.due = ev.Until
		if !c.due.After(ev.At) || ev.Attempt != 1 {
			o.fault(ev, "attempt %d until %v", ev.Attempt, ev.Until)
		}
	case ev.Kind == events.Granted:
		c.attempt++
		o.granted(ev, c)
	case ev.Kind == events.Canceled && last == events.Granted: // the grant was given back
		c.attempt--
		if o.Purse != nil {
			o.Purse.put(time.Duration(ev.Cost) * o.Purse.every)
		}
	case ev.Kind == events.Dropped && c.attempt > 0:
		o.fault(ev, "it was granted before")
	}
	if ev.Kind != events.Queued && ev.Kind != events.Later && ev.Attempt != c.attempt {
		o.fault(ev, "this is attempt %d", c.attempt)
	}
	if ev.Kind.Ends() {
		o.ended(ev, c)
	}
}

func (o *Observer) granted(ev events.Event, c *Call) {
	o.running++
	switch {
	case o.Slots > 0 && o.running > o.Slots:
		o.fault(ev, "%d calls run, with %d slots", o.running, o.Slots)
	case o.paused || ev.At.Before(o.held[""]) || ev.At.Before(o.held[c.key]):
		o.fault(ev, "a grant during a hold or a pause")
	}
	for _, other := range o.queued {
		if other.key == c.key && (other.rank < c.rank || other.rank == c.rank && other.id < c.id) {
			o.fault(ev, "call %d ranks before it", other.id)
		}
	}
	if p := o.Purse; p != nil {
		if p.level -= time.Duration(ev.Cost) * p.every; p.level < 0 {
			o.fault(ev, "%v before its tokens existed", -p.level)
		}
	}
}

func (o *Observer) ended(ev events.Event, c *Call) {
	if (ev.Err == nil) != (ev.Kind == events.Succeeded) {
		o.fault(ev, "it ended with %v", ev.Err)
	}
	if took := ev.At.Sub(c.arrived); ev.Times.Total() != took {
		o.fault(ev, "it took %v and says %v", took, ev.Times)
	}
}

// Unfinished returns the number of calls without an end.
func (o *Observer) Unfinished() (n int) {
	for _, c := range o.Calls {
		if !c.Last.Ends() {
			n++
		}
	}
	return n
}
