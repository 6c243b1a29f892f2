package otelevents_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
	"example.com/fairlead/scheduler/otelevents"
)

// prometheusPage is a page of metrics for Prometheus.
type prometheusPage struct {
	*sdkmetric.MeterProvider
	registry *prometheus.Registry
}

func newPage() prometheusPage {
	registry := prometheus.NewRegistry()
	exporter, err := otelprometheus.New(otelprometheus.WithRegisterer(registry), otelprometheus.WithoutScopeInfo())
	if err != nil {
		panic(err)
	}
	return prometheusPage{sdkmetric.NewMeterProvider(sdkmetric.WithReader(exporter)), registry}
}

// print prints the lines that begin with one of the prefixes.
func (p prometheusPage) print(prefixes ...string) {
	page := httptest.NewRecorder()
	promhttp.HandlerFor(p.registry, promhttp.HandlerOpts{}).ServeHTTP(page, httptest.NewRequest("GET", "/metrics", nil))
	for line := range strings.Lines(page.Body.String()) {
		for _, prefix := range prefixes {
			if strings.HasPrefix(line, prefix) {
				fmt.Print(line)
			}
		}
	}
}

// A call that the server refuses once, as metrics and as spans.
func Example() {
	page, spans := newPage(), tracetest.NewInMemoryExporter()
	s, err := scheduler.New(scheduler.Config{Retry: retry.Policy{Initial: 1, Jitter: retry.None}}) // 1 ns, so that the example is fast
	if err != nil {
		panic(err)
	}
	defer s.Close()
	stop, err := otelevents.Watch(s,
		otelevents.MeterProvider(page),
		otelevents.Spans(sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))))
	if err != nil {
		panic(err)
	}
	defer stop()

	refused := false
	_ = s.Do(context.Background(), func(context.Context) error {
		if !refused {
			refused = true
			return retry.RateLimited(errors.New("429 Too Many Requests"))
		}
		return nil
	})
	s.Sync() // waits until the end of the call is counted
	page.print("fairlead_attempts", "fairlead_rate_limited")
	stop() // waits until all is recorded
	fmt.Println(len(spans.GetSpans()), "spans")
	// Output:
	// fairlead_attempts_total 2
	// fairlead_rate_limited_total 1
	// 3 spans
}

// Metrics of a scheduler, for Prometheus to fetch.
func ExampleWatch() {
	page := newPage()
	s, err := scheduler.New(scheduler.Config{Limit: bucket.PerMinute(60).Burst(10)})
	if err != nil {
		panic(err)
	}
	defer s.Close()
	stop, err := otelevents.Watch(s, otelevents.Name("github"), otelevents.MeterProvider(page))
	if err != nil {
		panic(err)
	}
	defer stop()

	_ = s.Do(context.Background(), func(context.Context) error { return nil }, scheduler.Cost(4))
	s.Sync()
	page.print("fairlead_attempts", "fairlead_budget_spent")
	// Output:
	// fairlead_attempts_total{fairlead_scheduler="github"} 1
	// fairlead_budget_spent_total{fairlead_scheduler="github"} 4
}

// Names tell the schedulers of a process apart.
func ExampleName() {
	page := newPage()
	for name, refill := range map[string]int64{"github": 5000, "gitlab": 2000} {
		s, err := scheduler.New(scheduler.Config{Limit: bucket.Per(refill, time.Hour)})
		if err != nil {
			panic(err)
		}
		defer s.Close()
		stop, err := otelevents.Watch(s, otelevents.Name(name), otelevents.MeterProvider(page))
		if err != nil {
			panic(err)
		}
		defer stop()
	}
	page.print("fairlead_budget_capacity")
	// Output:
	// fairlead_budget_capacity{fairlead_scheduler="github"} 5000
	// fairlead_budget_capacity{fairlead_scheduler="gitlab"} 2000
}

// Any provider of the SDK works, here one that is read by hand.
func ExampleMeterProvider() {
	reader := sdkmetric.NewManualReader()
	s, err := scheduler.New(scheduler.Config{Limit: bucket.PerSecond(50)})
	if err != nil {
		panic(err)
	}
	defer s.Close()
	stop, err := otelevents.Watch(s, otelevents.MeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))))
	if err != nil {
		panic(err)
	}
	defer stop()

	var all metricdata.ResourceMetrics
	if err := reader.Collect(context.Background(), &all); err != nil {
		panic(err)
	}
	for _, m := range all.ScopeMetrics[0].Metrics {
		if strings.HasPrefix(m.Name, "fairlead.budget.") {
			fmt.Printf("%s, in %s: %s\n", m.Name, m.Unit, m.Description)
		}
	}
	// Output:
	// fairlead.budget.available, in {token}: Tokens in the budget; negative in debt.
	// fairlead.budget.capacity, in {token}: The most tokens that the budget can hold.
	// fairlead.budget.spent, in {token}: Tokens that attempts have paid. Refunds are not subtracted.
}

