package forecast

import (
	"container/heap"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"example.com/fairlead/bucket"
	"example.com/fairlead/retry"
	"example.com/fairlead/scheduler"
	"example.com/fairlead/scheduler/internal/core"
)

// simulator stands in for callers, functions and time around a core.
type simulator struct {
	k    *core.Core
	rnd  *rand.Rand
	work []arrivals
	of   []int           // the workload of each call, by the call's number, from 1
	runs runningAttempts // those that run

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
	next    time.Duration   // when the next arrives
	waits   []time.Duration // of each call until it first starts
	ended   time.Duration   // when the last one that has ended did
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
	if w.Key != "" || w.Keys > 0 || w.Weight > 0 {
		c.SetKey(w.keyOf(w.came), int64(max(1, w.Weight)))
	}
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
	for i, b := range slices.Concat(o.k.Budgets, o.k.KeyBudgets()) {
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
			w.waits = append(w.waits, c.Times().Total())
		}
		ends := core.After(c.Since(), time.Duration(between(o.rnd, int64(w.Latency), int64(w.MaxLatency))))
		heap.Push(&o.runs, runningAttempt{ends, c})
	}
	for _, c := range o.k.Effects.Ended {
		if c.ID > 0 { // it was accepted
			o.work[o.of[c.ID]].ended = o.k.Now
		}
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
	var waits []time.Duration
	for i := range o.work {
		f.Parts = append(f.Parts, o.work[i].part())
		waits = append(waits, o.work[i].waits...)
	}
	f.MedianWait, f.P99Wait, f.WorstWait = spread(waits)
	return *f
}

// between draws evenly from low to high, or gives low if high is not above it.
func between(rnd *rand.Rand, low, high int64) int64 {
	if high <= low {
		return low
	}
	return low + int64(rnd.Uint64N(uint64(high-low)+1))
}
