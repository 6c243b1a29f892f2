package otelevents_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
	"example.com/fairlead/scheduler/otelevents"
)

// traced runs a test on a scheduler in a synctest bubble, closes the scheduler and returns a line for
// each span. Attempts are indented below their calls.
func traced(t *testing.T, cfg scheduler.Config, f func(t *testing.T, s *scheduler.Scheduler), opts ...sdktrace.TracerProviderOption) (lines []string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		spans := tracetest.NewInMemoryExporter()
		provider := sdktrace.NewTracerProvider(append(opts, sdktrace.WithSyncer(spans))...)
		bubbled, err := scheduler.New(cfg)
		require.NoError(t, err)
		stop, err := otelevents.Watch(bubbled, otelevents.Spans(provider), otelevents.Name("api"))
		require.NoError(t, err)
		f(t, bubbled)
		bubbled.Close()
		synctest.Wait()
		stop()
		for _, call := range spans.GetSpans() {
			if call.Parent.IsValid() {
				continue
			}
			lines = append(lines, line(call, start))
			for _, attempt := range spans.GetSpans() {
				if attempt.Parent.SpanID() == call.SpanContext.SpanID() {
					require.Equal(t, call.SpanContext.TraceID(), attempt.SpanContext.TraceID())
					lines = append(lines, "  "+line(attempt, start))
				}
			}
		}
	})
	return lines
}

// line formats a span with its name, times, attributes, events and error.
func line(span tracetest.SpanStub, start time.Time) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %v-%v", strings.TrimPrefix(span.Name, "fairlead."), span.StartTime.Sub(start), span.EndTime.Sub(start))
	for _, attr := range span.Attributes {
		fmt.Fprintf(&b, " %s=%s", strings.TrimPrefix(string(attr.Key), "fairlead."), attr.Value.String())
	}
	for _, ev := range span.Events {
		fmt.Fprintf(&b, " [%s %v", ev.Name, ev.Time.Sub(start))
		for _, attr := range ev.Attributes {
			fmt.Fprintf(&b, " %s=%s", strings.TrimPrefix(string(attr.Key), "fairlead."), attr.Value.String())
		}
		b.WriteString("]")
	}
	if span.Status.Code == codes.Error {
		b.WriteString(": " + span.Status.Description)
	}
	return b.String()
}

// TestSpans has a call with a retry, one that waits and fails, and one that is refused.
func TestSpans(t *testing.T) {
	got := traced(t, scheduler.Config{Limit: oneEach, Retry: exact}, func(t *testing.T, s *scheduler.Scheduler) {
		failures := 1
		require.NoError(t, s.Do(t.Context(), func(context.Context) error {
			time.Sleep(500 * time.Millisecond)
			if failures--; failures >= 0 {
				return retry.RateLimited(errBusy)
			}
			return nil
		}, scheduler.Name("list users"), scheduler.Cost(4)))
		require.Error(t, s.Do(t.Context(), failing(fmt.Errorf("while asking: %w", errBroken)), scheduler.Cost(8)))
		require.Error(t, s.Do(t.Context(), nothing, scheduler.NoWait()))
	})
	require.Equal(t, []string{
		"call 0s-2s scheduler=api call=1 name=list users cost=4 attempts=2 outcome=succeeded time.backoff=1 time.run=1" +
			" [queued 0s queue.position=1 wait.estimate=0] [queued 1.5s queue.position=1 wait.estimate=0]",
		"  attempt 0s-500ms attempt=1 retry.delay=1 error.type=*errors.errorString [started 0s]: server is busy (rate limited)",
		"  attempt 1.5s-2s attempt=2 [started 1.5s]",
		"call 2s-6s scheduler=api call=2 cost=8 attempts=1 outcome=failed time.tokens=4 error.type=*errors.errorString" +
			" [queued 2s queue.position=1 wait.estimate=4]: while asking: request is malformed",
		"  attempt 6s-6s attempt=1 error.type=*errors.errorString [started 6s]: while asking: request is malformed",
		"call 6s-6s scheduler=api cost=1 attempts=0 outcome=refused error.type=*scheduler.WouldWaitError: " +
			"scheduler: the call would have to wait about 1s for its tokens",
	}, got)
}

// TestSpansAtTheEnd checks that a call that is queued when the scheduler is closed ends then, and
// that one that runs is exported as unfinished.
func TestSpansAtTheEnd(t *testing.T) {
	got := traced(t, scheduler.Config{Limit: oneEach}, func(t *testing.T, s *scheduler.Scheduler) {
		r, err := s.Reserve(t.Context(), scheduler.Cost(10), scheduler.Name("mine"))
		require.NoError(t, err)
		<-r.Ready()
		submit(t, s, nothing, 1, scheduler.Cost(10))
		time.Sleep(time.Second)
	})
	require.Equal(t, []string{
		"call 0s-1s scheduler=api call=2 cost=10 attempts=0 outcome=closed time.tokens=1 error.type=*errors.errorString" +
			" [queued 0s queue.position=1 wait.estimate=10]: scheduler is closed",
		"call 0s-1s scheduler=api call=1 name=mine cost=10 attempts=1 outcome=unfinished [queued 0s queue.position=1 wait.estimate=0]",
		"  attempt 0s-1s attempt=1", // a reservation has no event Started
	}, got)
}

