package otelevents_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"example.com/fairlead/bucket"
	"example.com/fairlead/events/otelevents"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
)

// Metrics of a scheduler, for Prometheus to fetch.
func ExampleWatch() {
	registry := prometheus.NewRegistry()
	exporter, err := otelprometheus.New(otelprometheus.WithRegisterer(registry), otelprometheus.WithoutScopeInfo())
	if err != nil {
		panic(err)
	}
	meters := sdkmetric.NewMeterProvider(sdkmetric.WithReader(exporter))

	s, err := scheduler.New(scheduler.Config{Limit: bucket.PerMinute(60).Burst(10)})
	if err != nil {
		panic(err)
	}
	defer s.Close()
	stop, err := otelevents.Watch(s, otelevents.Name("github"), otelevents.MeterProvider(meters))
	if err != nil {
		panic(err)
	}
	defer stop()

	_ = s.Do(context.Background(), func(context.Context) error { return nil }, scheduler.Cost(4))
	s.Sync() // Do does not wait until its end is counted

	page := httptest.NewRecorder()
	promhttp.HandlerFor(registry, promhttp.HandlerOpts{}).ServeHTTP(page, httptest.NewRequest("GET", "/metrics", nil))
	for _, line := range strings.Split(page.Body.String(), "\n") {
		if strings.HasPrefix(line, "fairlead_attempts") || strings.HasPrefix(line, "fairlead_budget_spent") {
			fmt.Println(line)
		}
	}
	// Output:
	// fairlead_attempts_total{fairlead_scheduler="github"} 1
	// fairlead_budget_spent_total{fairlead_scheduler="github"} 4
}

// A span for each call, and one below it for each of its attempts.
func ExampleSpans() {
	exporter := tracetest.NewInMemoryExporter() // in a program, one that sends them somewhere
	tracers := sdktrace.NewTracerProvider(sdktrace.WithSyncer(exporter))

	s, err := scheduler.New(scheduler.Config{Retry: retry.Policy{Initial: 1, Jitter: retry.None}}) // 1 ns: no time to wait in an example
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
	stop() // all that has happened is recorded

	for _, span := range exporter.GetSpans() {
		fmt.Printf("%s %v %q\n", span.Name, span.Status.Code, span.Status.Description)
	}
	// Output:
	// fairlead.attempt Error "server is busy"
	// fairlead.attempt Unset ""
	// fairlead.call Unset ""
}
