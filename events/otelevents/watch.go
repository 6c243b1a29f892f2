package otelevents

import (
	"errors"
	"fmt"
	"sync"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"example.com/fairlead/events"
	"example.com/fairlead/scheduler"
)

// scope names this package to OpenTelemetry.
const scope = "example.com/fairlead/events/otelevents"

// Option changes what [Watch] does.
type Option func(*config)

type config struct {
	name      string
	meters    metric.MeterProvider
	tracers   trace.TracerProvider
	durations bool
	spans     bool
}

// Name sets the attribute fairlead.scheduler on everything. Two schedulers that are watched
// in one process need different names, or their metrics are mixed up.
func Name(name string) Option { return func(c *config) { c.name = name } }

// MeterProvider says where metrics go. Without it, or if it is nil, they go to OpenTelemetry's global
// provider.
func MeterProvider(p metric.MeterProvider) Option { return func(c *config) { c.meters = p } }

// Durations adds the metrics that need the end of every call. It shuts the fast path of
// Do: see the package's documentation.
func Durations() Option { return func(c *config) { c.durations = true } }

// Spans adds a span for every call and its attempts; if p is nil they go to
// OpenTelemetry's global provider. It shuts the fast path of Do: see the package's documentation.
func Spans(p trace.TracerProvider) Option {
	return func(c *config) { c.spans, c.tracers = true, p }
}

// What has to be seen for what.
var (
	forHolds     = events.Of(events.Held, events.Paused, events.Resumed)
	forDurations = events.Of(events.Succeeded, events.Failed, events.Exhausted, events.Cancelled, events.Closed, events.Dropped)
	forSpans     = forDurations | events.Of(events.Queued, events.Granted, events.Started, events.Retrying, events.Refused, events.ShutDown)
)

// Watch shows a scheduler in OpenTelemetry until stop is called. It fails if s is nil or
// an instrument can't be made; then nothing is left behind.
//
// stop returns when all that had happened before is recorded. It may be called more than
// once, and also after the scheduler was closed; don't call it from an exporter or span processor
// that works on the goroutine of whoever ends a span. After Close the metrics stay at the final state until
// stop is called.
func Watch(s *scheduler.Scheduler, opts ...Option) (stop func(), err error) {
	if s == nil {
		return nil, errors.New("otelevents: Watch needs a scheduler, not nil")
	}
	var c config
	for i, opt := range opts {
		if opt == nil {
			return nil, fmt.Errorf("otelevents: option %d is nil", i+1)
		}
		opt(&c)
	}
	w, err := c.watcher()
	if err != nil {
		return nil, err
	}
	registration, err := w.state.register(s)
	if err != nil {
		return nil, err
	}
	sub := s.Subscribe(list(c.kinds())...)
	w.before = s.Snapshot().Totals.Accepted // no call up to here is complete
	over := make(chan struct{})
	go func() {
		defer close(over)
		for ev := range sub.C {
			w.see(ev)
		}
	}()
	return sync.OnceFunc(func() {
		sub.Close()
		<-over
		_ = registration.Unregister() // it only fails for another provider's
	}), nil
}

// kinds are the events that have to be seen.
func (c *config) kinds() events.Kinds {
	kinds := forHolds
	if c.durations {
		kinds |= forDurations
	}
	if c.spans {
		kinds |= forSpans
	}
	return kinds
}

func list(set events.Kinds) (kinds []events.Kind) {
	for k := events.Kind(0); k < 32; k++ {
		if set.Has(k) {
			kinds = append(kinds, k)
		}
	}
	return kinds
}

// watcher is what sees the events. But for state it belongs to one goroutine.
type watcher struct {
	before uint64 // the number of the last call that was taken in before it watched
	state  *state
	times  *times // nil without Durations
	calls  *calls // nil without Spans
}

func (c *config) watcher() (*watcher, error) {
	var common []attribute.KeyValue
	if c.name != "" {
		common = append(common, attribute.String("fairlead.scheduler", c.name))
	}
	if c.meters == nil {
		c.meters = otel.GetMeterProvider()
	}
	meter := c.meters.Meter(scope, metric.WithSchemaURL(semconv.SchemaURL))
	state, err := newState(meter, common)
	if err != nil {
		return nil, err
	}
	w := &watcher{state: state}
	if c.durations {
		if w.times, err = newTimes(meter, common); err != nil {
			return nil, err
		}
	}
	if c.spans {
		if c.tracers == nil {
			c.tracers = otel.GetTracerProvider()
		}
		w.calls = newCalls(c.tracers.Tracer(scope, trace.WithSchemaURL(semconv.SchemaURL)), common)
	}
	return w, nil
}

// see takes note of an event.
func (w *watcher) see(ev events.Event) {
	w.state.see(ev)
	if ev.Missed > 0 && w.calls != nil {
		w.calls.lost()
	}
	if ev.Call != 0 && ev.Call <= w.before {
		return
	}
	if w.times != nil && forDurations.Has(ev.Kind) {
		w.times.record(ev)
	}
	if w.calls != nil {
		w.calls.see(ev)
	}
}
