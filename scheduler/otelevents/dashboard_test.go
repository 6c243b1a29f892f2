package otelevents_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/stretchr/testify/require"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"example.com/fairlead/bucket"
	"example.com/fairlead/scheduler"
	"example.com/fairlead/scheduler/otelevents"
)

// exposition returns what Prometheus reads from a scheduler that has used every metric.
func exposition(t *testing.T) string {
	registry := prometheus.NewRegistry()
	exporter, err := otelprometheus.New(otelprometheus.WithRegisterer(registry))
	require.NoError(t, err)
	s, err := scheduler.New(scheduler.Config{Limits: bucket.Limits{"requests": oneEach, "tokens": bucket.PerMinute(600)}})
	require.NoError(t, err)
	defer s.Close()
	recorded := make(turnSpan, 1)
	stop, err := otelevents.Watch(s, otelevents.Name("api"), otelevents.Durations(), otelevents.Keys(1),
		otelevents.MeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(exporter))),
		otelevents.Spans(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorded))))
	require.NoError(t, err)
	defer stop()
	require.NoError(t, s.Do(t.Context(), nothing, scheduler.CostOf("tokens", 600)))
	submit(t, s, nothing, 1, scheduler.Key("acme"), scheduler.CostOf("tokens", 1))
	submit(t, s, nothing, 1, scheduler.Key("globex"), scheduler.CostOf("tokens", 1))
	<-recorded

	server := httptest.NewServer(promhttp.HandlerFor(registry, promhttp.HandlerOpts{ErrorHandling: promhttp.HTTPErrorOnError}))
	defer server.Close()
	resp, err := server.Client().Get(server.URL)
	require.NoError(t, err)
	defer func() { require.NoError(t, resp.Body.Close()) }()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, resp.StatusCode, string(text))
	return string(text)
}

// turnSpan is a span processor that sends when the span of a call that waited for another key has ended. By
// then the call is in all metrics.
type turnSpan chan struct{}

func (c turnSpan) OnEnd(span sdktrace.ReadOnlySpan) {
	for _, attr := range span.Attributes() {
		if attr.Key == "fairlead.time.turn" {
			select {
			case c <- struct{}{}:
			default:
			}
		}
	}
}

func (turnSpan) OnStart(context.Context, sdktrace.ReadWriteSpan) {}
func (turnSpan) Shutdown(context.Context) error                  { return nil }
func (turnSpan) ForceFlush(context.Context) error                { return nil }

// exposed returns the labels and types of samples, by name.
func exposed(text string) (labels map[string][]string, types map[string]string) {
	labels, types = map[string][]string{}, map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^# TYPE (\S+) (\S+)$`).FindAllStringSubmatch(text, -1) {
		types[m[1]] = m[2]
	}
	for _, m := range regexp.MustCompile(`(?m)^(\w+)\{(.*)\} \S+$`).FindAllStringSubmatch(text, -1) {
		for _, label := range regexp.MustCompile(`(\w+)="`).FindAllStringSubmatch(m[2], -1) {
			if !slices.Contains(labels[m[1]], label[1]) {
				labels[m[1]] = append(labels[m[1]], label[1])
			}
		}
	}
	return labels, types
}

// family returns the name of a sample's metric.
func family(sample string, types map[string]string) string {
	for _, suffix := range []string{"_bucket", "_sum", "_count"} {
		if name, ok := strings.CutSuffix(sample, suffix); ok && types[name] == "histogram" {
			return name
		}
	}
	return sample
}

// TestDashboard checks that the dashboard queries all metrics that there are, and no others.
func TestDashboard(t *testing.T) {
	labels, types := exposed(exposition(t))
	asked := map[string]bool{}
	for _, expr := range queries(t) {
		var known []string
		for _, m := range regexp.MustCompile(`(rate\()?(\w+)\{`).FindAllStringSubmatch(expr, -1) {
			rate, sample := m[1] != "", m[2]
			require.Contains(t, labels, sample, "nothing is exposed for %s", expr)
			known = append(known, labels[sample]...)
			name := family(sample, types)
			asked[name] = true
			require.Equal(t, types[name] != "gauge", rate, "%s is a %s: %s", name, types[name], expr)
		}
		require.NotEmpty(t, known, "no metric in %s", expr)
		for _, m := range regexp.MustCompile(`fairlead_\w+\b[^{\w]|\ble\b`).FindAllString(expr, -1) {
			require.Contains(t, known, strings.TrimRight(m, `=~,) `), "no such label in %s", expr)
		}
	}
	for name := range types {
		if strings.HasPrefix(name, "fairlead_") {
			require.True(t, asked[name], "%s is in no panel", name)
		}
	}
}

// queries returns the queries of the dashboard.
func queries(t *testing.T) (exprs []string) {
	data, err := os.ReadFile("dashboard.json")
	require.NoError(t, err)
	var dashboard struct {
		Templating struct {
			List []struct{ Definition string }
		}
		Panels []struct {
			ID      int
			Targets []struct{ Expr string }
		}
	}
	require.NoError(t, json.Unmarshal(data, &dashboard))
	ids := map[int]bool{}
	for _, panel := range dashboard.Panels {
		require.False(t, ids[panel.ID], "two panels have the id %d", panel.ID)
		ids[panel.ID] = true
		for _, target := range panel.Targets {
			exprs = append(exprs, target.Expr)
		}
	}
	for _, variable := range dashboard.Templating.List {
		if variable.Definition != "" {
			exprs = append(exprs, variable.Definition)
		}
	}
	require.Greater(t, len(exprs), 15)
	return exprs
}

// TestExposition checks names, units and types, as Prometheus reads them.
func TestExposition(t *testing.T) {
	_, types := exposed(exposition(t))
	for name := range types {
		if !strings.HasPrefix(name, "fairlead_") {
			delete(types, name)
		}
	}
	require.Equal(t, map[string]string{
		"fairlead_queue_length":                "gauge",
		"fairlead_calls_in_flight":             "gauge",
		"fairlead_calls_later":                 "gauge",
		"fairlead_calls_backing_off":           "gauge",
		"fairlead_calls_ended_total":           "counter",
		"fairlead_attempts_total":              "counter",
		"fairlead_retries_total":               "counter",
		"fairlead_rate_limited_total":          "counter",
		"fairlead_budget_available":            "gauge",
		"fairlead_budget_capacity":             "gauge",
		"fairlead_budget_spent_total":          "counter",
		"fairlead_rate_ratio":                  "gauge",
		"fairlead_hold_duration_seconds_total": "counter",
		"fairlead_events_dropped_total":        "counter",
		"fairlead_wait_duration_seconds":       "histogram",
		"fairlead_run_duration_seconds":        "histogram",
		"fairlead_call_time_seconds_total":     "counter",
		"fairlead_call_turn_seconds_total":     "counter",
	}, types)
}
