package forecast

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/scheduler"
	"example.com/fairlead/scheduler/internal/core"
)

// Part is the forecast of one of several workloads. It tells whether another workload delays this one. In
// JSON, durations are in nanoseconds.
type Part struct {
	Key     string        `json:"key,omitzero"` // of the workload
	Started int           `json:"started"`      // calls that are granted at least once
	Took    time.Duration `json:"took"`         // from the first arrival of any workload until its last accepted call has ended

	// How long its calls wait until they first start, as in a [Forecast].
	MedianWait time.Duration `json:"median_wait"`
	P99Wait    time.Duration `json:"p99_wait"`
	WorstWait  time.Duration `json:"worst_wait"`
}

// part returns what has become of a workload.
func (w *arrivals) part() Part {
	p := Part{Key: w.Key, Started: len(w.waits), Took: w.ended}
	p.MedianWait, p.P99Wait, p.WorstWait = spread(w.waits)
	return p
}

// spread returns the median, the 99th percentile and the largest of some waits, which it sorts.
func spread(waits []time.Duration) (median, p99, worst time.Duration) {
	n := len(waits)
	if n == 0 {
		return 0, 0, 0
	}
	slices.Sort(waits)
	return waits[(n-1)/2], waits[(n-1)*99/100], waits[n-1]
}

// keyOf returns the key of the i-th call of a workload, from 1.
func (w *Workload) keyOf(i int) string {
	if w.Keys == 0 {
		return w.Key
	}
	return w.Key + strconv.Itoa(1+(i-1)%w.Keys)
}

// checkKeys returns all faults in the keys and the costs of a workload.
func (w *Workload) checkKeys(cfg scheduler.Config) error {
	var faults []error
	if w.Keys < 0 {
		faults = append(faults, fmt.Errorf("its Keys is %d: it must not be negative", w.Keys))
	}
	if w.Weight < 0 || w.Weight > core.MaxWeight {
		faults = append(faults, fmt.Errorf("its Weight is %d: it must be from 1 to %d, or 0 for 1", w.Weight, core.MaxWeight))
	}
	own := ownLimits(cfg.PerKey)
	for _, name := range slices.Sorted(maps.Keys(w.Costs)) {
		_, shared := cfg.Limits[name]
		_, ofKey := own[name]
		switch {
		case ofKey && w.Key == "" && w.Keys == 0:
			faults = append(faults, fmt.Errorf("its Costs[%q]: %w %q for calls without a Key", name, scheduler.ErrNoBudget, name))
		case !ofKey && !shared && (name != "" || len(cfg.Limits) > 0):
			faults = append(faults, fmt.Errorf("its Costs[%q]: %w %q", name, scheduler.ErrNoBudget, name))
		}
		if w.Costs[name] < 0 {
			faults = append(faults, fmt.Errorf("its Costs[%q] is %d: it must not be negative", name, w.Costs[name]))
		}
	}
	return errors.Join(faults...)
}

// ownLimits returns the limits of each key.
func ownLimits(p scheduler.PerKey) bucket.Limits {
	if p.Limit != (bucket.Limit{}) {
		return bucket.Limits{scheduler.KeyBudget: p.Limit}
	}
	return p.Limits
}
