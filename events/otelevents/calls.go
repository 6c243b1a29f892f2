package otelevents

import (
	"context"
	"errors"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"example.com/fairlead/events"
	"example.com/fairlead/events/internal/safetext"
)

// calls makes spans. It keeps what it has seen of calls that have not ended: never more of
// them than the scheduler itself has open, because it forgets them all when it may have
// missed that some have ended.
type calls struct {
	tracer trace.Tracer
	common []attribute.KeyValue
	open   map[uint64]*call
}

// call is what was seen of a call.
type call struct {
	partly   bool // not from its arrival on
	arrived  time.Time
	name     string
	cost     int64
	queued   []place // each time that it was put into the queue
	attempts []attempt
}

type place struct {
	at       time.Time
	position int
	wait     time.Duration
}

type attempt struct {
	number  int
	granted time.Time
	started time.Time // zero if its function was not seen to start
	failed  time.Time // zero if it is not to be retried
	err     error
	delay   time.Duration // until the retry
}

func newCalls(tracer trace.Tracer, common []attribute.KeyValue) *calls {
	return &calls{tracer: tracer, common: common, open: map[uint64]*call{}}
}

// lost is for when events were lost: nobody can tell which calls have ended.
func (cs *calls) lost() { clear(cs.open) }

// see takes note of an event.
func (cs *calls) see(ev events.Event) {
	switch {
	case ev.Kind == events.Refused:
		cs.export(ev, &call{arrived: ev.At})
	case ev.Kind.Ends():
		cs.export(ev, cs.of(ev))
		delete(cs.open, ev.Call)
	case ev.Kind == events.ShutDown:
		cs.unfinished(ev)
	case forSpans.Has(ev.Kind):
		cs.of(ev).see(ev)
	}
}

// of is the call that an event is about.
func (cs *calls) of(ev events.Event) *call {
	c := cs.open[ev.Call]
	if c == nil {
		c = &call{arrived: ev.At, partly: ev.Kind != events.Queued || ev.Attempt > 1}
		cs.open[ev.Call] = c
	}
	return c
}

func (c *call) see(ev events.Event) {
	c.name, c.cost = ev.Name, ev.Cost
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

// current is the attempt that runs, or nil.
func (c *call) current() *attempt {
	if n := len(c.attempts); n > 0 && c.attempts[n-1].failed.IsZero() {
		return &c.attempts[n-1]
	}
	return nil
}

// unfinished makes spans of what runs when the scheduler ends: of its end there is no event.
func (cs *calls) unfinished(ev events.Event) {
	for id, c := range cs.open {
		end := events.Event{At: ev.At, Call: id, Name: c.name, Cost: c.cost}
		if a := c.current(); a != nil {
			end.Attempt = a.number
		}
		cs.export(end, c)
	}
	clear(cs.open)
}

// export makes the spans of a call, of which the event is the end.
func (cs *calls) export(end events.Event, c *call) {
	if c.partly && end.Times != (events.Times{}) {
		c.arrived = end.At.Add(-end.Times.Total())
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

// exportAttempt makes the span of an attempt of a call. The last ended with the call.
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

// attributes are those of the span of a call.
func (cs *calls) attributes(end *events.Event, c *call) []attribute.KeyValue {
	all := append(make([]attribute.KeyValue, 0, 16), cs.common...)
	if end.Call != 0 {
		all = append(all, attribute.Int64("fairlead.call", int64(end.Call)))
	}
	if end.Name != "" {
		all = append(all, attribute.String("fairlead.name", plain(end.Name)))
	}
	all = append(all, attribute.Int64("fairlead.cost", end.Cost), attribute.Int("fairlead.attempts", end.Attempt))
	if end.Kind.Ends() {
		all = append(all, outcome(end.Kind))
	} else {
		all = append(all, attribute.String("fairlead.outcome", "unfinished"))
	}
	if c.partly {
		all = append(all, attribute.Bool("fairlead.incomplete", true))
	}
	for _, part := range parts {
		if d := part.of(end.Times); d > 0 {
			all = append(all, attribute.Float64("fairlead.time."+part.name, d.Seconds()))
		}
	}
	return all
}

// fail gives a span the status of an error, if there is one.
func fail(span trace.Span, err error) {
	if err != nil {
		span.SetStatus(codes.Error, plain(safetext.Error(err)))
		span.SetAttributes(errorType(err))
	}
}

// longestText is how many bytes of a name or an error are exported.
const longestText = 4096

// plain returns a text that every exporter takes. Protobuf refuses text that is not UTF-8, and everything sent along
// with it.
func plain(s string) string {
	return strings.ToValidUTF8(s[:min(len(s), longestText)], "\ufffd")
}

// errorType is the type of the innermost error: what is around it here is often but a marker.
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
