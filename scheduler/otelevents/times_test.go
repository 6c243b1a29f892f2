package otelevents_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"

	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
	"example.com/fairlead/scheduler/otelevents"
)

func newReader() (*sdkmetric.ManualReader, *sdkmetric.MeterProvider) {
	reader := sdkmetric.NewManualReader()
	return reader, sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
}

// TestDurations checks how long calls wait and run, and what they wait for.
func TestDurations(t *testing.T) {
	bubble(t, scheduler.Config{Limit: oneEach, Retry: exact}, []otelevents.Option{otelevents.Durations()}, func(t *testing.T, s *scheduler.Scheduler, collect func() metrics) {
		runs := func(d time.Duration, err error) func(context.Context) error {
			return func(context.Context) error { time.Sleep(d); return err }
		}
		require.NoError(t, s.Do(t.Context(), runs(200*time.Millisecond, nil), scheduler.Cost(10), scheduler.Delay(7*time.Second))) // not a wait
		require.NoError(t, s.Do(t.Context(), runs(3*time.Second, nil), scheduler.Cost(4)))                                         // 3.8 s for its tokens
		fails := retry.Policy{Jitter: retry.None, MaxRetries: 1}
		require.Error(t, s.Do(t.Context(), runs(time.Second, retry.Transient(errBusy)), scheduler.Retry(fails))) // two attempts of 1 s, and 1 s in between
		require.ErrorIs(t, s.Do(t.Context(), nothing, scheduler.Cost(10), scheduler.NoWait()), scheduler.ErrWouldWait, "the call neither waits nor runs")
		m := collect()

		wait, run := m.hists["fairlead.wait.duration{fairlead.outcome=succeeded}"], m.hists["fairlead.run.duration{fairlead.outcome=succeeded}"]
		require.EqualValues(t, 2, wait.Count)
		require.InDelta(t, 3.8, wait.Sum, 1e-9)
		require.InDelta(t, 3.2, run.Sum, 1e-9)
		require.Equal(t, []float64{0.001, 0.01, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800}, wait.Bounds)
		require.EqualValues(t, 1, wait.BucketCounts[0], "calls that did not wait")
		require.EqualValues(t, 1, wait.BucketCounts[6], "2.5 to 5 s")
		require.Equal(t, []float64{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60}, run.Bounds)

		wait, run = m.hists["fairlead.wait.duration{fairlead.outcome=exhausted}"], m.hists["fairlead.run.duration{fairlead.outcome=exhausted}"]
		require.EqualValues(t, 1, wait.Count)
		require.InDelta(t, 1, wait.Sum, 1e-9)
		require.InDelta(t, 2, run.Sum, 1e-9)
		require.Len(t, m.hists, 4)

		require.InDelta(t, 3.8, m.values["fairlead.call.time{fairlead.part=tokens}"], 1e-9)
		require.InDelta(t, 1, m.values["fairlead.call.time{fairlead.part=backoff}"], 1e-9)
		require.InDelta(t, 7, m.values["fairlead.call.time{fairlead.part=later}"], 1e-9)
		require.InDelta(t, 5.2, m.values["fairlead.call.time{fairlead.part=run}"], 1e-9)
		require.NotContains(t, m.values, "fairlead.call.time{fairlead.part=queue}")
		require.Equal(t, "s", m.units["fairlead.wait.duration"])
	})
}

// TestFastPath checks that metrics leave the fast path open and durations don't. The owner does not
// know calls on the fast path one by one, so Shutdown reports them without a number.
func TestFastPath(t *testing.T) {
	for name, test := range map[string]struct {
		opts  []otelevents.Option
		known bool
	}{
		"metrics alone": {nil, false},
		"durations":     {[]otelevents.Option{otelevents.Durations()}, true},
		"spans":         {[]otelevents.Option{otelevents.Spans(nil)}, true},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := scheduler.Config{Limit: oneEach.Burst(1000)}
			bubble(t, cfg, test.opts, func(t *testing.T, s *scheduler.Scheduler, collect func() metrics) {
				for range 10 { // in a row, so that the fast path opens
					require.NoError(t, s.Do(t.Context(), nothing))
				}
				block, in := make(chan struct{}), make(chan struct{})
				defer close(block)
				go func() { _ = s.Do(context.Background(), func(context.Context) error { close(in); <-block; return nil }) }()
				<-in
				require.EqualValues(t, 1, collect().values["fairlead.calls.in_flight"])
				ended, cancel := context.WithCancel(t.Context())
				cancel()
				left, err := s.Shutdown(ended)
				require.Error(t, err)
				require.Len(t, left, 1)
				require.Equal(t, test.known, left[0].Call != 0)
			})
		})
	}
}

// TestCallsFromBeforeAreNotInHistograms checks that calls from before Watch are not in histograms. How
// long a call on the fast path took is not known.
func TestCallsFromBeforeAreNotInHistograms(t *testing.T) {
	s, err := scheduler.New(scheduler.Config{Limit: oneEach.Burst(1000)})
	require.NoError(t, err)
	defer s.Close()
	for range 10 {
		require.NoError(t, s.Do(t.Context(), nothing))
	}
	block, in, out := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(out)
		_ = s.Do(context.Background(), func(context.Context) error { close(in); <-block; return nil })
	}()
	<-in
	reader, provider := newReader()
	stop, err := otelevents.Watch(s, otelevents.MeterProvider(provider), otelevents.Durations())
	require.NoError(t, err)
	close(block)
	<-out
	require.NoError(t, s.Do(t.Context(), nothing))
	s.Sync()
	stop()
	require.EqualValues(t, 1, collect(t, reader).hists["fairlead.run.duration{fairlead.outcome=succeeded}"].Count)
}
