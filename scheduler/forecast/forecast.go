// Package forecast tells how long a workload will take under a scheduler's configuration, and how long its
// calls will wait, before any call is made. It runs the scheduler's own core in virtual time.
package forecast

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
	"example.com/fairlead/scheduler/internal/core"
	"example.com/fairlead/scheduler/internal/durations"
)

// Workload describes a number of similar calls for [Predict].
type Workload struct {
	// Calls is how many there are. It must be positive.
	Calls int

	// Every is the time from one call's arrival to the next. Zero means that all arrive at the
	// start.
	Every time.Duration

	// Cost is the price of an attempt, in tokens. If MaxCost is above it, each call draws its cost
	// evenly from Cost to MaxCost. Zero for both means 1.
	Cost, MaxCost int64

	// Costs are what an attempt pays from each of several budgets, as with [scheduler.CostOf]. From budgets
	// that are not named it pays Cost, drawn or not. They may be those of keys, if the calls have keys.
	Costs map[string]int64

	// Latency is how long an attempt runs. If MaxLatency is above it, each attempt draws its
	// latency evenly from Latency to MaxLatency. Zero means no time at all.
	Latency, MaxLatency time.Duration

	// Failures is the fraction of attempts that fail with a retryable error, from 0 to 1.
	Failures float64

	// Key is the key of the calls, as with [scheduler.Key]. If Keys is above 0, the calls have that many keys
	// in turn: Key: "user" and Keys: 3 mean user1, user2 and user3. Zero for both means no key.
	Key  string
	Keys int

	// Weight is the weight of each of these keys, as with [scheduler.Weight]. Zero means 1.
	Weight int

	// Priority is the priority of the calls, as with [scheduler.Priority].
	Priority int

	// Timeout is the time from a call's arrival to its deadline. As in a scheduler, a call that
	// would start later is not accepted or not retried, and a running attempt is not cut off.
	// Zero means none.
	Timeout time.Duration
}

// Forecast predicts what becomes of workloads. What depends on chance (costs, latencies, failures
// and jitter) is drawn with the seed of [scheduler.Config.Retry]. In JSON, durations are in nanoseconds.
type Forecast struct {
	Limits bucket.Limits    `json:"limits"` // the limits it assumes, by name; "" if there is one budget
	Took   time.Duration    `json:"took"`   // from the first arrival until all calls have ended
	Totals scheduler.Totals `json:"totals"` // how they end, and how many attempts they make
	Spent  map[string]int64 `json:"spent"`  // tokens paid from each budget that all calls share

	// These say how long calls wait from their arrival until they first start. Half of them wait at most
	// MedianWait, 99 of 100 at most P99Wait, and all at most WorstWait.
	MedianWait time.Duration `json:"median_wait"`
	P99Wait    time.Duration `json:"p99_wait"`
	WorstWait  time.Duration `json:"worst_wait"`

	Parts []Part `json:"parts"` // what becomes of each workload, in the order given to Predict

	MostQueued  int `json:"most_queued"`  // calls that wait at the same time, for tokens or a slot
	MostRunning int `json:"most_running"` // calls that run at the same time

	Samples []Sample `json:"samples"` // the state over time: some hundreds of samples, evenly spread
}

// Sample is the state at one instant of a [Forecast].
type Sample struct {
	At         time.Duration `json:"at"`          // since the first arrival
	Available  []int64       `json:"available"`   // in each budget, in order of their names
	Queued     int           `json:"queued"`      // calls that wait for tokens or a slot
	Running    int           `json:"running"`     // calls that run
	BackingOff int           `json:"backing_off"` // calls that wait to be retried
	Attempts   uint64        `json:"attempts"`    // attempts started so far
	Ended      uint64        `json:"ended"`       // calls ended so far
}

// String returns a line like
//
//	500 calls take 4m30s: 500 succeed in 527 attempts; half of them wait up to 2m15s, the last 4m30s; up to 450 wait at once
func (f Forecast) String() string {
	t := f.Totals
	var b strings.Builder
	fmt.Fprintf(&b, "%d calls take %v: %d succeed", t.Accepted+t.Refused, durations.Round(f.Took), t.Succeeded)
	for _, end := range []struct {
		n    uint64
		what string
	}{{t.Exhausted, "run out of retries"}, {t.Failed, "fail"}, {t.Canceled, "miss their deadlines"}, {t.Dropped, "are dropped"}, {t.Refused, "are refused"}} {
		if end.n > 0 {
			fmt.Fprintf(&b, ", %d %s", end.n, end.what)
		}
	}
	fmt.Fprintf(&b, " in %d attempts; half of them wait up to %v, the last %v; up to %d wait at once", t.Attempts, durations.Round(f.MedianWait), durations.Round(f.WorstWait), f.MostQueued)
	return b.String()
}

