package timeline

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"example.com/fairlead/events"
	"example.com/fairlead/events/internal/mean"
	"example.com/fairlead/events/internal/safetext"
)

// call records the parts of a call.
type call struct {
	number   uint64
	group    *group
	key      string
	name     string
	attempts int
	cost     int64
	from, to time.Duration
	outcome  events.Kind // 0 until the call has ended
	err      string
	times    events.Times

	state     state
	since     time.Duration // when it entered the state
	available int64         // tokens in the budget when it began to wait
	spans     []span
	lost      bool // events of the call were lost, so spans is empty
}

type state uint8

const (
	unknown state = iota
	notArrived
	waiting
	running
	backingOff
	ended
)

const (
	maxSpans = 128 // of a call; a call with more is drawn as if events had been lost
	maxHolds = 8   // in a wait; if there are more, they are drawn as one, at its beginning
)

// apply takes the next event of the call.
func (c *call) apply(ev events.Event, t *Timeline) {
	if c.state == ended {
		return // no event comes after the last, so this one is another scheduler's
	}
	first := c.state == unknown && c.spans == nil && !c.lost
	if name := text(ev.Name); name != "" {
		c.name = name
	}
	c.cost = ev.Cost
	if c.key == "" && ev.Key != "" {
		c.key = text(ev.Key)
	}
	switch ev.Kind {
	case events.Later:
		c.checkState(first)
		c.state = notArrived
	case events.Queued:
		c.checkState(c.state == backingOff || c.state == notArrived || first)
		c.closeSpan(ev, t)
		c.state, c.available = waiting, ev.Available
	case events.Granted:
		c.checkState(c.state == waiting)
		c.closeSpan(ev, t)
		c.state, c.attempts = running, ev.Attempt
	case events.Started:
		c.checkState(c.state == running)
		return
	case events.Retrying:
		c.checkState(c.state == running)
		c.closeSpan(ev, t)
		c.state = backingOff
	default:
		c.closeSpan(ev, t)
		c.finish(ev, t.now)
	}
	c.since = t.now
}

// checkState records that events were lost if the call is not in the expected state.
func (c *call) checkState(expected bool) {
	if !expected {
		c.lost, c.spans = true, nil
	}
}

// closeSpan ends the current span for good. It drops the spans of a call that has too many.
func (c *call) closeSpan(ev events.Event, t *Timeline) {
	c.endSpan(ev, t)
	c.checkState(len(c.spans) <= maxSpans)
}

// endSpan ends the current span.
func (c *call) endSpan(ev events.Event, t *Timeline) {
	if c.lost {
		return
	}
	s := span{part: tokens, from: c.since, to: t.now, attempt: c.attempts}
	switch c.state {
	case waiting:
		s.attempt++ // the next attempt waits
		if t.availableFor(c) >= c.cost {
			s.part = slot
		}
		c.spans = append(c.spans, c.guessWait(s, t)...)
	case running:
		s.part = run
		if ev.Err != nil {
			s.err = text(safetext.Error(ev.Err))
		}
		c.spans = append(c.spans, s)
	case notArrived:
		s.part = later
		s.attempt++
		c.spans = append(c.spans, s)
	case backingOff:
		s.part = backoff
		c.spans = append(c.spans, s)
	}
}

// finish makes the spans agree with the times of the call's last event.
func (c *call) finish(ev events.Event, now time.Duration) {
	c.state, c.outcome, c.to, c.attempts = ended, ev.Kind, now, ev.Attempt
	if ev.Err != nil {
		c.err = text(safetext.Error(ev.Err))
	}
	defer func() {
		c.from = c.to
		if len(c.spans) > 0 {
			c.from = c.spans[0].from
		}
	}()
	if !mean.Plausible(ev.Times) || ev.Times == (events.Times{}) && !c.lost {
		c.times = sum(c.spans)
		return
	}
	c.times = ev.Times
	spans, ok := fit(c.spans, ev.Times)
	if !ok {
		c.lost = true
		spans = endToEnd(ev.Times, now)
	}
	c.spans = spans
}

// sum returns the total length of the spans of each part.
func sum(spans []span) events.Times {
	var d [parts]time.Duration
	for _, s := range spans {
		d[s.part] += s.length()
	}
	return toTimes(d)
}

// availableFor returns the tokens that were there when a waiting call became the next one.
func (t *Timeline) availableFor(c *call) int64 {
	if t.lastGrant > c.since {
		return t.available
	}
	return c.available
}

// guessWait guesses what a call was waiting for, up to now. Until the last grant to another
// call it was queued behind that one. Since then it has been next, waiting for s.part. Holds and
// pauses come before both.
func (c *call) guessWait(s span, t *Timeline) (spans []span) {
	held := union(slices.Concat(t.holds.within(s.from, s.to), c.group.holds.within(s.from, s.to), t.pauses.within(s.from, s.to)))
	if len(held) > maxHolds {
		one := span{from: s.from, to: s.from}
		for _, h := range held {
			one.to += h.length()
		}
		held = []span{one}
	}
	next := min(max(s.from, t.lastGrant), s.to)
	at := s.from
	add := func(p part, to time.Duration) {
		if to > at {
			spans = appendSpan(spans, span{part: p, attempt: s.attempt, from: at, to: to})
			at = to
		}
	}
	free := func(to time.Duration) {
		add(queue, min(next, to))
		add(s.part, to)
	}
	for _, h := range held {
		free(h.from)
		add(hold, h.to)
	}
	free(s.to)
	return spans
}

// draw returns the call as it stands now.
func (c *call) draw(t *Timeline) call {
	d := *c
	d.spans = slices.Clone(c.spans)
	if c.state != ended {
		d.endSpan(events.Event{}, t) // without the bound, since c itself keeps no more spans
		d.to, d.times = t.now, sum(d.spans)
	}
	return d
}

// title returns the call's number, name and key.
func (c call) title() string {
	s := "call " + strconv.FormatUint(c.number, 10)
	if c.name != "" {
		s += " " + strconv.Quote(c.name)
	}
	if c.key != "" {
		s += " of key " + strconv.Quote(c.key)
	}
	return s
}

// label returns what stands beside the call.
func (c call) label() string { return strconv.FormatUint(c.number, 10) + " " + c.name }

// ending returns how the call ended, such as "succeeded".
func (c call) ending() string {
	if c.outcome == 0 {
		return "not over"
	}
	return c.outcome.String()
}

// String returns all that is known of the call, in one line.
func (c call) String() string {
	s := fmt.Sprintf("%s %s, %s, after %v", c.title(), c.ending(), count(uint64(max(0, c.attempts)), "attempt"), c.times)
	if c.err != "" {
		s += ": " + c.err
	}
	if c.lost {
		s += " (" + unordered + ")"
	}
	return s
}

const unordered = "the order of its parts is not known"
