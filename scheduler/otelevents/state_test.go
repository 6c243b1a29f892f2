package otelevents_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
	"example.com/fairlead/scheduler/otelevents"
)

// TestState checks all metrics from snapshots, at an instant when no two numbers are alike.
func TestState(t *testing.T) {
	bubble(t, scheduler.Config{Limit: oneEach, Retry: exact, MaxInFlight: 3}, nil, func(t *testing.T, s *scheduler.Scheduler, collect func() metrics) {
		block := make(chan struct{})
		defer close(block)
		blocked := func(context.Context) error { <-block; return nil }
		require.NoError(t, s.Do(t.Context(), nothing, scheduler.Cost(2)))
		require.ErrorIs(t, s.Do(t.Context(), func(context.Context) error { return errBroken }), errBroken)
		require.ErrorIs(t, s.Do(t.Context(), nothing, scheduler.Cost(10), scheduler.NoWait()), scheduler.ErrWouldWait)
		submit(t, s, failing(retry.RateLimited(errBusy)), 1)
		synctest.Wait()
		time.Sleep(1500 * time.Millisecond) // the call fails again after 1 s, and then backs off for 2 s
		submit(t, s, blocked, 3)
		submit(t, s, nothing, 4)
		submit(t, s, nothing, 5, scheduler.Delay(time.Hour))
		m := collect()
		require.Equal(t, map[string]float64{
			"fairlead.queue.length":                               4,
			"fairlead.calls.in_flight":                            3,
			"fairlead.calls.backing_off":                          1,
			"fairlead.calls.later":                                5,
			"fairlead.calls.ended{fairlead.outcome=succeeded}":    1,
			"fairlead.calls.ended{fairlead.outcome=failed}":       1,
			"fairlead.calls.ended{fairlead.outcome=exhausted}":    0,
			"fairlead.calls.ended{fairlead.outcome=canceled}":     0,
			"fairlead.calls.ended{fairlead.outcome=closed}":       0,
			"fairlead.calls.ended{fairlead.outcome=dropped}":      0,
			"fairlead.calls.ended{fairlead.outcome=refused}":      1,
			"fairlead.attempts":                                   7,
			"fairlead.retries":                                    1,
			"fairlead.rate_limited":                               2,
			"fairlead.budget.available":                           3, // 10 - 2 - 1 - 2 - 3, and 1.5 more meanwhile
			"fairlead.budget.capacity":                            10,
			"fairlead.budget.spent":                               8,
			"fairlead.rate":                                       1,
			"fairlead.events.dropped":                             0,
			"fairlead.hold.duration{fairlead.hold.reason=server}": 0,
			"fairlead.hold.duration{fairlead.hold.reason=pause}":  0,
		}, m.values)
		require.Empty(t, m.hists, "there are no durations without the option")
		for name, unit := range map[string]string{"fairlead.queue.length": "{call}", "fairlead.budget.spent": "{token}", "fairlead.rate": "1", "fairlead.hold.duration": "s"} {
			require.Equal(t, unit, m.units[name], name)
		}
		for _, name := range []string{"fairlead.calls.ended", "fairlead.attempts", "fairlead.retries", "fairlead.rate_limited", "fairlead.budget.spent", "fairlead.hold.duration", "fairlead.events.dropped"} {
			require.True(t, m.rising[name], name)
		}
		for _, name := range []string{"fairlead.queue.length", "fairlead.calls.in_flight", "fairlead.calls.backing_off", "fairlead.budget.available"} {
			require.False(t, m.rising[name], name)
		}
	})
}

// submit submits n calls.
func submit(t *testing.T, s *scheduler.Scheduler, fn func(context.Context) error, n int, opts ...scheduler.Option) {
	t.Helper()
	for range n {
		_, err := s.Submit(context.Background(), fn, opts...)
		require.NoError(t, err)
	}
}

func failing(err error) func(context.Context) error {
	return func(context.Context) error { return err }
}

