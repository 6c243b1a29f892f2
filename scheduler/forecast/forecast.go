// Package forecast tells how long a workload will take under a scheduler's configuration, and how long its
// calls will wait, before any call is made. It runs the scheduler's own core in virtual time.
package forecast

import (
	"container/heap"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
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
	// that are not named it pays Cost, drawn or not.
	Costs map[string]int64

	// Latency is how long an attempt runs. If MaxLatency is above it, each attempt draws its
	// latency evenly from Latency to MaxLatency. Zero means no time at all.
	Latency, MaxLatency time.Duration

	// Failures is the fraction of attempts that fail with a retryable error, from 0 to 1.
	Failures float64

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
	Spent  map[string]int64 `json:"spent"`  // tokens paid from each budget

	// How long calls wait from their arrival until they first start. Half of them wait at most
	// MedianWait, 99 of 100 at most P99Wait, and all at most WorstWait.
	MedianWait time.Duration `json:"median_wait"`
	P99Wait    time.Duration `json:"p99_wait"`
	WorstWait  time.Duration `json:"worst_wait"`

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
// The budget starts full, or at Config.Level without refill for the time since. Clock, Classify,
// Logger and EventBuffer are ignored.
func Predict(cfg scheduler.Config, work ...Workload) (Forecast, error) {
	faults := []error{cfg.Validate()}
	if len(work) == 0 {
		faults = append(faults, errors.New("forecast: Predict needs at least one Workload"))
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
	if err != nil {
		return Forecast{}, err
	}
	return newSimulator(k, cfg.Retry.Seed, work).predict()
}

// coreConfig returns the configuration of the core that a scheduler with this one would have.
func coreConfig(cfg scheduler.Config) core.Config {
	c := core.Config{
		Limits: cfg.Limits, Levels: cfg.Levels, PriorityStep: cfg.PriorityStep, MaxInFlight: cfg.MaxInFlight,
		MaxQueued: cfg.MaxQueued, Overflow: core.Overflow(cfg.Overflow), Retry: cfg.Retry.WithDefaults(), Adaptive: cfg.Adaptive,
	}
	if len(c.Limits) == 0 {
		c.Limits = bucket.Limits{"": cfg.Limit.WithDefaults()}
	}
	if cfg.Level != nil {
		c.Origin, c.Levels = cfg.Level.At, map[string]bucket.State{"": *cfg.Level}
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
	for _, name := range slices.Sorted(maps.Keys(w.Costs)) {
		if _, ok := cfg.Limits[name]; !ok && (name != "" || len(cfg.Limits) > 0) {
			faults = append(faults, fmt.Errorf("its Costs[%q]: %w %q", name, scheduler.ErrNoBudget, name))
		}
		if w.Costs[name] < 0 {
			faults = append(faults, fmt.Errorf("its Costs[%q] is %d: it must not be negative", name, w.Costs[name]))
		}
	}
	if !(w.Failures >= 0 && w.Failures <= 1) {
		faults = append(faults, fmt.Errorf("its Failures is %v: it must be from 0 to 1", w.Failures))
	}
	return errors.Join(faults...)
}

// simulator stands in for callers, functions and time around a core.
type simulator struct {
	k     *core.Core
	rnd   *rand.Rand
	work  []arrivals
	of    []int           // the workload of each call, by the call's number, from 1
	runs  runningAttempts // those that run
	waits []time.Duration

	forecast Forecast
	interval time.Duration // the least time between samples
}

// runningAttempts is a heap of attempts, by when they end. Of those that end together the one whose
// call is senior comes first.
type runningAttempts []runningAttempt

type runningAttempt struct {
	ends time.Duration
	call *core.Call
}

// nextEnd returns when the first attempt ends, or [bucket.Forever].
func (a runningAttempts) nextEnd() time.Duration {
	if len(a) == 0 {
		return bucket.Forever
	}
	return a[0].ends
}

func (a runningAttempts) Len() int { return len(a) }

func (a runningAttempts) Less(i, j int) bool {
	return a[i].ends < a[j].ends || a[i].ends == a[j].ends && a[i].call.Before(a[j].call)
}

func (a runningAttempts) Swap(i, j int) { a[i], a[j] = a[j], a[i] }

func (a *runningAttempts) Push(x any) { *a = append(*a, x.(runningAttempt)) }

func (a *runningAttempts) Pop() any {
	last := (*a)[len(*a)-1]
	*a = (*a)[:len(*a)-1]
	return last
}

// arrivals is a workload of which some calls have arrived.
type arrivals struct {
	Workload
	options core.Options
	came    int
	next    time.Duration // when the next arrives
}

// maxSamples limits the samples. When they are so many, every other one is dropped.
const maxSamples = 512

func newSimulator(k *core.Core, seed uint64, work []Workload) *simulator {
	o := &simulator{k: k, rnd: rand.New(rand.NewPCG(seed, 0)), of: []int{0}}
	for _, w := range work {
		if w.Cost == 0 && w.MaxCost == 0 {
			w.Cost = 1
		}
		o.work = append(o.work, arrivals{Workload: w, options: core.Options{Priority: w.Priority}})
	}
	o.forecast.Limits = bucket.Limits{}
	for _, b := range k.Budgets {
		o.forecast.Limits[b.Name] = b.Configured
	}
	o.sample()
	return o
}

// predict makes everything happen, each at its own instant, and returns the forecast.
func (o *simulator) predict() (Forecast, error) {
	for !o.done() {
		who, came := o.nextArrival()
		at := min(came, o.runs.nextEnd(), o.k.Wake())
		switch at {
		case bucket.Forever:
			return Forecast{}, fmt.Errorf("forecast: the workload takes more than %v: it is too much for %v", bucket.Forever, o.forecast.limits())
		case o.runs.nextEnd():
			o.finish(at)
		case came:
			o.arrive(at, who)
		default:
			o.k.Advance(at)
		}
		o.look()
	}
	return o.result(), nil
}

func (o *simulator) done() bool {
	_, next := o.nextArrival()
	return next == bucket.Forever && o.k.Drained()
}

// nextArrival returns the workload of the next call to arrive, and when that is.
func (o *simulator) nextArrival() (who int, at time.Duration) {
	at = bucket.Forever
	for i := range o.work {
		if w := &o.work[i]; w.came < w.Calls && w.next < at {
			who, at = i, w.next
		}
	}
	return who, at
}

func (o *simulator) arrive(at time.Duration, who int) {
	w := &o.work[who]
	w.came++
	w.next = core.After(w.next, w.Every)
	c := &core.Call{
		Cost: between(o.rnd, w.Cost, w.MaxCost), Deadline: bucket.Forever, WantsAdmission: true,
	}
	c.SetOptions(&w.options)
	if w.Costs != nil {
		c.SetOptions(o.optionsOf(c, w))
	}
	if w.Timeout > 0 {
		c.Deadline = core.After(at, w.Timeout)
	}
	o.of = append(o.of, who)
	o.k.Submit(at, c)
	if c.ID == 0 { // refused: the next call gets its number
		o.of = o.of[:len(o.of)-1]
	}
}

// optionsOf returns the options of a call of a workload that has Costs.
func (o *simulator) optionsOf(c *core.Call, w *arrivals) *core.Options {
	own := w.options
	own.Costs, own.Several = c.AllCosts(), true
	for i, b := range o.k.Budgets {
		if cost, ok := w.Costs[b.Name]; ok {
			own.Costs[i] = cost
		}
	}
	c.Cost = own.Costs[0]
	return &own
}

var errPredicted = errors.New("predicted to fail")

// finish ends the attempt that is due to end.
func (o *simulator) finish(at time.Duration) {
	c := heap.Pop(&o.runs).(runningAttempt).call
	if o.rnd.Float64() < o.work[o.of[c.ID]].Failures {
		o.k.Finish(at, c, errPredicted, retry.Verdict{Kind: retry.KindTransient})
	} else {
		o.k.Finish(at, c, nil, retry.Verdict{})
	}
}

// look takes over the core's effects.
func (o *simulator) look() {
	for _, c := range o.k.Effects.Granted {
		w := &o.work[o.of[c.ID]]
		if c.Attempts == 1 {
			o.waits = append(o.waits, c.Times().Total())
		}
		ends := core.After(c.Since, time.Duration(between(o.rnd, int64(w.Latency), int64(w.MaxLatency))))
		heap.Push(&o.runs, runningAttempt{ends, c})
	}
	o.k.Effects.Clear()
	o.forecast.MostQueued = max(o.forecast.MostQueued, o.k.Queued())
	o.forecast.MostRunning = max(o.forecast.MostRunning, o.k.InFlight())
	o.sample()
}

// sample adds a sample at the end of an instant, unless the last one is too recent. The first
// sample shows the state before all calls.
func (o *simulator) sample() {
	f := &o.forecast
	n := len(f.Samples)
	switch {
	case n > 1 && f.Samples[n-1].At == o.k.Now:
		f.Samples[n-1] = o.now()
		return
	case n > 1 && o.k.Now-f.Samples[n-1].At < o.interval:
		return
	case n == maxSamples:
		for i := range maxSamples / 2 {
			f.Samples[i] = f.Samples[2*i]
		}
		f.Samples = f.Samples[:maxSamples/2]
		o.interval = max(2*o.interval, o.k.Now/maxSamples)
	}
	f.Samples = append(f.Samples, o.now())
}

func (o *simulator) now() Sample {
	k, t := o.k, &o.k.Totals
	available := make([]int64, len(k.Budgets))
	for i := range k.Budgets {
		available[i] = k.Budgets[i].Available()
	}
	return Sample{
		At: k.Now, Available: available, Queued: k.Queued(), Running: k.InFlight(), BackingOff: k.BackingOff(),
		Attempts: t.Attempts, Ended: t.Ended() + t.Refused,
	}
}

func (o *simulator) result() Forecast {
	f := &o.forecast
	f.Took, f.Totals, f.Spent = o.k.Now, scheduler.Totals(o.k.Totals), map[string]int64{}
	for i := range o.k.Budgets {
		f.Spent[o.k.Budgets[i].Name] = o.k.Budgets[i].Ledger().Spent
	}
	if f.Samples[len(f.Samples)-1].At < o.k.Now {
		f.Samples = append(f.Samples, o.now())
	}
	if n := len(o.waits); n > 0 {
		slices.Sort(o.waits)
		f.MedianWait, f.P99Wait, f.WorstWait = o.waits[(n-1)/2], o.waits[(n-1)*99/100], o.waits[n-1]
	}
	return *f
}

// between draws evenly from low to high, or gives low if high is not above it.
func between(rnd *rand.Rand, low, high int64) int64 {
	if high <= low {
		return low
	}
	return low + int64(rnd.Uint64N(uint64(high-low)+1))
}
