// Package timeline draws what happened to calls, from their events: as a trace for
// Perfetto and chrome://tracing, and as a page that needs nothing but a browser.
//
//	var t timeline.Timeline
//	for ev := range s.Subscribe().C { // all kinds, until the scheduler is closed
//		t.Add(ev)
//	}
//	err := t.WriteHTML(file)
//
// Of every call it shows on what it has spent its time: the parts of [events.Times],
// which add up to exactly its time from arrival to end. Above the calls are the tokens
// in the budget, the calls that wait for a grant, and the times when nobody was granted.
//
// # What it keeps
//
// However long the run is, no more than [Timeline.MaxCalls] calls are kept one by one.
// When there are more, only every second is kept, then every fourth and so on: of 200,000
// calls, with the default of 1000, every 256th, which are 782 from all over the run. The
// curves become coarser in the same way. Counts and sums are always of all calls, and what
// is written says what was left out. Besides that it remembers the numbers of the calls
// that wait at the moment, of up to 262,144. A run of 200,000 calls that all wait at once takes
// about 5 MB. Of each call there are at most 128 spans, and of each name and error 120 characters.
//
// # Lost events
//
// A reader that falls behind loses events, and [events.Event.Missed] says so. The last event
// of a call has its times: so a call of which others were lost is drawn with its parts
// end to end, in the order of the fields of [events.Times], and a note that their real
// order is not known. A call whose last event was lost is drawn as one that is not over.
// The number of calls that wait may be too high or too low from then on.
package timeline

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"

	"example.com/fairlead/events"
)

// Timeline collects events. The zero value is ready for use. All methods may be called
// from any goroutine, also to write it while events still come.
type Timeline struct {
	// MaxCalls is the most calls that are drawn one by one; 0 or less: 1000. It must
	// not be changed after the first event.
	MaxCalls int

	mu     sync.Mutex
	origin time.Time     // of the first event
	now    time.Duration // since then, of the latest
	seen   bool

	calls   map[uint64]*call // those that are kept, by number
	every   uint64           // one in so many is kept
	granted time.Duration    // the latest grant
	left    int64            // tokens after it
	holds   breaks
	pauses  breaks
	marks   []mark
	curves  curves
	sums    sums
}

// sums are of all calls, kept or not.
type sums struct {
	ended    [32]int // by kind
	attempts int
	times    [parts]float64 // in nanoseconds: of a crowd they are more than a Duration holds
	timed    int            // how many calls times is of
	drawn    int            // ended calls that are kept
	missed   uint64
	breaks   int // holds and pauses beyond what is kept
	marks    int // marks likewise
}

const (
	defaultCalls = 1000
	mostMarks    = 1000
)

// mark is something that happened at an instant.
type mark struct {
	at   time.Duration
	what string
}

// Add takes the next event of a stream: of one scheduler, and in order. Of kinds that
// were not subscribed to it knows nothing: so subscribe to all.
func (t *Timeline) Add(ev events.Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.seen {
		t.seen, t.origin, t.every = true, ev.At, 1
		t.calls = map[uint64]*call{}
	}
	t.now = max(t.now, min(ev.At.Sub(t.origin), longest))
	if ev.Missed > 0 {
		t.sums.missed += ev.Missed
		t.mark(text(count(ev.Missed, "event") + " lost"))
	}
	switch ev.Kind {
	case events.Held:
		t.hold(min(max(ev.Delay, 0), longest))
	case events.Paused:
		until := longest
		if !ev.Until.IsZero() {
			until = min(ev.Until.Sub(t.origin), longest)
		}
		t.pauses.cut(t.now)
		t.sums.breaks += t.pauses.add(span{from: t.now, to: max(t.now, until)})
	case events.Resumed:
		t.pauses.cut(t.now)
	case events.RateChanged, events.ShutDown:
		ev.Missed = 0
		t.mark(text(ev.String()))
	case events.Queued, events.Granted, events.Started, events.Retrying:
		t.life(ev)
	default:
		if ev.Kind.Ends() {
			t.life(ev)
		}
	}
	t.curves.add(t.now, ev)
}

func (t *Timeline) mark(what string) {
	if len(t.marks) == mostMarks {
		t.sums.marks++
		return
	}
	t.marks = append(t.marks, mark{t.now, what})
}

func (t *Timeline) hold(d time.Duration) {
	t.sums.breaks += t.holds.add(span{from: t.now, to: min(t.now+d, longest)})
}

// life takes an event of a call.
func (t *Timeline) life(ev events.Event) {
	if ev.Kind == events.Granted {
		t.sums.attempts++
	}
	if c := t.find(ev.Call); c != nil {
		c.follow(ev, t)
	}
	if ev.Kind == events.Granted {
		t.granted, t.left = t.now, ev.Available
	}
	if !ev.Kind.Ends() {
		return
	}
	t.sums.ended[ev.Kind]++
	if ev.Kind != events.Refused && plausible(ev.Times) {
		for p, d := range byPart(ev.Times) {
			t.sums.times[p] += float64(d)
		}
		t.sums.timed++
	}
}

// find is the call of that number, a new one if need be, or nil if it is not to be kept.
func (t *Timeline) find(number uint64) *call {
	if number == 0 || !t.keeps(number) {
		return nil
	}
	c := t.calls[number]
	if c == nil {
		c = &call{number: number, from: t.now}
		t.calls[number] = c
		for len(t.calls) > t.most() && t.every < 1<<63 {
			t.every *= 2
			maps.DeleteFunc(t.calls, func(number uint64, _ *call) bool { return !t.keeps(number) })
		}
	}
	return c
}

// keeps reports whether the call of that number is among those that are kept. The first is.
func (t *Timeline) keeps(number uint64) bool { return (number-1)%t.every == 0 }

func (t *Timeline) most() int {
	if t.MaxCalls <= 0 {
		return defaultCalls
	}
	return t.MaxCalls
}

// picture is what is to be drawn, as plain values: instants count from its start.
type picture struct {
	start  time.Time
	length time.Duration
	calls  []drawn
	holds  []span
	pauses []span
	marks  []mark
	points []point
	peak   int // the most calls that waited
	every  uint64
	sums   sums
}

// drawn is a call as it is drawn.
type drawn struct {
	call
	spans []span // its parts, without gaps, from its from to its to
}

// draw takes the picture at this moment.
func (t *Timeline) draw() picture {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := picture{start: t.origin, every: t.every, sums: t.sums, peak: t.curves.most()}
	first := time.Duration(0)
	for _, c := range t.calls {
		d := c.draw(t)
		first = min(first, d.from)
		if d.outcome != 0 {
			p.sums.drawn++
		}
		p.calls = append(p.calls, d)
	}
	slices.SortFunc(p.calls, func(a, b drawn) int { return cmp.Compare(a.number, b.number) })
	p.start, p.length = t.origin.Add(first), t.now-first
	for i := range p.calls {
		c := &p.calls[i]
		c.from, c.to = c.from-first, c.to-first
		shift(c.spans, first)
	}
	p.holds, p.pauses = shift(t.holds.until(t.now), first), shift(t.pauses.until(t.now), first)
	p.marks, p.points = slices.Clone(t.marks), slices.Clone(t.curves.points)
	for i := range p.marks {
		p.marks[i].at -= first
	}
	for i := range p.points {
		p.points[i].at -= first
	}
	return p
}
