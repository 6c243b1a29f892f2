package timeline

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"example.com/fairlead/events"
	"example.com/fairlead/events/internal/safetext"
)

// call is what is kept of a call.
type call struct {
	number   uint64
	name     string
	attempts int
	cost     int64
	from, to time.Duration
	outcome  events.Kind // 0: it is not over
	err      string
	times    events.Times

	state   state
	since   time.Duration
	left    int64 // tokens there were when it began to wait
	guessed []span
	lost    bool // there were events that guessed has nothing of
}

type state uint8

const (
	unknown state = iota
	waiting
	running
	backingOff
	over
)

const (
	mostSpans = 128 // of a call; one with more is drawn as if events of it had been lost
	mostHolds = 8   // in a wait; more than that are drawn as one, at its beginning
)

// follow takes the next event of the call.
func (c *call) follow(ev events.Event, t *Timeline) {
	if c.state == over {
		return // no event comes after the last: this is another scheduler's
	}
	first := c.state == unknown && c.guessed == nil && !c.lost
	if name := text(ev.Name); name != "" {
		c.name = name
	}
	c.cost = ev.Cost
	switch ev.Kind {
	case events.Queued:
		c.expect(c.state == backingOff || first)
		c.close(ev, t)
		c.state, c.left = waiting, ev.Available
	case events.Granted:
		c.expect(c.state == waiting)
		c.close(ev, t)
		c.state, c.attempts = running, ev.Attempt
	case events.Started:
		c.expect(c.state == running)
		return
	case events.Retrying:
		c.expect(c.state == running)
		c.close(ev, t)
		c.state = backingOff
	default:
		c.close(ev, t)
		c.end(ev, t.now)
	}
	c.since = t.now
}

// expect notes that events were lost if the call is not in the state it should be.
func (c *call) expect(as bool) {
	if !as {
		c.lost, c.guessed = true, nil
	}
}

// close ends the span that goes on.
func (c *call) close(ev events.Event, t *Timeline) {
	if c.lost {
		return
	}
	s := span{part: tokens, from: c.since, to: t.now, attempt: c.attempts}
	switch c.state {
	case waiting:
		s.attempt++ // it is for the next
		if t.leftAt(c) >= c.cost {
			s.part = slot
		}
		c.guessed = append(c.guessed, t.wait(s)...)
	case running:
		s.part = run
		if ev.Err != nil {
			s.err = text(safetext.Error(ev.Err))
		}
		c.guessed = append(c.guessed, s)
	case backingOff:
		s.part = backoff
		c.guessed = append(c.guessed, s)
	}
	c.expect(len(c.guessed) <= mostSpans)
}

// end makes of what was guessed what the times say.
func (c *call) end(ev events.Event, now time.Duration) {
	c.state, c.outcome, c.to, c.attempts = over, ev.Kind, now, ev.Attempt
	if ev.Err != nil {
		c.err = text(safetext.Error(ev.Err))
	}
	defer func() {
		c.from = c.to
		if len(c.guessed) > 0 {
			c.from = c.guessed[0].from
		}
	}()
	if !plausible(ev.Times) || ev.Times == (events.Times{}) && !c.lost {
		c.times = sum(c.guessed)
		return
	}
	c.times = ev.Times
	spans, ok := fit(c.guessed, ev.Times)
	if !ok {
		c.lost = true
		spans = endToEnd(ev.Times, now)
	}
	c.guessed = spans
}

func sum(spans []span) events.Times {
	var d [parts]time.Duration
	for _, s := range spans {
		d[s.part] += s.length()
	}
	return toTimes(d)
}

// leftAt is how many tokens there were when a call that waits was next, as far as is known.
func (t *Timeline) leftAt(c *call) int64 {
	if t.granted > c.since {
		return t.left
	}
	return c.left
}

// wait guesses what a wait that ends now has been for. Whoever was granted before the end of
// it went ahead: until then it was in the queue, then it was next, and waited for what its
// part says. Holds come before both.
func (t *Timeline) wait(s span) (spans []span) {
	held := union(append(t.holds.within(s.from, s.to), t.pauses.within(s.from, s.to)...))
	if len(held) > mostHolds {
		one := span{from: s.from, to: s.from}
		for _, h := range held {
			one.to += h.length()
		}
		held = []span{one}
	}
	next := min(max(s.from, t.granted), s.to)
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

// draw is the call as it stands now.
func (c *call) draw(t *Timeline) drawn {
	d := drawn{call: *c, spans: slices.Clone(c.guessed)}
	if c.state == over {
		return d
	}
	going := *c
	going.guessed = d.spans
	going.close(events.Event{}, t)
	d.spans, d.to, d.times = going.guessed, t.now, sum(going.guessed)
	return d
}

// title is the call's number and name.
func (d drawn) title() string {
	s := "call " + strconv.FormatUint(d.number, 10)
	if d.name != "" {
		s += " " + strconv.Quote(d.name)
	}
	return s
}

// ending is how it ended, such as "succeeded".
func (d drawn) ending() string {
	if d.outcome == 0 {
		return "not over"
	}
	return d.outcome.String()
}

// String is all that there is to say, in one line.
func (d drawn) String() string {
	s := fmt.Sprintf("%s %s, %s, after %v", d.title(), d.ending(), count(uint64(max(0, d.attempts)), "attempt"), d.times)
	if d.err != "" {
		s += ": " + d.err
	}
	if d.lost {
		s += " (" + unordered + ")"
	}
	return s
}

const unordered = "the order of its parts is not known"
