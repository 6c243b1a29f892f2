package otelevents

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"example.com/fairlead/events"
	"example.com/fairlead/scheduler"
)

// times holds the metrics of how long calls took.
type times struct {
	wait, run metric.Float64Histogram
	spent     metric.Float64Counter
	turn      metric.Float64Counter

	common  []attribute.KeyValue
	plain   *measurements            // of calls without a key
	byKey   map[string]*measurements // of the first keys; nil without Keys
	others  *measurements            // of further keys
	maxKeys int
}

// measurements have the attributes of measurements. They are made once, because they are expensive.
type measurements struct {
	outcomes map[events.Kind][]metric.RecordOption
	parts    [len(parts)][]metric.AddOption
	turn     []metric.AddOption
}

func newMeasurements(common []attribute.KeyValue, key attribute.KeyValue) *measurements {
	m := &measurements{outcomes: map[events.Kind][]metric.RecordOption{}, turn: []metric.AddOption{withAttributes(common, key)}}
	for kind := range endings(scheduler.Totals{}) {
		m.outcomes[kind] = []metric.RecordOption{withAttributes(common, key, outcome(kind))}
	}
	for i, part := range parts {
		m.parts[i] = []metric.AddOption{withAttributes(common, key, attribute.String("fairlead.part", part.name))}
	}
	return m
}

// of returns the measurements of a call with a key.
func (t *times) of(key string) *measurements {
	if key == "" || t.byKey == nil {
		return t.plain
	}
	key = plain(key)
	m := t.byKey[key]
	switch {
	case m != nil:
	case len(t.byKey) < t.maxKeys:
		m = newMeasurements(t.common, keyAttribute(key))
		t.byKey[key] = m
	case t.others == nil:
		t.others = newMeasurements(t.common, keyAttribute("other"))
		m = t.others
	default:
		m = t.others
	}
	return m
}

func keyAttribute(key string) attribute.KeyValue { return attribute.String("fairlead.key", plain(key)) }

// parts are what a call spends its time on.
var parts = [...]struct {
	name string
	of   func(events.Times) time.Duration
}{
	{"queue", func(t events.Times) time.Duration { return t.Queue }},
	{"tokens", func(t events.Times) time.Duration { return t.Tokens }},
	{"slot", func(t events.Times) time.Duration { return t.Slot }},
	{"hold", func(t events.Times) time.Duration { return t.Hold }},
	{"backoff", func(t events.Times) time.Duration { return t.Backoff }},
	{"later", func(t events.Times) time.Duration { return t.Later }},
	{"run", func(t events.Times) time.Duration { return t.Run }},
}

func newTimes(meter metric.Meter, common []attribute.KeyValue, maxKeys int) (*times, error) {
	wait, err1 := meter.Float64Histogram("fairlead.wait.duration", metric.WithUnit("s"),
		metric.WithDescription("Time that a call has waited, from its arrival to its end without its runs."),
		metric.WithExplicitBucketBoundaries(0.001, 0.01, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800))
	run, err2 := meter.Float64Histogram("fairlead.run.duration", metric.WithUnit("s"),
		metric.WithDescription("Time that a call's attempts have run, added up."),
		metric.WithExplicitBucketBoundaries(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60))
	spent, err3 := meter.Float64Counter("fairlead.call.time", metric.WithUnit("s"),
		metric.WithDescription("What ended calls spent their time on, added up."))
	turn, err4 := meter.Float64Counter("fairlead.call.turn", metric.WithUnit("s"),
		metric.WithDescription("The part of the queue time of ended calls in which only calls of other keys were ahead, added up."))
	t := &times{wait: wait, run: run, spent: spent, turn: turn, common: common, plain: newMeasurements(common, none), maxKeys: maxKeys}
	if maxKeys > 0 {
		t.byKey = map[string]*measurements{}
	}
	return t, errors.Join(err1, err2, err3, err4)
}

// record takes the end of a call.
func (t *times) record(ev events.Event) {
	ctx, m := context.Background(), t.of(ev.Key)
	how := m.outcomes[ev.Kind]
	t.wait.Record(ctx, (ev.Times.Total() - ev.Times.Later - ev.Times.Run).Seconds(), how...)
	t.run.Record(ctx, ev.Times.Run.Seconds(), how...)
	for i, part := range parts {
		if d := part.of(ev.Times); d > 0 {
			t.spent.Add(ctx, d.Seconds(), m.parts[i]...)
		}
	}
	if d := ev.Times.Turn; d > 0 {
		t.turn.Add(ctx, d.Seconds(), m.turn...)
	}
}
