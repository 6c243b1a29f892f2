package otelevents

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"example.com/fairlead/events"
	"example.com/fairlead/scheduler"
)

// state holds the metrics that are read from a snapshot when they are collected, and those that
// events add up in the meantime.
type state struct {
	meter    metric.Meter
	common   []attribute.KeyValue
	readings []reading

	mu      sync.Mutex
	hold    stopwatch // of servers' waits
	pause   stopwatch
	dropped uint64
	highest map[series]int64 // the highest value of each counter
}

// reading is a metric and how it is read. It may have several values, with an attribute each.
type reading struct {
	instrument metric.Observable
	observe    func(o metric.Observer, s *scheduler.Snapshot)
}

// series is one of the series of a counter.
type series struct {
	name string
	attr attribute.KeyValue
}

var none attribute.KeyValue // stands for no attribute

func newState(meter metric.Meter, common []attribute.KeyValue) (*state, error) {
	st := &state{meter: meter, common: common, highest: map[series]int64{}}
	type snap = *scheduler.Snapshot
	return st, errors.Join(
		st.level("fairlead.queue.length", "{call}", "Calls that are queued for tokens or a slot.",
			func(s snap) int64 { return int64(s.Queued) }),
		st.level("fairlead.calls.in_flight", "{call}", "Calls whose function runs.",
			func(s snap) int64 { return int64(s.Running) }),
		st.level("fairlead.calls.backing_off", "{call}", "Calls that wait to be retried.",
			func(s snap) int64 { return int64(s.BackingOff) }),
		st.level("fairlead.calls.later", "{call}", "Calls that have not arrived, for NotBefore or Delay.",
			func(s snap) int64 { return int64(s.Later) }),
		st.count("fairlead.calls.ended", "{call}", "Calls that have ended, by outcome, with refused ones.",
			func(s snap, add func(int64, attribute.KeyValue)) {
				for kind, n := range endings(s.Totals) {
					add(int64(n), outcome(kind))
				}
			}),
		st.count("fairlead.attempts", "{attempt}", "Attempts that were started.",
			func(s snap, add func(int64, attribute.KeyValue)) { add(int64(s.Totals.Attempts), none) }),
		st.count("fairlead.retries", "{attempt}", "Attempts that were not a call's first.",
			func(s snap, add func(int64, attribute.KeyValue)) { add(int64(s.Totals.Retries), none) }),
		st.count("fairlead.rate_limited", "{attempt}", "Attempts that ended with a rate-limit error.",
			func(s snap, add func(int64, attribute.KeyValue)) { add(int64(s.Totals.RateLimited), none) }),
		st.budgets("fairlead.budget.available", "Tokens in the budget; negative in debt.",
			func(b *scheduler.Budget) int64 { return b.Available }),
		st.budgets("fairlead.budget.capacity", "The most tokens that the budget can hold.",
			func(b *scheduler.Budget) int64 { return b.Limit.WithDefaults().Capacity }),
		st.count("fairlead.budget.spent", "{token}", "Tokens that attempts have paid. Refunds are not subtracted.",
			func(s snap, add func(int64, attribute.KeyValue)) {
				for i := range s.Budgets {
					add(s.Budgets[i].Ledger.Spent, budget(&s.Budgets[i]))
				}
			}),
		st.rate(),
		st.holds(),
		st.count("fairlead.events.dropped", "{event}", "Events that were lost because the reader was too slow.",
			func(_ snap, add func(int64, attribute.KeyValue)) { add(int64(st.dropped), none) }),
	)
}

// register starts the collection of the metrics.
func (st *state) register(s *scheduler.Scheduler) (metric.Registration, error) {
	instruments := make([]metric.Observable, len(st.readings))
	for i, r := range st.readings {
		instruments[i] = r.instrument
	}
	return st.meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		snap := s.Snapshot()
		st.mu.Lock()
		defer st.mu.Unlock()
		for _, r := range st.readings {
			r.observe(o, &snap)
		}
		return nil
	}, instruments...)
}

// record takes the next event.
func (st *state) record(ev events.Event) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.dropped += ev.Missed
	switch ev.Kind {
	case events.Held:
		st.hold.set(ev.At, ev.Until)
	case events.Paused:
		st.pause.set(ev.At, ev.Until)
	case events.Resumed:
		st.pause.set(ev.At, ev.At)
	}
}

// level adds a metric that goes up and down, and that can be added up over several processes.
func (st *state) level(name, unit, description string, read func(*scheduler.Snapshot) int64) error {
	in, err := st.meter.Int64ObservableUpDownCounter(name, metric.WithUnit(unit), metric.WithDescription(description))
	st.readings = append(st.readings, reading{in, func(o metric.Observer, s *scheduler.Snapshot) {
		o.ObserveInt64(in, read(s), st.with(none))
	}})
	return err
}

