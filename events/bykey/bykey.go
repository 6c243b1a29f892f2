// Package bykey sums up calls by their keys, from their events. It shows which keys load a scheduler most,
// and which wait for the others.
//
//	var sums bykey.Sums
//	for ev := range s.Subscribe(events.All).C { // all kinds, until the scheduler is closed
//		sums.Add(ev)
//	}
//	fmt.Println(sums.Report(10).Keys)
//
// A noisy neighbor is a key with many calls that makes others wait. It shows in the [Key.Mean] of the other
// keys: the Turn of a key is how long its calls waited while only calls of other keys were ahead.
//
// # What it keeps
//
// At most [Sums.MaxKeys] keys have sums of their own, and [Report.Others] is the sum of all others. When one
// more key comes, it takes the place of a key that had few attempts and has no open calls. The sums of that
// key are added to the others. If there seems to be no such key, the calls of the new one are added to the
// others. So the busiest keys keep their sums. Up to 262,144 calls that wait or run are known at the same
// time, and further ones are not counted as waiting or running.
//
// # Lost events
//
// A reader that falls behind loses events, and [events.Event.Missed] says how many. They are missing in the
// sums. After that no call counts as waiting or running until its next event.
package bykey

import (
	"cmp"
	"math"
	"slices"
	"sync"
	"time"

	"example.com/fairlead/events"
	"example.com/fairlead/events/internal/mean"
)

// Sums collects events. The zero Sums is ready to use. All methods may be called from any goroutine.
type Sums struct {
	// MaxKeys limits the keys with sums of their own; 0 or less means 1000. It must not be changed
	// after the first event.
	MaxKeys int

	mu     sync.Mutex
	keys   map[string]*sum
	list   []*sum // the same
	next   int    // the index in list at which the next search for a key to drop begins
	others sum    // keys without sums of their own
	open   map[uint64]place
	missed uint64
}

// Key is the sum of the calls of one key.
type Key struct {
	Key string `json:"key"` // "" for calls without a key, and for the others

	Waiting int       `json:"waiting"`        // calls that wait for tokens or a slot now
	Running int       `json:"running"`        // calls whose function runs now
	Since   time.Time `json:"since,omitzero"` // when the call that has waited longest was queued; zero if none waits

	Attempts  uint64 `json:"attempts"`  // grants
	Spent     int64  `json:"spent"`     // tokens that the attempts have paid, from the budget that their events name; at most math.MaxInt64
	Succeeded uint64 `json:"succeeded"` // calls that ended with nil
	Failed    uint64 `json:"failed"`    // calls that ended in any other way
	Refused   uint64 `json:"refused"`   // calls that were not accepted

	Mean events.Times `json:"mean,omitzero"` // what ended calls spent their time on, on average
}

// Report says which keys load a scheduler most.
type Report struct {
	Keys   []Key  `json:"keys"`            // the most loaded first: by Waiting plus Running, then by Spent
	Others Key    `json:"others"`          // the sum of all other keys
	Missed uint64 `json:"missed,omitzero"` // events that were lost
}

// Report returns the n most loaded keys, and the sum of the others. Zero means all keys with sums of their own.
func (s *Sums) Report(n int) Report {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := slices.Clone(s.list)
	slices.SortFunc(list, func(a, b *sum) int {
		return cmp.Or(cmp.Compare(b.open(), a.open()), cmp.Compare(b.Spent, a.Spent), cmp.Compare(a.Key.Key, b.Key.Key))
	})
	if n <= 0 || n > len(list) {
		n = len(list)
	}
	r := Report{Keys: []Key{}, Missed: s.missed}
	for _, k := range list[:n] {
		r.Keys = append(r.Keys, k.report(s.open))
	}
	others := s.others
	others.Since = others.first(s.open)
	for _, k := range list[n:] {
		k.Since = k.first(s.open)
		others.plus(k)
	}
	r.Others = others.Key
	r.Others.Mean = others.times.Mean()
	return r
}

// Add adds the next event. The events must come from one scheduler, in order and with all kinds.
func (s *Sums) Add(ev events.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.keys == nil {
		s.keys, s.open = map[string]*sum{}, map[uint64]place{}
	}
	if ev.Missed > 0 {
		s.missed += ev.Missed
		s.forgetCalls()
	}
	switch k := ev.Kind; {
	case k == events.ShutDown:
		s.forgetCalls()
	case k == events.Refused:
		s.find(ev.Key).Refused++
	case ev.Call == 0 || !k.Ends() && !ofCalls.Has(k):
	default:
		s.addCallEvent(ev)
	}
}

// ofCalls are the kinds of events that say where a call is.
var ofCalls = events.Of(events.Queued, events.Granted, events.Retrying)

// addCallEvent takes an event of an accepted call.
func (s *Sums) addCallEvent(ev events.Event) {
	was, known := s.open[ev.Call]
	k := was.sum
	if known {
		k.leave(was)
		delete(s.open, ev.Call)
	} else {
		k = s.find(ev.Key)
	}
	switch {
	case ev.Kind == events.Queued:
		s.enter(ev.Call, place{sum: k, since: ev.At})
	case ev.Kind == events.Granted:
		k.Attempts++
		k.spend(ev.Cost)
		s.enter(ev.Call, place{sum: k, since: ev.At, runs: true})
	case ev.Kind == events.Succeeded:
		k.Succeeded++
	case ev.Kind.Ends():
		k.Failed++
	}
	if ev.Kind.Ends() && mean.Plausible(ev.Times) {
		k.times.Add(ev.Times)
	}
}

// maxOpen is how many open calls are known.
const maxOpen = 1 << 18

// enter notes that a call waits or runs.
func (s *Sums) enter(call uint64, p place) {
	if len(s.open) == maxOpen {
		return
	}
	s.open[call] = p
	if p.runs {
		p.sum.Running++
		return
	}
	p.sum.Waiting++
	p.sum.queue(call, p.since, s.open)
}

// forgetCalls forgets where all calls are.
func (s *Sums) forgetCalls() {
	clear(s.open)
	s.others.forgetCalls()
	for _, k := range s.list {
		k.forgetCalls()
	}
}

// saturated returns a+b, or math.MaxInt64 if that is larger. Neither is negative.
func saturated(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}
