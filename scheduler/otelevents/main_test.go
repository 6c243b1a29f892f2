package otelevents_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.uber.org/goleak"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
	"example.com/fairlead/scheduler/otelevents"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	errBusy   = errors.New("server is busy")
	errBroken = errors.New("request is malformed")

	// exact is the default policy without jitter. Its delays are 1 s, 2 s, 4 s, 8 s and 16 s.
	exact = retry.Policy{Jitter: retry.None}

	// oneEach is one token a second, with a burst of ten.
	oneEach = bucket.PerSecond(1).Burst(10)
)

func nothing(context.Context) error { return nil }

// bubble runs a test on a watched scheduler in a synctest bubble. f gets the scheduler and a function
// that collects the metrics.
func bubble(t *testing.T, cfg scheduler.Config, opts []otelevents.Option, f func(t *testing.T, s *scheduler.Scheduler, collect func() metrics)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s, err := scheduler.New(cfg)
		require.NoError(t, err)
		defer s.Close()
		reader := sdkmetric.NewManualReader()
		stop, err := otelevents.Watch(s, append(opts, otelevents.MeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))))...)
		require.NoError(t, err)
		defer stop()
		f(t, s, func() metrics {
			synctest.Wait() // until all is recorded
			return collect(t, reader)
		})
	})
}

// metrics holds values and histograms that were collected, by name and attributes as in a{b=c}.
type metrics struct {
	values map[string]float64
	hists  map[string]metricdata.HistogramDataPoint[float64]
	rising map[string]bool // the names of counters
	units  map[string]string
}

func collect(t testing.TB, reader sdkmetric.Reader) metrics {
	var rm metricdata.ResourceMetrics
	require.NoError(t, reader.Collect(context.Background(), &rm))
	m := metrics{map[string]float64{}, map[string]metricdata.HistogramDataPoint[float64]{}, map[string]bool{}, map[string]string{}}
	for _, scope := range rm.ScopeMetrics {
		for _, metric := range scope.Metrics {
			m.units[metric.Name] = metric.Unit
			switch data := metric.Data.(type) {
			case metricdata.Sum[int64]:
				m.rising[metric.Name] = data.IsMonotonic
				add(m.values, metric.Name, data.DataPoints)
			case metricdata.Sum[float64]:
				m.rising[metric.Name] = data.IsMonotonic
				add(m.values, metric.Name, data.DataPoints)
			case metricdata.Gauge[float64]:
				add(m.values, metric.Name, data.DataPoints)
			case metricdata.Histogram[float64]:
				for _, p := range data.DataPoints {
					m.hists[key(metric.Name, p.Attributes)] = p
				}
			default:
				t.Fatalf("%s is a %T", metric.Name, data)
			}
		}
	}
	return m
}

func add[N int64 | float64](values map[string]float64, name string, points []metricdata.DataPoint[N]) {
	for _, p := range points {
		values[key(name, p.Attributes)] = float64(p.Value)
	}
}

func key(name string, attrs attribute.Set) string {
	if attrs.Len() == 0 {
		return name
	}
	return name + "{" + attrs.Encoded(attribute.DefaultEncoder()) + "}"
}