// TestSpansSampled checks that a call has no spans if the sampler drops it.
func TestSpansSampled(t *testing.T) {
	var asked sampler
	got := traced(t, scheduler.Config{}, func(t *testing.T, s *scheduler.Scheduler) {
		require.NoError(t, s.Do(t.Context(), nothing))
	}, sdktrace.WithSampler(&asked))
	require.Empty(t, got)
	require.Equal(t, sampler{"fairlead.call"}, asked)
}

// sampler drops every span, and records which there could have been.
type sampler []string

func (s *sampler) ShouldSample(p sdktrace.SamplingParameters) sdktrace.SamplingResult {
	*s = append(*s, p.Name)
	return sdktrace.SamplingResult{Decision: sdktrace.Drop, Tracestate: trace.TraceState{}}
}

func (s *sampler) Description() string { return "none" }

// rude is an error whose methods panic.
type rude struct{}

func (rude) Error() string { panic("no text") }
func (rude) Unwrap() error { panic("no cause") }

func TestErrorsThatPanic(t *testing.T) {
	got := traced(t, scheduler.Config{}, func(t *testing.T, s *scheduler.Scheduler) {
		_ = s.Do(t.Context(), failing(rude{}), scheduler.Classify(func(error) retry.Verdict { return retry.Verdict{} }))
	})
	require.Len(t, got, 2)
	require.Contains(t, got[0], "error.type=_OTHER")
	require.Contains(t, got[0], "PANIC=Error method: no text")

	got = traced(t, scheduler.Config{}, func(t *testing.T, s *scheduler.Scheduler) {
		_ = s.Do(t.Context(), failing(ruder{}), scheduler.Classify(func(error) retry.Verdict { return retry.Verdict{} }))
	})
	require.Contains(t, got[0], ": a otelevents_test.ruder, whose Error method panicked")
}

// ruder panics with a value that panics when it is printed.
type ruder struct{}

func (ruder) Error() string { panic(ruder{}) }

// TestTextsAreExportable checks that texts are short and UTF-8, because OTLP drops a whole batch with one that is not.
func TestTextsAreExportable(t *testing.T) {
	odd := "a\xffb" + strings.Repeat("é", 3000)
	got := traced(t, scheduler.Config{}, func(t *testing.T, s *scheduler.Scheduler) {
		_ = s.Do(t.Context(), failing(errors.New(odd)), scheduler.Name(odd))
	})
	require.True(t, utf8.ValidString(got[0]))
	require.Equal(t, 2, strings.Count(got[0], "a\ufffdb"))
	require.Less(t, len(got[0]), 2*4200)
}

// stuck is a span processor that blocks at the end of a span until out is closed.
type stuck struct {
	sdktrace.SpanProcessor
	out chan struct{}
}

func (p stuck) OnEnd(span sdktrace.ReadOnlySpan) {
	<-p.out
	p.SpanProcessor.OnEnd(span)
}

// TestSlowExporter checks that a slow exporter blocks no call. Events that are lost meanwhile are
// counted, a call that was open is marked as incomplete, and one whose end was lost is forgotten.
func TestSlowExporter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		spans := tracetest.NewInMemoryExporter()
		slow := stuck{sdktrace.NewSimpleSpanProcessor(spans), make(chan struct{})}
		tracers := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(slow))
		reader, meters := newReader()
		s, err := scheduler.New(scheduler.Config{EventBuffer: 8, Limit: oneEach.Burst(1000)})
		require.NoError(t, err)
		defer s.Close()
		stop, err := otelevents.Watch(s, otelevents.Spans(tracers), otelevents.Durations(), otelevents.MeterProvider(meters))
		require.NoError(t, err)
		defer stop()

		open, err := s.Reserve(t.Context(), scheduler.Name("open"))
		require.NoError(t, err)
		lost, err := s.Reserve(t.Context(), scheduler.Name("lost"))
		require.NoError(t, err)
		require.NoError(t, s.Do(t.Context(), nothing))
		synctest.Wait() // until the processor has blocked
		time.Sleep(time.Second)
		lost.Done(nil)
		for range 100 {
			require.NoError(t, s.Do(t.Context(), nothing))
		}
		open.Done(nil)
		s.Sync()
		require.EqualValues(t, 103, collect(t, reader).values["fairlead.calls.ended{fairlead.outcome=succeeded}"], "not from events: so it is complete")
		close(slow.out)
		s.Close()
		synctest.Wait()

		m := collect(t, reader)
		require.Positive(t, m.values["fairlead.events.dropped"])
		recorded := m.hists["fairlead.run.duration{fairlead.outcome=succeeded}"].Count
		require.Less(t, recorded, uint64(10))
		var calls []tracetest.SpanStub
		for _, span := range spans.GetSpans() {
			if !span.Parent.IsValid() {
				calls = append(calls, span)
			}
			require.NotContains(t, line(span, time.Time{}), "name=lost")
		}
		require.Len(t, calls, int(recorded))
		last := calls[len(calls)-1]
		require.Contains(t, line(last, last.StartTime), "call 0s-1s call=1 name=open cost=1 attempts=1 outcome=succeeded incomplete=true time.run=1")
	})
}
