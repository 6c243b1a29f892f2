package otelevents_test

import (
	"context"
	"testing"
	"time"

	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"example.com/fairlead/bucket"
	"example.com/fairlead/scheduler"
	"example.com/fairlead/scheduler/otelevents"
)

// BenchmarkDo measures a plain call at each depth, on one goroutine and on many. The reader of events
// has its own goroutine, but takes processor time from the calls. Spans are recorded and discarded.
// "lost" is the fraction of events that were lost because the reader was too slow.
func BenchmarkDo(b *testing.B) {
	for _, depth := range []struct {
		name string
		opts func(b *testing.B) []otelevents.Option
	}{
		{"unwatched", nil},
		{"metrics", func(*testing.B) []otelevents.Option { return nil }},
		{"durations", func(*testing.B) []otelevents.Option { return []otelevents.Option{otelevents.Durations()} }},
		{"spans", spansOf(sdktrace.AlwaysSample())},
		{"spans/sampled=1%", spansOf(sdktrace.TraceIDRatioBased(0.01))},
	} {
		for _, goroutines := range []string{"one", "many"} {
			b.Run(depth.name+"/"+goroutines, func(b *testing.B) {
				s, err := scheduler.New(scheduler.Config{Limit: bucket.Per(1_000_000_000, time.Second).Burst(1 << 50)})
				if err != nil {
					b.Fatal(err)
				}
				defer s.Close()
				reader, meters := newReader()
				if depth.opts != nil {
					stop, err := otelevents.Watch(s, append(depth.opts(b), otelevents.MeterProvider(meters))...)
					if err != nil {
						b.Fatal(err)
					}
					defer stop()
				}
				ctx := context.Background()
				b.ReportAllocs()
				if goroutines == "one" {
					for b.Loop() {
						_ = s.Do(ctx, nothing)
					}
				} else {
					b.SetParallelism(64)
					b.RunParallel(func(pb *testing.PB) {
						for pb.Next() {
							_ = s.Do(ctx, nothing)
						}
					})
				}
				if depth.opts != nil {
					b.ReportMetric(collect(b, reader).values["fairlead.events.dropped"]/float64(b.N), "lost/op")
				}
			})
		}
	}
}

func spansOf(sampler sdktrace.Sampler) func(b *testing.B) []otelevents.Option {
	return func(b *testing.B) []otelevents.Option {
		provider := sdktrace.NewTracerProvider(sdktrace.WithSampler(sampler), sdktrace.WithSpanProcessor(discard{}))
		b.Cleanup(func() { _ = provider.Shutdown(context.Background()) })
		return []otelevents.Option{otelevents.Spans(provider)}
	}
}

// discard is a span processor that does nothing with a span.
type discard struct{}

func (discard) OnStart(context.Context, sdktrace.ReadWriteSpan) {}
func (discard) OnEnd(sdktrace.ReadOnlySpan)                     {}
func (discard) Shutdown(context.Context) error                  { return nil }
func (discard) ForceFlush(context.Context) error                { return nil }

// BenchmarkCollect measures a collection of all metrics of a scheduler with one budget.
func BenchmarkCollect(b *testing.B) {
	s, err := scheduler.New(scheduler.Config{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	reader, meters := newReader()
	stop, err := otelevents.Watch(s, otelevents.MeterProvider(meters))
	if err != nil {
		b.Fatal(err)
	}
	defer stop()
	var rm metricdata.ResourceMetrics
	b.ReportAllocs()
	for b.Loop() {
		_ = reader.Collect(context.Background(), &rm)
	}
}
