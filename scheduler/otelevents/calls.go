package otelevents

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"example.com/fairlead/events"
)

// calls makes spans from events. It keeps the calls that have not ended. These are never more than
// the scheduler has itself, because after a loss of events it forgets them all.
type calls struct {
	tracer trace.Tracer
	common []attribute.KeyValue
	keys   bool // spans have the keys of their calls
	open   map[uint64]*call
}

// call records the events of a call so far.
type call struct {
	incomplete bool // not seen from its first event on
	arrived    time.Time
	name, key  string
	cost       int64
	queued     []place // each time it was queued
	attempts   []attempt
}

type place struct {
	at       time.Time
	position int
	wait     time.Duration
}

type attempt struct {
	number  int
	granted time.Time
	started time.Time // zero if no start was seen
	failed  time.Time // zero if there was no retry after it
	err     error
	delay   time.Duration // until the retry
}

func newCalls(tracer trace.Tracer, common []attribute.KeyValue, keys bool) *calls {
	return &calls{tracer: tracer, common: common, keys: keys, open: map[uint64]*call{}}
}

// forget drops all open calls, for when events were lost and any of them may have ended.
func (cs *calls) forget() { clear(cs.open) }

// record takes the next event.
func (cs *calls) record(ev events.Event) {
	switch {
	case ev.Kind == events.Refused:
		cs.export(ev, &call{arrived: ev.At})
	case ev.Kind.Ends():
		cs.export(ev, cs.find(ev))
		delete(cs.open, ev.Call)
	case ev.Kind == events.ShutDown:
		cs.unfinished(ev)
	case forSpans.Has(ev.Kind):
		cs.find(ev).record(ev)
	}
}

// find returns the call that an event is about, if need be a new one.
func (cs *calls) find(ev events.Event) *call {
	c := cs.open[ev.Call]
	if c == nil {
		c = &call{arrived: ev.At, incomplete: ev.Kind != events.Later && ev.Kind != events.Queued || ev.Attempt > 1}
		cs.open[ev.Call] = c
	}
	return c
}

// record takes the next event of the call.
func (c *call) record(ev events.Event) {
	c.name, c.key, c.cost = ev.Name, ev.Key, ev.Cost
	switch ev.Kind {
	case events.Queued:
		c.queued = append(c.queued, place{ev.At, ev.Position, ev.Wait})
	case events.Granted:
		c.attempts = append(c.attempts, attempt{number: ev.Attempt, granted: ev.At})
	case events.Started:
		if a := c.current(); a != nil {
			a.started = ev.At
		}
	case events.Retrying:
		if a := c.current(); a != nil {
			a.failed, a.err, a.delay = ev.At, ev.Err, ev.Delay
		}
	}
}

// current returns the running attempt, or nil.
func (c *call) current() *attempt {
	if n := len(c.attempts); n > 0 && c.attempts[n-1].failed.IsZero() {
		return &c.attempts[n-1]
	}
	return nil
}

// unfinished exports the calls that still run when the scheduler ends. Their ends have no event.
func (cs *calls) unfinished(ev events.Event) {
	for id, c := range cs.open {
		end := events.Event{At: ev.At, Call: id, Name: c.name, Key: c.key, Cost: c.cost}
		if a := c.current(); a != nil {
			end.Attempt = a.number
		}
		cs.export(end, c)
	}
	clear(cs.open)
}

