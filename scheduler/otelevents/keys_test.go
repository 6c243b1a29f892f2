package otelevents_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"example.com/fairlead/scheduler"
	"example.com/fairlead/scheduler/otelevents"
)

// tenants has ten calls of noisy at once and one of acme and others after them, with a token a second.
func tenants(t *testing.T, s *scheduler.Scheduler) {
	require.NoError(t, s.Do(t.Context(), nothing, scheduler.Cost(10)))
	submit(t, s, nothing, 10, scheduler.Key("noisy"))
	for _, key := range []string{"acme", "third", "fourth"} {
		submit(t, s, nothing, 1, scheduler.Key(key))
	}
	require.NoError(t, s.WaitIdle(t.Context()))
}

// TestKeys checks that the first keys have values of their own, and further ones that of the rest.
func TestKeys(t *testing.T) {
	opts := []otelevents.Option{otelevents.Durations(), otelevents.Keys(2)}
	bubble(t, scheduler.Config{Limit: oneEach}, opts, func(t *testing.T, s *scheduler.Scheduler, collect func() metrics) {
		tenants(t, s)
		m := collect()
		calls := map[string]uint64{}
		for name, h := range m.hists {
			if attrs, ok := strings.CutPrefix(name, "fairlead.wait.duration"); ok {
				calls[attrs] = h.Count
			}
		}
		require.Equal(t, map[string]uint64{
			"{fairlead.outcome=succeeded}": 1, "{fairlead.key=noisy,fairlead.outcome=succeeded}": 10,
			"{fairlead.key=acme,fairlead.outcome=succeeded}": 1, "{fairlead.key=other,fairlead.outcome=succeeded}": 2,
		}, calls)
		require.EqualValues(t, 1, m.values["fairlead.call.turn{fairlead.key=acme}"], "noisy's first call was granted before")
		require.EqualValues(t, 2+3, m.values["fairlead.call.turn{fairlead.key=other}"])
		require.EqualValues(t, 1, m.values["fairlead.call.time{fairlead.key=acme,fairlead.part=queue}"])
		require.True(t, m.rising["fairlead.call.turn"])
		require.Equal(t, "s", m.units["fairlead.call.turn"])
		require.EqualValues(t, 14, m.values["fairlead.calls.ended{fairlead.outcome=succeeded}"], "snapshots have no keys")
	})
}

// TestNoKeys checks that no metric has a key without the option.
func TestNoKeys(t *testing.T) {
	bubble(t, scheduler.Config{Limit: oneEach}, []otelevents.Option{otelevents.Durations()}, func(t *testing.T, s *scheduler.Scheduler, collect func() metrics) {
		tenants(t, s)
		m := collect()
		require.EqualValues(t, 14, m.hists["fairlead.wait.duration{fairlead.outcome=succeeded}"].Count)
		require.Positive(t, m.values["fairlead.call.turn"])
		for name := range m.values {
			require.NotContains(t, name, "fairlead.key")
		}
	})
	_, err := otelevents.Watch(new(scheduler.Scheduler), otelevents.Keys(-1))
	require.EqualError(t, err, "otelevents: Keys(-1): it must be positive, or 0 for no attribute")
}

// TestKeysOfSpans checks that with the option each span of a call has its key, and otherwise none has.
func TestKeysOfSpans(t *testing.T) {
	for _, opts := range [][]otelevents.Option{nil, {otelevents.Keys(1)}} {
		spans := tracetest.NewInMemoryExporter()
		opts = append(opts, otelevents.Spans(sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))))
		bubble(t, scheduler.Config{Limit: oneEach}, opts, func(t *testing.T, s *scheduler.Scheduler, collect func() metrics) {
			tenants(t, s)
			collect()
		})
		keys, turn := map[string]int{}, time.Duration(0)
		for _, span := range spans.GetSpans() {
			for _, attr := range span.Attributes {
				switch attr.Key {
				case "fairlead.key":
					keys[attr.Value.AsString()]++
				case "fairlead.time.turn":
					turn += time.Duration(attr.Value.AsFloat64() * float64(time.Second))
				}
			}
		}
		require.Positive(t, turn)
		if len(opts) == 1 {
			require.Empty(t, keys)
		} else {
			require.Equal(t, map[string]int{"noisy": 10, "acme": 1, "third": 1, "fourth": 1}, keys)
		}
	}
}