// limits returns the limits in words.
func (f Forecast) limits() string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(f.Limits)) {
		all = append(all, strings.TrimSpace(name+" "+f.Limits[name].String()))
	}
	return strings.Join(all, "; ")
}

// Predict returns how a scheduler with this configuration would serve some workloads that begin
// at the same time. It runs the scheduler's own core in virtual time. So the forecast is exact to
// the nanosecond if calls arrive, run and fail as assumed. The same arguments always give the
// same forecast.
//
// The budget starts full, or at Config.Level without refill for the time since. Classify, Logger and
// EventBuffer are ignored, and so is Clock if no limit has a Reset. With one, the forecast begins at the
// Clock's time, and a Level is refilled until then. Without a Clock it begins at Config.Level's At. Predict
// fails if Config has a Store: what the other processes will need is not known.
func Predict(cfg scheduler.Config, work ...Workload) (Forecast, error) {
	faults := []error{cfg.Validate()}
	if len(work) == 0 {
		faults = append(faults, errors.New("forecast: Predict needs at least one Workload"))
	}
	if cfg.Store != nil || len(cfg.Stores) > 0 {
		faults = append(faults, errors.New("forecast: Config has a Store, and what other processes will need of the budget is not known: leave it out, and set the limit to this process's part"))
	}
	for i, w := range work {
		if err := w.validate(cfg); err != nil {
			faults = append(faults, fmt.Errorf("forecast: workload %d: %w", i+1, err))
		}
	}
	if err := errors.Join(faults...); err != nil {
		return Forecast{}, err
	}
	k, err := core.New(coreConfig(cfg))
	if err != nil { // the rest is valid
		return Forecast{}, fmt.Errorf("forecast: set Config.Clock to the clock of the forecast's first instant: %w", err)
	}
	return newSimulator(k, cfg.Retry.Seed, work).predict()
}

// coreConfig returns the configuration of the core that a scheduler with this one would have.
func coreConfig(cfg scheduler.Config) core.Config {
	c := core.Config{
		Limits: cfg.Limits, Levels: cfg.Levels, PriorityStep: cfg.PriorityStep, MaxInFlight: cfg.MaxInFlight,
		PerKey: core.PerKey{
			Limits: ownLimits(cfg.PerKey), MaxInFlight: cfg.PerKey.MaxInFlight, MaxQueued: cfg.PerKey.MaxQueued,
			MaxKeys: cfg.PerKey.MaxKeys, Patience: cfg.PerKey.Patience, HoldsAll: cfg.PerKey.Holds == retry.ScopeAll,
			RetryBudget: cfg.PerKey.RetryBudget,
		},
		MaxQueued: cfg.MaxQueued, Overflow: core.Overflow(cfg.Overflow), Retry: cfg.Retry.WithDefaults(), RetryBudget: cfg.RetryBudget, Adaptive: cfg.Adaptive,
	}
	if len(c.Limits) == 0 {
		c.Limits = bucket.Limits{"": cfg.Limit.WithDefaults()}
	}
	if cfg.Level != nil {
		c.Origin, c.Levels = cfg.Level.At, map[string]bucket.State{"": *cfg.Level}
	}
	for _, l := range c.Limits {
		if l.Reset != (bucket.Reset{}) && cfg.Clock != nil {
			c.Origin = cfg.Clock.Now()
		}
	}
	return c
}

func (w Workload) validate(cfg scheduler.Config) error {
	var faults []error
	if w.Calls < 1 {
		faults = append(faults, fmt.Errorf("its Calls is %d: it must be at least 1", w.Calls))
	}
	for _, d := range []struct {
		name  string
		value time.Duration
	}{{"Every", w.Every}, {"Latency", w.Latency}, {"MaxLatency", w.MaxLatency}, {"Timeout", w.Timeout}} {
		if d.value < 0 {
			faults = append(faults, fmt.Errorf("its %s is %v: it must not be negative", d.name, d.value))
		}
	}
	if w.Cost < 0 || w.MaxCost < 0 {
		faults = append(faults, fmt.Errorf("its Cost is %d and MaxCost %d: they must not be negative", w.Cost, w.MaxCost))
	}
	faults = append(faults, w.checkKeys(cfg))
	if !(w.Failures >= 0 && w.Failures <= 1) {
		faults = append(faults, fmt.Errorf("its Failures is %v: it must be from 0 to 1", w.Failures))
	}
	return errors.Join(faults...)
}
