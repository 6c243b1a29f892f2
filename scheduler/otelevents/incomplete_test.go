package otelevents

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"example.com/fairlead/events"
)

// TestPartlySeen checks that the span of a call that lost any event says so, and begins when the call
// arrived if its last event was seen. The test passes events directly to the watcher, because the
// events that a slow reader loses are left to chance.
func TestPartlySeen(t *testing.T) {
	arrived := time.Unix(1000, 0)
	end := events.Event{Kind: events.Succeeded, Call: 7, Attempt: 2, At: arrived.Add(4 * time.Second),
		Times: events.Times{Queue: time.Second / 2, Later: time.Second / 2, Backoff: time.Second, Run: 2 * time.Second}}
	life := []events.Event{
		{Kind: events.Later, Call: 7, Attempt: 1, At: arrived},
		{Kind: events.Queued, Call: 7, Attempt: 1, At: arrived.Add(time.Second / 2)},
		{Kind: events.Granted, Call: 7, Attempt: 1, At: arrived.Add(time.Second)},
		{Kind: events.Started, Call: 7, Attempt: 1, At: arrived.Add(time.Second)},
		{Kind: events.Retrying, Call: 7, Attempt: 1, At: arrived.Add(2 * time.Second)},
		{Kind: events.Queued, Call: 7, Attempt: 2, At: arrived.Add(3 * time.Second)},
		{Kind: events.Granted, Call: 7, Attempt: 2, At: arrived.Add(3 * time.Second)},
		{Kind: events.Started, Call: 7, Attempt: 2, At: arrived.Add(3 * time.Second)},
		end,
	}
	for missed := range len(life) {
		spans := tracetest.NewInMemoryExporter()
		cs := newCalls(sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans)).Tracer(""), nil, false)
		w := &watcher{state: &state{}, calls: cs}
		for i, ev := range life[missed:] {
			if i == 0 {
				ev.Missed = uint64(missed)
			}
			w.record(ev)
		}
		require.Empty(t, cs.open)
		all := spans.GetSpans()
		call := all[len(all)-1]
		require.Equal(t, arrived, call.StartTime.Local(), "%d events missed", missed)
		require.Equal(t, end.At, call.EndTime.Local())
		attrs := attribute.NewSet(call.Attributes...)
		require.Equal(t, missed > 0, attrs.HasValue("fairlead.incomplete"), "%d events missed", missed)
	}
}

// TestForgetsWhatIsLost checks that memory is bounded by the open calls, whatever events are lost.
func TestForgetsWhatIsLost(t *testing.T) {
	cs := newCalls(sdktrace.NewTracerProvider().Tracer(""), nil, false)
	w := &watcher{state: &state{}, calls: cs}
	for i := range uint64(1000) {
		w.record(events.Event{Kind: events.Queued, Call: i + 1, Attempt: 1, At: time.Unix(0, 0), Missed: i % 10 / 9})
		require.LessOrEqual(t, len(cs.open), 10)
	}
}

// TestPartlySeenAndUnfinished checks a call of which neither arrival nor end was seen. Its span begins at the first event seen.
func TestPartlySeenAndUnfinished(t *testing.T) {
	spans := tracetest.NewInMemoryExporter()
	w := &watcher{state: &state{}, calls: newCalls(sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans)).Tracer(""), nil, false)}
	granted := time.Unix(1000, 0)
	w.record(events.Event{Kind: events.Granted, Call: 7, Attempt: 1, At: granted, Missed: 1})
	w.record(events.Event{Kind: events.ShutDown, At: granted.Add(time.Second)})
	require.Len(t, spans.GetSpans(), 2)
	for _, span := range spans.GetSpans() {
		require.Equal(t, granted, span.StartTime.Local())
		require.Equal(t, granted.Add(time.Second), span.EndTime.Local())
	}
}
