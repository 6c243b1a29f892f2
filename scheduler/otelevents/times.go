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

	outcomes map[events.Kind][]metric.RecordOption // made once, because they are expensive
	parts    [len(parts)][]metric.AddOption
}

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

func newTimes(meter metric.Meter, common []attribute.KeyValue) (*times, error) {
	wait, err1 := meter.Float64Histogram("fairlead.wait.duration", metric.WithUnit("s"),
		metric.WithDescription("Time that a call has waited, from its arrival to its end without its runs."),
		metric.WithExplicitBucketBoundaries(0.001, 0.01, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800))
	run, err2 := meter.Float64Histogram("fairlead.run.duration", metric.WithUnit("s"),
		metric.WithDescription("Time that a call's attempts have run, added up."),
		metric.WithExplicitBucketBoundaries(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60))
	spent, err3 := meter.Float64Counter("fairlead.call.time", metric.WithUnit("s"),
		metric.WithDescription("What ended calls spent their time on, added up."))
	t := &times{wait: wait, run: run, spent: spent, outcomes: map[events.Kind][]metric.RecordOption{}}
	for kind := range endings(scheduler.Totals{}) {
		t.outcomes[kind] = []metric.RecordOption{withAttributes(common, outcome(kind))}
	}
	for i, part := range parts {
		t.parts[i] = []metric.AddOption{withAttributes(common, attribute.String("fairlead.part", part.name))}
	}
	return t, errors.Join(err1, err2, err3)
}

// record takes the end of a call.
func (t *times) record(ev events.Event) {
	ctx, how := context.Background(), t.outcomes[ev.Kind]
	t.wait.Record(ctx, (ev.Times.Total() - ev.Times.Later - ev.Times.Run).Seconds(), how...)
	t.run.Record(ctx, ev.Times.Run.Seconds(), how...)
	for i, part := range parts {
		if d := part.of(ev.Times); d > 0 {
			t.spent.Add(ctx, d.Seconds(), t.parts[i]...)
		}
	}
}
