package otelevents

import (
	"testing"
	"time"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"example.com/fairlead/events"
)

// BenchmarkRecord measures the work of the reader of events for a call. It limits the calls a second
// that the reader can keep up with.
func BenchmarkRecord(b *testing.B) {
	meters := sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader()))
	for name, c := range map[string]config{
		"durations":       {durations: true, meters: meters},
		"spans":           {spans: true, meters: meters, tracers: sdktrace.NewTracerProvider()},
		"spans/sampled=0": {spans: true, meters: meters, tracers: sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.TraceIDRatioBased(0)))},
	} {
		b.Run(name, func(b *testing.B) {
			w, err := c.watcher()
			if err != nil {
				b.Fatal(err)
			}
			kinds := c.kinds()
			at := time.Unix(0, 0)
			b.ReportAllocs()
			for b.Loop() {
				for _, kind := range []events.Kind{events.Queued, events.Granted, events.Started, events.Succeeded} {
					if kinds.Has(kind) {
						w.record(events.Event{Kind: kind, At: at, Call: 1, Attempt: 1, Cost: 1, Times: events.Times{Tokens: time.Second, Run: time.Second}})
					}
				}
			}
		})
	}
}
