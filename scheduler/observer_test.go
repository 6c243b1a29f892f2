package scheduler

import (
	"fmt"
	"time"

	"example.com/fairlead/events"
)

// observer checks the events of a scheduler, all of them from the first on. It reports what no
// scheduler may do: events that are lost or out of order, impossible sequences of a call's events,
// and grants out of turn, without a slot, during a hold or a pause, or before their tokens existed.
type observer struct {
	rank  func(events.Event) time.Duration // of a call, at its first Queued event
	slots int                              // the cap on running calls; 0: none
	purse *purse                           // nil: tokens are not counted

	calls   map[uint64]*seenCall
	queued  map[uint64]*seenCall
	running int
	seq     uint64
	at      time.Time // of the latest event
	held    time.Time // the end of the hold
	paused  bool
	over    bool
	faults  []string
}

// seenCall is a call as its events tell.
type seenCall struct {
	id      uint64
	rank    time.Duration
	arrived time.Time
	attempt int
	last    events.Kind
}

// purse is a budget that gets one token every so often. It counts in units of time, without
// rounding.
type purse struct{ capacity, every, level time.Duration }

func newPurse(tokens int64, every time.Duration) *purse {
	full := time.Duration(tokens) * every
	return &purse{capacity: full, every: every, level: full}
}

func (p *purse) put(d time.Duration) { p.level = min(p.level+d, p.capacity) }

// follows has the kinds of events that may follow each kind in a call. Kinds that end it have none.
var follows = [...]events.Kinds{
	0:               events.Of(events.Queued),
	events.Queued:   events.Of(events.Granted, events.Canceled, events.Closed, events.Dropped, events.Failed),
	events.Granted:  events.Of(events.Started, events.Retrying, events.Succeeded, events.Failed, events.Exhausted, events.Canceled),
	events.Started:  events.Of(events.Retrying, events.Succeeded, events.Failed, events.Exhausted, events.Canceled),
	events.Retrying: events.Of(events.Queued, events.Canceled, events.Closed, events.Failed),
	events.ShutDown: 0,
}

func (o *observer) fault(ev events.Event, format string, args ...any) {
	if len(o.faults) < 10 {
		o.faults = append(o.faults, fmt.Sprintf("%v: ", ev)+fmt.Sprintf(format, args...))
	}
}

// see checks the next event.
func (o *observer) see(ev events.Event) {
	if o.calls == nil {
		o.calls, o.queued, o.at = map[uint64]*seenCall{}, map[uint64]*seenCall{}, ev.At
	}
	o.seq++
	switch {
	case ev.Seq != o.seq || ev.Missed != 0:
		o.fault(ev, "its number is %d with %d missed, after number %d", ev.Seq, ev.Missed, o.seq-1)
	case ev.At.Before(o.at):
		o.fault(ev, "%v older than the event before", o.at.Sub(ev.At))
	case o.over:
		o.fault(ev, "after the end")
	}
	o.passTime(ev)
	switch ev.Kind {
	case events.Refused:
		if ev.Call != 0 || ev.Err == nil {
			o.fault(ev, "a refusal with call %d and error %v", ev.Call, ev.Err)
		}
	case events.Held:
		if !ev.Until.After(o.held) || !ev.Until.After(ev.At) {
			o.fault(ev, "it shortens a hold")
		}
		o.held = ev.Until
		if o.purse != nil {
			o.purse.level = min(o.purse.level, 0)
		}
	case events.Paused:
		o.paused = true
	case events.Resumed:
		if !o.paused {
			o.fault(ev, "there is no pause")
		}
		o.paused = false
	case events.ShutDown:
		o.over = true
	default:
		o.callEvent(ev)
	}
	switch p, left := o.purse, time.Duration(ev.Available); {
	case p == nil || left == p.level/p.every:
	case left > p.level/p.every:
		o.fault(ev, "%d tokens left, counted %d", ev.Available, p.level/p.every)
		p.level = left * p.every // so that the next fault is another one
	default: // a full bucket lost refill before late grants (B7, late owner)
		p.level = (left+1)*p.every - 1
	}
}

// passTime adds the refill up to an event.
func (o *observer) passTime(ev events.Event) {
	from := o.at
	if o.held.After(from) {
		from = o.held
	}
	if o.purse != nil && !o.paused && ev.At.After(from) {
		o.purse.put(ev.At.Sub(from))
	}
	o.at = ev.At
}

// callEvent checks an event of a call.
func (o *observer) callEvent(ev events.Event) {
	c := o.calls[ev.Call]
	if c == nil {
		c = &seenCall{id: ev.Call, arrived: ev.At, rank: o.rank(ev)}
		if n := uint64(len(o.calls)) + 1; c.id != n {
			o.fault(ev, "the number of this call should be %d", n)
		}
		o.calls[c.id] = c
	}
	if !follows[c.last].Has(ev.Kind) {
		o.fault(ev, "it follows %v", c.last)
	}
	last := c.last
	c.last = ev.Kind
	delete(o.queued, c.id)
	if last == events.Granted && ev.Kind != events.Started || last == events.Started {
		o.running--
	}
	switch {
	case ev.Kind == events.Queued:
		o.queued[c.id] = c
		if ev.Wait < 0 || ev.Attempt != c.attempt+1 {
			o.fault(ev, "attempt %d in %v, after %d", ev.Attempt, ev.Wait, c.attempt)
		}
	case ev.Kind == events.Granted:
		c.attempt++
		o.granted(ev, c)
	case ev.Kind == events.Canceled && last == events.Granted: // the grant was given back
		c.attempt--
		if o.purse != nil {
			o.purse.put(time.Duration(ev.Cost) * o.purse.every)
		}
	case ev.Kind == events.Dropped && c.attempt > 0:
		o.fault(ev, "it was granted before")
	}
	if ev.Kind != events.Queued && ev.Attempt != c.attempt {
		o.fault(ev, "this is attempt %d", c.attempt)
	}
	if ev.Kind.Ends() {
		o.ended(ev, c)
	}
}

func (o *observer) granted(ev events.Event, c *seenCall) {
	o.running++
	switch {
	case o.slots > 0 && o.running > o.slots:
		o.fault(ev, "%d calls run, with %d slots", o.running, o.slots)
	case o.paused || ev.At.Before(o.held):
		o.fault(ev, "a grant during a hold or a pause")
	}
	for _, other := range o.queued {
		if other.rank < c.rank || other.rank == c.rank && other.id < c.id {
			o.fault(ev, "call %d ranks before it", other.id)
		}
	}
	if p := o.purse; p != nil {
		if p.level -= time.Duration(ev.Cost) * p.every; p.level < 0 {
			o.fault(ev, "%v before its tokens existed", -p.level)
		}
	}
}

func (o *observer) ended(ev events.Event, c *seenCall) {
	if (ev.Err == nil) != (ev.Kind == events.Succeeded) {
		o.fault(ev, "it ended with %v", ev.Err)
	}
	if took := ev.At.Sub(c.arrived); ev.Times.Total() != took {
		o.fault(ev, "it took %v and says %v", took, ev.Times)
	}
}

// unfinished returns the number of calls without an end.
func (o *observer) unfinished() (n int) {
	for _, c := range o.calls {
		if !c.last.Ends() {
			n++
		}
	}
	return n
}