func TestSeveralBudgetsAndName(t *testing.T) {
	cfg := scheduler.Config{Limits: bucket.Limits{"requests": oneEach, "tokens": bucket.PerMinute(600).Burst(1000)}}
	bubble(t, cfg, []otelevents.Option{otelevents.Name("llm")}, func(t *testing.T, s *scheduler.Scheduler, collect func() metrics) {
		require.NoError(t, s.Do(t.Context(), nothing, scheduler.CostOf("tokens", 300), scheduler.CostOf("requests", 1)))
		m := collect()
		require.EqualValues(t, 9, m.values["fairlead.budget.available{fairlead.budget=requests,fairlead.scheduler=llm}"])
		require.EqualValues(t, 700, m.values["fairlead.budget.available{fairlead.budget=tokens,fairlead.scheduler=llm}"])
		require.EqualValues(t, 1000, m.values["fairlead.budget.capacity{fairlead.budget=tokens,fairlead.scheduler=llm}"])
		require.EqualValues(t, 300, m.values["fairlead.budget.spent{fairlead.budget=tokens,fairlead.scheduler=llm}"])
		require.EqualValues(t, 1, m.values["fairlead.attempts{fairlead.scheduler=llm}"])
	})
}

// TestCountersNeverFall gives up a grant, which lowers the scheduler's own count of attempts.
func TestCountersNeverFall(t *testing.T) {
	bubble(t, scheduler.Config{Limit: oneEach}, nil, func(t *testing.T, s *scheduler.Scheduler, collect func() metrics) {
		r, err := s.Reserve(t.Context())
		require.NoError(t, err)
		<-r.Ready()
		require.EqualValues(t, 1, collect().values["fairlead.attempts"])
		r.Cancel()
		synctest.Wait()
		require.Zero(t, s.Snapshot().Totals.Attempts)
		require.EqualValues(t, 1, collect().values["fairlead.attempts"])
		require.NoError(t, s.Do(t.Context(), nothing))
		require.EqualValues(t, 1, collect().values["fairlead.attempts"])
		require.NoError(t, s.Do(t.Context(), nothing))
		require.EqualValues(t, 2, collect().values["fairlead.attempts"])
	})
}

// TestHoldDuration checks that overlapping holds count once, and that the rest of a hold does not count yet.
func TestHoldDuration(t *testing.T) {
	bubble(t, scheduler.Config{Limit: oneEach, Retry: exact}, nil, func(t *testing.T, s *scheduler.Scheduler, collect func() metrics) {
		held := func() (server, pause float64) {
			m := collect()
			return m.values["fairlead.hold.duration{fairlead.hold.reason=server}"], m.values["fairlead.hold.duration{fairlead.hold.reason=pause}"]
		}
		requireHeld := func(server, pause float64) {
			t.Helper()
			gotServer, gotPause := held()
			require.InDelta(t, server, gotServer, 1e-9)
			require.InDelta(t, pause, gotPause, 1e-9)
		}
		start := time.Now()
		long := make(chan struct{})
		submit(t, s, func(context.Context) error { <-long; return retry.After(errBusy, 25*time.Second) }, 1, scheduler.Retry(retry.Policy{Jitter: retry.None, MaxRetries: retry.None}))
		submit(t, s, failing(retry.After(errBusy, 20*time.Second)), 1, scheduler.Retry(retry.Policy{Jitter: retry.None, MaxRetries: retry.None}))
		requireHeld(0, 0)
		time.Sleep(5 * time.Second)
		requireHeld(5, 0)
		close(long)
		synctest.Wait()
		server := s.Snapshot().HeldUntil.Sub(start).Seconds()
		require.GreaterOrEqual(t, server, 30.0)
		time.Sleep(time.Minute)
		requireHeld(server, 0)

		require.NoError(t, s.Pause())
		time.Sleep(3 * time.Second)
		requireHeld(server, 3)
		require.NoError(t, s.Resume())
		time.Sleep(3 * time.Second)
		requireHeld(server, 3)
		require.NoError(t, s.PauseUntil(time.Now().Add(7*time.Second)))
		time.Sleep(time.Minute)
		requireHeld(server, 10)
	})
}

