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

// scope is the name of this package in OpenTelemetry.
const scope = "example.com/fairlead/scheduler/otelevents"

// Option changes what [Watch] does.
type Option func(*config)

type config struct {
	name      string
	meters    metric.MeterProvider
	tracers   trace.TracerProvider
	durations bool
	spans     bool
	keys      int
}

// Name sets the attribute fairlead.scheduler on all metrics and spans. Two schedulers of one process
// need different names, or their metrics are mixed up.
func Name(name string) Option { return func(c *config) { c.name = name } }

// MeterProvider sets the provider of metrics. The default, also for nil, is OpenTelemetry's global
// provider.
func MeterProvider(p metric.MeterProvider) Option { return func(c *config) { c.meters = p } }

// Durations adds the metrics that need the end of every call. It closes the fast path of Do (see the
// package's documentation).
func Durations() Option { return func(c *config) { c.durations = true } }

// Spans adds a span for every call and its attempts. If p is nil, they go to OpenTelemetry's global
// provider. Spans closes the fast path of Do (see the package's documentation).
func Spans(p trace.TracerProvider) Option {
	return func(c *config) { c.spans, c.tracers = true, p }
}

// Keys adds the attribute fairlead.key to the metrics of [Durations] and to the spans of calls. It does nothing without
// [Durations] or [Spans]. In metrics the first n keys have values of their own, and all further keys have the value
// "other", because a backend keeps a series for each value. A key may be the name of a customer, so check who reads the
// metrics. Zero, the default, means no attribute. A call without a key has none.
func Keys(n int) Option { return func(c *config) { c.keys = n } }

// The kinds of events that each depth needs.
var (
	forHolds     = events.Of(events.Held, events.Paused, events.Resumed)
	forDurations = events.Ends &^ events.Of(events.Refused)
	forSpans     = events.Ends | events.Of(events.Later, events.Queued, events.Granted, events.Started, events.Retrying, events.ShutDown)
)

// Watch exports a scheduler to OpenTelemetry until stop is called. It fails if s is nil or an
// instrument can't be made, and then it exports nothing.
//
// stop returns when all that happened before is recorded. It may be called more than once, and after
// the scheduler was closed. Don't call it from an exporter or span processor that runs on the
// goroutine that ends a span. After Close the metrics keep their last values until stop is called.
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
	if c.keys < 0 {
		return nil, fmt.Errorf("otelevents: Keys(%d): it must be positive, or 0 for no attribute", c.keys)
	}
	w, err := c.watcher()
	if err != nil {
		return nil, err
	}
	registration, err := w.state.register(s)
	if err != nil {
		return nil, err
	}
	sub := s.Subscribe(c.kinds())
	w.before = s.Snapshot().Totals.Accepted // calls up to this one are incomplete
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ev := range sub.C {
			w.record(ev)
		}
	}()
	return sync.OnceFunc(func() {
		sub.Close()
		<-done
		_ = registration.Unregister() // fails only for another provider's
	}), nil
}

// kinds returns the kinds of events to subscribe to.
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

// watcher takes the events. Except for state it belongs to one goroutine.
type watcher struct {
	before uint64 // the number of the last call that was accepted before Watch
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
		if w.times, err = newTimes(meter, common, c.keys); err != nil {
			return nil, err
		}
	}
	if c.spans {
		if c.tracers == nil {
			c.tracers = otel.GetTracerProvider()
		}
		w.calls = newCalls(c.tracers.Tracer(scope, trace.WithSchemaURL(semconv.SchemaURL)), common, c.keys > 0)
	}
	return w, nil
}

// record takes the next event.
func (w *watcher) record(ev events.Event) {
	w.state.record(ev)
	if ev.Missed > 0 && w.calls != nil {
		w.calls.forget()
	}
	if ev.Call != 0 && ev.Call <= w.before {
		return
	}
	if w.times != nil && forDurations.Has(ev.Kind) {
		w.times.record(ev)
	}
	if w.calls != nil {
		w.calls.record(ev)
	}
}