// count adds a metric that only goes up.
func (st *state) count(name, unit, description string, read func(s *scheduler.Snapshot, add func(int64, attribute.KeyValue))) error {
	in, err := st.meter.Int64ObservableCounter(name, metric.WithUnit(unit), metric.WithDescription(description))
	st.readings = append(st.readings, reading{in, func(o metric.Observer, s *scheduler.Snapshot) {
		read(s, func(n int64, attr attribute.KeyValue) {
			o.ObserveInt64(in, st.monotonic(name, attr, n), st.with(attr))
		})
	}})
	return err
}

// budgets adds a metric that each budget has.
func (st *state) budgets(name, description string, read func(*scheduler.Budget) int64) error {
	in, err := st.meter.Int64ObservableUpDownCounter(name, metric.WithUnit("{token}"), metric.WithDescription(description))
	st.readings = append(st.readings, reading{in, func(o metric.Observer, s *scheduler.Snapshot) {
		for i := range s.Budgets {
			o.ObserveInt64(in, read(&s.Budgets[i]), st.with(budget(&s.Budgets[i])))
		}
	}})
	return err
}

// rate adds the metric of the adaptive rate.
func (st *state) rate() error {
	in, err := st.meter.Float64ObservableGauge("fairlead.rate", metric.WithUnit("1"),
		metric.WithDescription("The current rate as a fraction of the configured one. Below 1 only if the rate is adaptive."))
	st.readings = append(st.readings, reading{in, func(o metric.Observer, s *scheduler.Snapshot) {
		o.ObserveFloat64(in, s.Rate, st.with(none))
	}})
	return err
}

// holds adds the metric of the time without grants.
func (st *state) holds() error {
	const name = "fairlead.hold.duration"
	in, err := st.meter.Float64ObservableCounter(name, metric.WithUnit("s"),
		metric.WithDescription("Time without grants, because a server had asked for a wait or the scheduler was paused."))
	st.readings = append(st.readings, reading{in, func(o metric.Observer, s *scheduler.Snapshot) {
		for reason, held := range map[string]*stopwatch{"server": &st.hold, "pause": &st.pause} {
			attr := attribute.String("fairlead.hold.reason", reason)
			o.ObserveFloat64(in, time.Duration(st.monotonic(name, attr, int64(held.total(s.At)))).Seconds(), st.with(attr))
		}
	}})
	return err
}

// monotonic returns n, or the highest value of the series if that is more. A backend takes a counter
// that falls for one that was reset.
func (st *state) monotonic(name string, attr attribute.KeyValue, n int64) int64 {
	key := series{name, attr}
	st.highest[key] = max(st.highest[key], n)
	return st.highest[key]
}

// with returns the attributes of a measurement.
func (st *state) with(attr attribute.KeyValue) metric.MeasurementOption {
	return withAttributes(st.common, attr)
}

func withAttributes(common []attribute.KeyValue, more ...attribute.KeyValue) metric.MeasurementOption {
	all := append([]attribute.KeyValue(nil), common...)
	for _, attr := range more {
		if attr != none {
			all = append(all, attr)
		}
	}
	return metric.WithAttributeSet(attribute.NewSet(all...))
}

func endings(t scheduler.Totals) map[events.Kind]uint64 {
	return map[events.Kind]uint64{
		events.Succeeded: t.Succeeded, events.Failed: t.Failed, events.Exhausted: t.Exhausted, events.Canceled: t.Canceled,
		events.Closed: t.Closed, events.Dropped: t.Dropped, events.Refused: t.Refused,
	}
}

func outcome(kind events.Kind) attribute.KeyValue {
	return attribute.String("fairlead.outcome", kind.String())
}

func budget(b *scheduler.Budget) attribute.KeyValue {
	if b.Name == "" {
		return none
	}
	return attribute.String("fairlead.budget", plain(b.Name))
}

// stopwatch adds up times that may overlap.
type stopwatch struct {
	before      time.Duration
	from, until time.Time // the latest of them; it has no end if until is zero
}

// set ends the current time, and begins another.
func (st *stopwatch) set(at, until time.Time) {
	*st = stopwatch{before: st.total(at), from: at, until: until}
}

// total returns the sum at an instant.
func (st *stopwatch) total(at time.Time) time.Duration {
	if st.from.IsZero() {
		return 0
	}
	if !st.until.IsZero() && at.After(st.until) {
		at = st.until
	}
	return st.before + max(0, at.Sub(st.from))
}