// Histograms need the end of every call and close the fast path, so they are an option.
func ExampleDurations() {
	page := newPage()
	s, err := scheduler.New(scheduler.Config{Limit: bucket.PerSecond(50)})
	if err != nil {
		panic(err)
	}
	defer s.Close()
	stop, err := otelevents.Watch(s, otelevents.MeterProvider(page), otelevents.Durations())
	if err != nil {
		panic(err)
	}
	_ = s.Do(context.Background(), func(context.Context) error { return nil })
	s.Sync()
	stop()
	page.print("fairlead_wait_duration_seconds_count", "fairlead_run_duration_seconds_count")
	// Output:
	// fairlead_run_duration_seconds_count{fairlead_outcome="succeeded"} 1
	// fairlead_wait_duration_seconds_count{fairlead_outcome="succeeded"} 1
}

// A program that is being debugged exports more.
func ExampleOption() {
	page, debug := newPage(), false
	options := []otelevents.Option{otelevents.Name("github"), otelevents.MeterProvider(page)}
	if debug {
		options = append(options, otelevents.Durations(), otelevents.Spans(nil))
	}

	s, err := scheduler.New(scheduler.Config{Limit: bucket.PerSecond(50)})
	if err != nil {
		panic(err)
	}
	defer s.Close()
	stop, err := otelevents.Watch(s, options...)
	if err != nil {
		panic(err)
	}
	defer stop()
	_ = s.Pause()
	if _, err := s.Submit(context.Background(), func(context.Context) error { return nil }); err != nil {
		panic(err)
	}
	page.print("fairlead_queue_length")
	// Output: fairlead_queue_length{fairlead_scheduler="github"} 1
}

// Each call has a span, and below it one for each of its attempts.
func ExampleSpans() {
	exporter := tracetest.NewInMemoryExporter() // in a program, one that sends them somewhere
	tracers := sdktrace.NewTracerProvider(sdktrace.WithSyncer(exporter))

	s, err := scheduler.New(scheduler.Config{Retry: retry.Policy{Initial: 1, Jitter: retry.None}}) // 1 ns, so that the example is fast
	if err != nil {
		panic(err)
	}
	defer s.Close()
	stop, err := otelevents.Watch(s, otelevents.Spans(tracers))
	if err != nil {
		panic(err)
	}

	busy := true
	_ = s.Do(context.Background(), func(context.Context) error {
		if busy {
			busy = false
			return retry.Transient(fmt.Errorf("server is busy"))
		}
		return nil
	})
	s.Sync()
	stop() // waits until all is recorded

	for _, span := range exporter.GetSpans() {
		fmt.Printf("%s %v %q\n", span.Name, span.Status.Code, span.Status.Description)
	}
	// Output:
	// fairlead.attempt Error "server is busy"
	// fairlead.attempt Unset ""
	// fairlead.call Unset ""
}

// The first two keys have series of their own, and all further ones share one.
func ExampleKeys() {
	page := newPage()
	s, err := scheduler.New(scheduler.Config{Limit: bucket.PerSecond(50)})
	if err != nil {
		panic(err)
	}
	defer s.Close()
	stop, err := otelevents.Watch(s, otelevents.MeterProvider(page), otelevents.Durations(), otelevents.Keys(2))
	if err != nil {
		panic(err)
	}
	for _, tenant := range []string{"acme", "globex", "initech", "umbrella"} {
		_ = s.Do(context.Background(), func(context.Context) error { return nil }, scheduler.Key(tenant))
	}
	s.Sync()
	stop()
	page.print("fairlead_run_duration_seconds_count")
	// Output:
	// fairlead_run_duration_seconds_count{fairlead_key="acme",fairlead_outcome="succeeded"} 1
	// fairlead_run_duration_seconds_count{fairlead_key="globex",fairlead_outcome="succeeded"} 1
	// fairlead_run_duration_seconds_count{fairlead_key="other",fairlead_outcome="succeeded"} 2
}