// TestAfterTheEnd checks that metrics keep their values after Close, and that there are none after
// stop.
func TestAfterTheEnd(t *testing.T) {
	bubble(t, scheduler.Config{Limit: oneEach}, []otelevents.Option{otelevents.Durations(), otelevents.Spans(nil)}, func(t *testing.T, s *scheduler.Scheduler, collect func() metrics) {
		require.NoError(t, s.Do(t.Context(), nothing))
		submit(t, s, nothing, 1, scheduler.Cost(10))
		s.Close()
		time.Sleep(time.Hour)
		m := collect()
		require.EqualValues(t, 1, m.values["fairlead.calls.ended{fairlead.outcome=succeeded}"])
		require.EqualValues(t, 1, m.values["fairlead.calls.ended{fairlead.outcome=closed}"])
		require.Zero(t, m.values["fairlead.queue.length"])
	})
}

func TestStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := scheduler.New(scheduler.Config{})
		require.NoError(t, err)
		defer s.Close()
		reader, provider := newReader()
		stop, err := otelevents.Watch(s, otelevents.MeterProvider(provider), otelevents.Durations())
		require.NoError(t, err)
		require.NoError(t, s.Do(t.Context(), nothing))
		s.Sync()
		go stop()
		stop()
		m := collect(t, reader)
		require.Empty(t, m.values, "no metrics from snapshots")
		require.EqualValues(t, 1, m.hists["fairlead.wait.duration{fairlead.outcome=succeeded}"].Count, "recorded when stop returns")
		require.NoError(t, s.Do(t.Context(), nothing))
		s.Close()
		require.EqualValues(t, 1, collect(t, reader).hists["fairlead.wait.duration{fairlead.outcome=succeeded}"].Count)
		stop()
	})
}

func TestWatchFails(t *testing.T) {
	_, err := otelevents.Watch(nil)
	require.EqualError(t, err, "otelevents: Watch needs a scheduler, not nil")

	s, err := scheduler.New(scheduler.Config{})
	require.NoError(t, err)
	defer s.Close()
	_, err = otelevents.Watch(s, otelevents.Name("x"), nil)
	require.EqualError(t, err, "otelevents: option 2 is nil")
	for _, name := range []string{"fairlead.rate", "fairlead.wait.duration", ""} {
		_, err = otelevents.Watch(s, otelevents.Durations(), otelevents.MeterProvider(refusing{name: name}))
		require.ErrorIs(t, err, errRefused, "by %q", name)
	}
}

var errRefused = errors.New("instrument refused")

// refusing provides a meter that can't make the instrument of a certain name or, if the name is empty,
// takes no callback.
type refusing struct {
	noop.MeterProvider
	name string
}

type refusingMeter struct {
	noop.Meter
	name string
}

func (r refusing) Meter(string, ...metric.MeterOption) metric.Meter {
	return refusingMeter{name: r.name}
}

func (r refusingMeter) Float64ObservableGauge(name string, _ ...metric.Float64ObservableGaugeOption) (metric.Float64ObservableGauge, error) {
	if name == r.name {
		return nil, errRefused
	}
	return noop.Float64ObservableGauge{}, nil
}

func (r refusingMeter) Float64Histogram(name string, _ ...metric.Float64HistogramOption) (metric.Float64Histogram, error) {
	if name == r.name {
		return nil, errRefused
	}
	return noop.Float64Histogram{}, nil
}

func (r refusingMeter) RegisterCallback(metric.Callback, ...metric.Observable) (metric.Registration, error) {
	if r.name == "" {
		return nil, errRefused
	}
	return noop.Registration{}, nil
}