// export makes the spans of a call that ended with the given event.
func (cs *calls) export(end events.Event, c *call) {
	if first := end.At.Add(-end.Times.Total()); end.Times != (events.Times{}) && first.Before(c.arrived) {
		c.arrived, c.incomplete = first, true // it was Later, or more was lost
	}
	ctx, span := cs.tracer.Start(context.Background(), "fairlead.call",
		trace.WithNewRoot(), trace.WithTimestamp(c.arrived), trace.WithAttributes(cs.attributes(&end, c)...))
	if span.IsRecording() {
		for _, q := range c.queued {
			span.AddEvent("queued", trace.WithTimestamp(q.at), trace.WithAttributes(
				attribute.Int("fairlead.queue.position", q.position),
				attribute.Float64("fairlead.wait.estimate", q.wait.Seconds())))
		}
		for i := range c.attempts {
			cs.exportAttempt(ctx, &end, &c.attempts[i])
		}
		fail(span, end.Err)
	}
	span.End(trace.WithTimestamp(end.At))
}

// exportAttempt makes the span of an attempt. The call's last attempt ended with the call.
func (cs *calls) exportAttempt(ctx context.Context, end *events.Event, a *attempt) {
	_, span := cs.tracer.Start(ctx, "fairlead.attempt",
		trace.WithTimestamp(a.granted), trace.WithAttributes(attribute.Int("fairlead.attempt", a.number)))
	if !a.started.IsZero() {
		span.AddEvent("started", trace.WithTimestamp(a.started))
	}
	at, err := end.At, end.Err
	if !a.failed.IsZero() {
		at, err = a.failed, a.err
		span.SetAttributes(attribute.Float64("fairlead.retry.delay", a.delay.Seconds()))
	}
	fail(span, err)
	span.End(trace.WithTimestamp(at))
}

// attributes returns the attributes of a call's span.
func (cs *calls) attributes(end *events.Event, c *call) []attribute.KeyValue {
	all := append(make([]attribute.KeyValue, 0, 18), cs.common...)
	if end.Call != 0 {
		all = append(all, attribute.Int64("fairlead.call", int64(end.Call)))
	}
	if end.Name != "" {
		all = append(all, attribute.String("fairlead.name", plain(end.Name)))
	}
	if cs.keys && end.Key != "" {
		all = append(all, keyAttribute(end.Key))
	}
	all = append(all, attribute.Int64("fairlead.cost", end.Cost), attribute.Int("fairlead.attempts", end.Attempt))
	if end.Kind.Ends() {
		all = append(all, outcome(end.Kind))
	} else {
		all = append(all, attribute.String("fairlead.outcome", "unfinished"))
	}
	if c.incomplete {
		all = append(all, attribute.Bool("fairlead.incomplete", true))
	}
	for _, part := range parts {
		if d := part.of(end.Times); d > 0 {
			all = append(all, attribute.Float64("fairlead.time."+part.name, d.Seconds()))
		}
	}
	if d := end.Times.Turn; d > 0 {
		all = append(all, attribute.Float64("fairlead.time.turn", d.Seconds()))
	}
	return all
}

// fail sets a span's status to an error, if there is one.
func fail(span trace.Span, err error) {
	if err != nil {
		span.SetStatus(codes.Error, plain(errText(err)))
		span.SetAttributes(errorType(err))
	}
}

// errText returns the text of an error. It also handles errors whose methods panic.
func errText(err error) (text string) {
	defer func() {
		if recover() != nil { // the value of the panic panicked, too
			text = fmt.Sprintf("a %T, whose Error method panicked", err)
		}
	}()
	return fmt.Sprint(err) // survives a panic, unlike err.Error()
}

// maxText is how many bytes of a name or an error are exported.
const maxText = 4096

// plain returns a text that every exporter accepts. Protobuf refuses text that is not UTF-8, and with
// it the whole batch.
func plain(s string) string {
	return strings.ToValidUTF8(s[:min(len(s), maxText)], "\ufffd")
}

// errorType returns the type of the innermost error, because those around it are often just markers.
func errorType(err error) (attr attribute.KeyValue) {
	defer func() {
		if recover() != nil { // in a method of a user's error
			attr = semconv.ErrorTypeOther
		}
	}()
	for inner := err; inner != nil; inner = errors.Unwrap(inner) {
		err = inner
	}
	return semconv.ErrorType(err)
}
